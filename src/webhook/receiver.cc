#include "webhook/receiver.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "webhook/answer.h"
#include "webhook/body.h"
#include "webhook/generic.h"
#include "webhook/gitea.h"
#include "webhook/github.h"
#include "webhook/gitlab.h"

namespace shipmate::webhook {

namespace {

using net::HttpRequest;
using net::HttpResponse;

constexpr std::string_view kPrefix = "/webhook/";
constexpr std::chrono::seconds kLogPause{1};
constexpr std::size_t kEventRunes = 60;
// What `openssl rand -hex 16` makes, halved: less can be guessed.
constexpr std::size_t kShortSecret = 16;

std::string_view PathOf(const HttpRequest& request) {
  return std::string_view(request.target).substr(0, request.target.find('?'));
}

std::string Shown(std::string_view text) {
  return base::EscapeControls(base::FirstRunes(text, kEventRunes));
}

}  // namespace

Receiver::Receiver(const config::Env& env, Decide decide, const base::Clock& clock, std::vector<std::string>& notes)
    : decide_(std::move(decide)), clock_(clock) {
  AddEndpoint(std::make_unique<Github>(), env.github_webhook_secret, "GITHUB_WEBHOOK_SECRET", notes);
  AddEndpoint(std::make_unique<Gitlab>(), env.gitlab_webhook_secret, "GITLAB_WEBHOOK_SECRET", notes);
  AddEndpoint(std::make_unique<Gitea>(), env.gitea_webhook_secret, "GITEA_WEBHOOK_SECRET", notes);
  AddEndpoint(std::make_unique<Generic>(), env.generic_webhook_secret, "GENERIC_WEBHOOK_SECRET", notes);
}

void Receiver::AddEndpoint(std::unique_ptr<Forge> forge, const base::Secret& secret, std::string_view variable,
                           std::vector<std::string>& notes) {
  const std::string path = fmt::format("{}{}", kPrefix, forge->Name());
  Secrets secrets(secret);
  if (secrets.Broken() > 0) {
    notes.push_back(
        fmt::format("{} has a secret that begins with whsec_ and goes on with what is no base64: it is not "
                    "used; copy it again",
                    variable));
  }
  if (secrets.Empty()) {
    notes.push_back(fmt::format("{} is closed: {} holds no secret", path, variable));
    return;
  }
  notes.push_back(fmt::format("{} is open", path));
  if (secrets.Shortest() > 0 && secrets.Shortest() < kShortSecret) {
    notes.push_back(
        fmt::format("{} has a secret of under {} characters, which can be guessed; make a new one: openssl "
                    "rand -hex 32",
                    variable, kShortSecret));
  }
  endpoints_.emplace(path, Endpoint{.forge = std::move(forge), .secrets = std::move(secrets)});
}

std::optional<HttpResponse> Receiver::Refuse(const HttpRequest& head) const {
  if (!endpoints_.contains(PathOf(head))) return Line(404, "not found");
  if (head.method == "POST") return std::nullopt;
  HttpResponse response = Line(405, "method not allowed");
  response.headers.Add("Allow", "POST");
  return response;
}

HttpResponse Receiver::Answer(HttpRequest request) {
  if (auto refusal = Refuse(request)) return *std::move(refusal);
  const auto found = endpoints_.find(PathOf(request));
  const Forge& forge = *found->second.forge;
  if (const auto verified = forge.Verify(request, found->second.secrets, clock_.WallNow()); !verified) {
    Refused(forge.Name(), verified.error().what);
    return Line(403, "invalid signature");
  }
  std::string event;
  switch (forge.KindOf(request, event)) {
    case EventKind::kPing:
      LogInfo(fmt::format("webhook: {}: ping", forge.Name()));
      return Short(event, "pong");
    case EventKind::kOther:
      return Short(Shown(event), "ignored: only pushes deploy");
    case EventKind::kPush:
      break;
  }
  return AnswerPush(forge, std::move(request));
}

Task<HttpResponse> Receiver::Handle(HttpRequest request) {
  co_return Answer(std::move(request));
}

HttpResponse Receiver::AnswerPush(const Forge& forge, HttpRequest request) {
  auto text = TakeJson(request);
  if (!text) {
    Refused(forge.Name(), text.error().what);
    return Line(text.error().code == Errc::kRefused ? 415 : 400, text.error().what);
  }
  if (const auto parsed = payload_.Parse(*std::move(text)); !parsed) {
    Refused(forge.Name(), parsed.error().what);
    return Line(400, parsed.error().what);
  }
  auto push = forge.ReadPush(request, payload_);
  if (push && !payload_.Fault().empty()) push = Fail(Errc::kInvalid, payload_.Fault());
  if (!push) {
    Refused(forge.Name(), push.error().what);
    return Line(400, push.error().what);
  }
  push->forge = forge.Name();
  // A form is still in the request; JSON has become the document.
  push->signed_body = request.body.empty() ? payload_.Source() : request.body;
  const auto decided = decide_(*push);
  if (!decided) {
    LogError(fmt::format("webhook: {}: a push to {} was not taken: {}", forge.Name(), Shown(push->info.repo),
                         decided.error().what));
    return Line(503, "not taken; send it again");
  }
  const std::vector<Decision>& decisions = *decided;
  bool acted = false;
  for (const Decision& decision : decisions) acted = acted || decision.acted;
  const auto level = acted ? base::LogLevel::kInfo : base::LogLevel::kDebug;
  base::Log(level, fmt::format("webhook: {}: push to {} of {}: {}", forge.Name(), Shown(push->info.branch),
                               Shown(push->info.repo), Summary(*push, decisions)));
  return Decided(*push, decisions);
}

void Receiver::Refused(std::string_view forge, std::string_view why) {
  const auto now = clock_.Now();
  if (now < next_log_) {
    ++unlogged_;
    return;
  }
  next_log_ = now + kLogPause;
  const std::string more = unlogged_ == 0 ? "" : fmt::format("; and {} more refused before it", unlogged_);
  unlogged_ = 0;
  LogWarn(fmt::format("webhook: {}: a request was refused: {}{}", forge, why, more));
}

}  // namespace shipmate::webhook
