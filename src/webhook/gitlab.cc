#include "webhook/gitlab.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdint>

#include "base/text.h"
#include "webhook/common.h"

namespace shipmate::webhook {

namespace {

constexpr std::string_view kSignature = "webhook-signature";
constexpr std::string_view kToken = "X-Gitlab-Token";
constexpr std::string_view kVersion = "v1,";
// Older, or from further ahead, is a replay or a clock that cannot be trusted.
constexpr std::chrono::seconds kTolerance{std::chrono::minutes(5)};
// More than any rotation of keys has; each costs a signature.
constexpr std::size_t kMostSignatures = 8;

Result<void> CheckTime(std::string_view text, base::WallTime now) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  // Ten digits last until the year 2286, and cannot overflow the clock.
  if (error != std::errc() || end != text.data() + text.size() || text.size() > 10) {
    return Fail(Errc::kAuth, "webhook-timestamp is no number of seconds");
  }
  const auto age = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch() - std::chrono::seconds(seconds);
  if (age > kTolerance || age < -kTolerance) {
    return Fail(Errc::kAuth, fmt::format("webhook-timestamp is {} seconds from our clock, more than {}", age.count(),
                                         kTolerance.count()));
  }
  return {};
}

Result<void> CheckSignature(const net::HttpRequest& request, Secrets& secrets, base::WallTime now) {
  const auto signatures = OnlyHeader(request, kSignature);
  if (!signatures) return Fail(signatures.error());
  const auto id = OnlyHeader(request, "webhook-id");
  if (!id) return Fail(id.error());
  const auto time = OnlyHeader(request, "webhook-timestamp");
  if (!time) return Fail(time.error());
  if (auto fresh = CheckTime(*time, now); !fresh) return fresh;
  const std::string content = fmt::format("{}.{}.{}", *id, *time, request.body);
  std::size_t tried = 0;
  for (const std::string_view signature : base::Split(*signatures, ' ')) {
    if (!signature.starts_with(kVersion) || ++tried > kMostSignatures) continue;
    if (secrets.SignedBase64(signature.substr(kVersion.size()), content)) return {};
  }
  return Fail(Errc::kAuth, fmt::format("{} does not fit the body of {} bytes under any of the whsec_ secrets",
                                       kSignature, request.body.size()));
}

}  // namespace

Result<void> Gitlab::Verify(const net::HttpRequest& request, Secrets& secrets, base::WallTime now) const {
  if (request.headers.Has(kSignature)) return CheckSignature(request, secrets, now);
  const auto token = OnlyHeader(request, kToken);
  if (!token) return Fail(token.error());
  if (!secrets.Contain(*token)) return Fail(Errc::kAuth, fmt::format("{} is none of the secrets", kToken));
  return {};
}

EventKind Gitlab::KindOf(const net::HttpRequest& request, std::string& event) const {
  event = request.headers.Get("X-Gitlab-Event");
  return event == "Push Hook" || event == "Tag Push Hook" ? EventKind::kPush : EventKind::kOther;
}

Result<Push> Gitlab::ReadPush(const net::HttpRequest& request, PayloadReader& payload) const {
  Push push;
  SetRef(push, payload.NeededText("ref"));
  push.info.repo = payload.NeededText("project.path_with_namespace");
  push.repo_address = payload.Text("project.git_http_url");
  // The same for each attempt to deliver one event. Where there is a signature, it covers this one; a token in clear
  // covers nothing, and whoever has it needs no replay.
  push.delivery_id = request.headers.Has(kSignature) ? FirstHeader(request, {"webhook-id"})
                                                     : FirstHeader(request, {"Idempotency-Key", "X-Gitlab-Event-UUID"});
  push.bodies_repeat = true;
  push.before = payload.Text("before");
  push.created = IsZeros(push.before);
  const std::string after = payload.NeededText("after");
  push.deleted = IsZeros(after);
  push.info.pusher = payload.Text("user_username");
  if (push.info.pusher.empty()) push.info.pusher = payload.Text("user_name");
  if (!push.deleted) {
    // Of an annotated tag `after` is the tag itself.
    push.info.commit_id = payload.Text("checkout_sha");
    if (push.info.commit_id.empty()) push.info.commit_id = after;
    ReadCommit(payload, push);
    if (const std::string web = payload.Text("project.web_url");
        !web.empty() && !push.created && !push.before.empty()) {
      push.info.compare = fmt::format("{}/-/compare/{}...{}", web, push.before, push.info.commit_id);
    }
  }
  ReadFiles(payload, push, "total_commits_count");
  return push;
}

}  // namespace shipmate::webhook
