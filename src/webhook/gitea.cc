#include "webhook/gitea.h"

#include <fmt/format.h>

#include "webhook/common.h"

namespace shipmate::webhook {

namespace {

// The first that is there decides; a bad one is not mended by a good one behind it.
constexpr std::string_view kSignatures[] = {"X-Forgejo-Signature", "X-Gitea-Signature", "X-Hub-Signature-256"};
constexpr std::string_view kScheme = "sha256=";

}  // namespace

Result<void> Gitea::Verify(const net::HttpRequest& request, Secrets& secrets, base::WallTime) const {
  for (const std::string_view name : kSignatures) {
    if (!request.headers.Has(name)) continue;
    auto signature = OnlyHeader(request, name);
    if (!signature) return Fail(std::move(signature.error()));
    if (name == kSignatures[2]) {
      if (!signature->starts_with(kScheme)) {
        return Fail(Errc::kAuth, fmt::format("{} does not begin with \"{}\"", name, kScheme));
      }
      signature->remove_prefix(kScheme.size());
    }
    return CheckHex(*signature, name, request.body, secrets);
  }
  return Fail(Errc::kAuth, fmt::format("there is no header {}", kSignatures[1]));
}

EventKind Gitea::KindOf(const net::HttpRequest& request, std::string& event) const {
  event = FirstHeader(request, {"X-Forgejo-Event", "X-Gitea-Event", "X-GitHub-Event"});
  return event == "push" ? EventKind::kPush : EventKind::kOther;
}

Result<Push> Gitea::ReadPush(const net::HttpRequest& request, PayloadReader& payload) const {
  Push push;
  SetRef(push, payload.NeededText("ref"));
  push.info.repo = payload.NeededText("repository.full_name");
  push.repo_address = payload.Text("repository.clone_url");
  push.delivery_id = FirstHeader(request, {"X-Forgejo-Delivery", "X-Gitea-Delivery", "X-GitHub-Delivery"});
  push.before = payload.Text("before");
  push.created = IsZeros(push.before);
  const std::string after = payload.NeededText("after");
  push.deleted = IsZeros(after);
  push.info.pusher = payload.Text("pusher.login");
  if (push.info.pusher.empty()) push.info.pusher = payload.Text("pusher.username");
  push.info.compare = payload.Text("compare_url");
  if (!push.deleted) {
    push.info.commit_id = after;
    ReadCommit(payload, push);
  }
  ReadFiles(payload, push, "total_commits");
  return push;
}

}  // namespace shipmate::webhook
