#include "webhook/github.h"

#include <fmt/format.h>

#include "webhook/common.h"

namespace shipmate::webhook {

namespace {

constexpr std::string_view kSignature = "X-Hub-Signature-256";
constexpr std::string_view kScheme = "sha256=";
// "Webhook events and payloads", push: the list of commits ends here.
constexpr std::size_t kMostCommits = 2048;

}  // namespace

Result<void> Github::Verify(const net::HttpRequest& request, Secrets& secrets, base::WallTime) const {
  for (const std::string_view foreign : {"X-Gitea-Event", "X-Forgejo-Event", "X-Gitlab-Event"}) {
    // Gitea and Forgejo send GitHub's headers too, so their secret would open this endpoint as well.
    if (request.headers.Has(foreign)) {
      return Fail(Errc::kAuth, fmt::format("there is a header {}; let that forge send to its own endpoint", foreign));
    }
  }
  auto signature = OnlyHeader(request, kSignature);
  if (!signature) return Fail(std::move(signature.error()));
  if (!signature->starts_with(kScheme)) {
    return Fail(Errc::kAuth, fmt::format("{} does not begin with \"{}\"", kSignature, kScheme));
  }
  return CheckHex(signature->substr(kScheme.size()), kSignature, request.body, secrets);
}

EventKind Github::KindOf(const net::HttpRequest& request, std::string& event) const {
  event = request.headers.Get("X-GitHub-Event");
  if (event == "push") return EventKind::kPush;
  return event == "ping" ? EventKind::kPing : EventKind::kOther;
}

Result<Push> Github::ReadPush(const net::HttpRequest& request, PayloadReader& payload) const {
  Push push;
  SetRef(push, payload.NeededText("ref"));
  push.info.repo = payload.NeededText("repository.full_name");
  push.repo_address = payload.Text("repository.clone_url");
  push.delivery_id = request.headers.Get("X-GitHub-Delivery");
  push.before = payload.Text("before");
  push.created = payload.Truth("created");
  push.deleted = payload.Truth("deleted");
  push.forced = payload.Truth("forced");
  push.info.compare = payload.Text("compare");
  push.info.pusher = payload.Text("pusher.name");
  push.info.commit_id = payload.Text("head_commit.id");
  push.info.commit_msg = payload.Text("head_commit.message");
  push.info.commit_url = payload.Text("head_commit.url");
  push.info.author = payload.Text("head_commit.author.name");
  push.info.timestamp = payload.Text("head_commit.timestamp");
  const std::size_t commits = payload.Count("commits");
  push.files = payload.TextsOfEach("commits", kTouched);
  // A new branch comes with few or no commits though it may hold anything.
  push.files_known = commits > 0 && commits < kMostCommits && !push.created;
  return push;
}

}  // namespace shipmate::webhook
