#pragma once

// GitHub's webhooks (docs.github.com, "Webhook events and payloads", "Validating webhook deliveries"): the signature is
// HMAC-SHA256 over the body in `X-Hub-Signature-256: sha256=<hex>`, the event's name stands in `X-GitHub-Event`.

#include "webhook/forge.h"

namespace shipmate::webhook {

class Github final : public Forge {
 public:
  std::string_view Name() const override { return "github"; }
  Result<void> Verify(const net::HttpRequest& request, Secrets& secrets, base::WallTime now) const override;
  EventKind KindOf(const net::HttpRequest& request, std::string& event) const override;
  Result<Push> ReadPush(const net::HttpRequest& request, PayloadReader& payload) const override;
};

}  // namespace shipmate::webhook
