#pragma once

// GitLab's webhooks (docs.gitlab.com, "Webhooks", "Webhook events"). Two ways to prove who sends: a token in clear in
// `X-Gitlab-Token`, or a signature after the Standard Webhooks specification: `webhook-signature: v1,<base64>` is
// HMAC-SHA256 over "<webhook-id>.<webhook-timestamp>.<body>" with the key that `whsec_<base64>` holds. Where there is a
// signature, it alone counts.

#include "webhook/forge.h"

namespace shipmate::webhook {

class Gitlab final : public Forge {
 public:
  std::string_view Name() const override { return "gitlab"; }
  Result<void> Verify(const net::HttpRequest& request, Secrets& secrets, base::WallTime now) const override;
  EventKind KindOf(const net::HttpRequest& request, std::string& event) const override;
  Result<Push> ReadPush(const net::HttpRequest& request, PayloadReader& payload) const override;
};

}  // namespace shipmate::webhook
