#pragma once

// Webhooks of the user's own, from whatever can make a request: a small JSON of ours, signed like GitHub's, with
// HMAC-SHA256 over the body in `X-Shipmate-Signature: sha256=<hex>`.
//
//   {"repo": "acme/app", "ref": "refs/heads/main", "commit": "<id>", "message": "...", "author": "...", "pusher":
//   "...",
//    "url": "...", "compare": "...", "before": "<id>", "deleted": false, "forced": false, "files": ["..."],
//    "delivery": "<anything that differs>"}
//
// `repo` and one of `ref` and `branch` are needed. Without `files` nothing is known of them.

#include "webhook/forge.h"

namespace shipmate::webhook {

class Generic final : public Forge {
 public:
  std::string_view Name() const override { return "generic"; }
  Result<void> Verify(const net::HttpRequest& request, Secrets& secrets, base::WallTime now) const override;
  EventKind KindOf(const net::HttpRequest& request, std::string& event) const override;
  Result<Push> ReadPush(const net::HttpRequest& request, PayloadReader& payload) const override;
};

}  // namespace shipmate::webhook
