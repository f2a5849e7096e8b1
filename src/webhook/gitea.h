#pragma once

// The webhooks of Gitea and of Forgejo (docs.gitea.com and forgejo.org/docs, "Webhooks"): the signature is HMAC-SHA256
// over the body as bare hex digits in `X-Forgejo-Signature` or `X-Gitea-Signature`. They also send the headers of other
// forges, which prove nothing where a header of their own is there.

#include "webhook/forge.h"

namespace shipmate::webhook {

class Gitea final : public Forge {
 public:
  std::string_view Name() const override { return "gitea"; }
  Result<void> Verify(const net::HttpRequest& request, Secrets& secrets, base::WallTime now) const override;
  EventKind KindOf(const net::HttpRequest& request, std::string& event) const override;
  Result<Push> ReadPush(const net::HttpRequest& request, PayloadReader& payload) const override;
};

}  // namespace shipmate::webhook
