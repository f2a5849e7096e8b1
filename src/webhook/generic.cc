#include "webhook/generic.h"

#include <fmt/format.h>

#include "webhook/common.h"

namespace shipmate::webhook {

namespace {

constexpr std::string_view kSignature = "X-Shipmate-Signature";
constexpr std::string_view kScheme = "sha256=";

}  // namespace

Result<void> Generic::Verify(const net::HttpRequest& request, Secrets& secrets, base::WallTime) const {
  const auto signature = OnlyHeader(request, kSignature);
  if (!signature) return Fail(signature.error());
  if (!signature->starts_with(kScheme)) {
    return Fail(Errc::kAuth, fmt::format("{} does not begin with \"{}\"", kSignature, kScheme));
  }
  return CheckHex(signature->substr(kScheme.size()), kSignature, request.body, secrets);
}

EventKind Generic::KindOf(const net::HttpRequest& request, std::string& event) const {
  event = request.headers.Get("X-Shipmate-Event");
  if (event.empty()) event = "push";
  if (event == "push") return EventKind::kPush;
  return event == "ping" ? EventKind::kPing : EventKind::kOther;
}

Result<Push> Generic::ReadPush(const net::HttpRequest&, PayloadReader& payload) const {
  Push push;
  push.info.repo = payload.NeededText("repo");
  push.repo_address = push.info.repo;
  if (const std::string branch = payload.Text("branch"); !branch.empty()) {
    if (payload.Has("ref")) return Fail(Errc::kInvalid, "branch: cannot stand beside ref");
    SetRef(push, "refs/heads/" + branch);
  } else {
    SetRef(push, payload.NeededText("ref"));
  }
  push.delivery_id = payload.Text("delivery");
  push.before = payload.Text("before");
  push.created = IsZeros(push.before);
  push.deleted = payload.Truth("deleted");
  push.forced = payload.Truth("forced");
  push.info.commit_id = payload.Text("commit");
  push.info.commit_msg = payload.Text("message");
  push.info.commit_url = payload.Text("url");
  push.info.compare = payload.Text("compare");
  push.info.author = payload.Text("author");
  push.info.pusher = payload.Text("pusher");
  push.info.timestamp = payload.Text("timestamp");
  push.files_known = payload.Has("files");
  push.files = payload.Texts("files");
  return push;
}

}  // namespace shipmate::webhook
