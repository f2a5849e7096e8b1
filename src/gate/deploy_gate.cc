#include "gate/deploy_gate.h"

#include <chrono>
#include <optional>
#include <utility>

#include "base/text.h"

namespace shipmate::gate {

namespace {

// The name comes from outside, and stands in one line of a message.
constexpr std::size_t kActorRunes = 80;

std::string PushActor(const service::WebhookInfo& info) {
  const std::string& who = info.pusher.empty() ? info.author : info.pusher;
  if (base::Trim(who).empty()) return "push";
  return "push by " + base::EscapeControls(base::FirstRunes(base::Trim(who), kActorRunes));
}

}  // namespace

std::string_view ToString(PushDecision::Kind kind) {
  switch (kind) {
    case PushDecision::Kind::kQueued:
      return "queued";
    case PushDecision::Kind::kSuperseded:
      return "superseded";
    case PushDecision::Kind::kAwaitsConfirmation:
      return "awaits confirmation";
    case PushDecision::Kind::kHeld:
      return "held";
    case PushDecision::Kind::kIgnored:
      return "ignored";
    case PushDecision::Kind::kRefused:
      return "refused";
    case PushDecision::Kind::kReplay:
      return "replay";
  }
  return "refused";
}

Result<std::vector<PushDecision>> DeployGate::HandlePush(const PushRequest& push) {
  std::vector<PushDecision> decisions;
  for (const PushTarget& target : push.targets) decisions.push_back(DecidePush(target, push));
  return decisions;
}

PushDecision DeployGate::DecidePush(const PushTarget& target, const PushRequest& push) {
  using Kind = PushDecision::Kind;
  const std::string& name = target.service;
  const service::WebhookInfo& info = push.info;
  PushDecision decision{.service = name};
  if (push.deleted || !target.ignored.empty()) {
    decision.kind = Kind::kIgnored;
    decision.why = push.deleted ? push.ref + " was deleted" : target.ignored;
    return decision;
  }
  // Without its settings nobody can say whether it must be asked for: then it is not deployed.
  const auto config = manager_.GetServiceConfig(name);
  if (!config) {
    decision.why = "service " + base::Quote(name) + " is not configured any more";
    return decision;
  }
  manager_.NotifyWebhook(name, info);
  if (config->require_confirmation) {
    confirmations_.AddPending(name, info);
    notifier_.ConfirmationRequested(name, info, std::chrono::ceil<std::chrono::seconds>(confirmations_.Ttl()));
    decision.kind = Kind::kAwaitsConfirmation;
    decision.why = "a person must confirm it";
    return decision;
  }
  const auto ticket = manager_.RequestDeploy(name, {.actor = PushActor(info), .push = info});
  if (!ticket) {
    decision.why = ticket.error().what;
    return decision;
  }
  decision.kind = Kind::kQueued;
  decision.why = ticket->merged ? "joined the deploy that waits already" : "queued";
  decision.deploy_id = ticket->id;
  return decision;
}

Result<service::DeployTicket> DeployGate::RequestDeploy(const std::string& service, const std::string& actor) {
  return manager_.RequestDeploy(service, {.actor = actor, .push = std::nullopt});
}

Result<service::DeployTicket> DeployGate::Confirm(const std::string& service, const std::string& actor) {
  auto info = confirmations_.Confirm(service);
  if (!info) return Fail(Errc::kNotFound, "no deploy of " + base::Quote(service) + " waits for confirmation");
  return manager_.RequestDeploy(service, {.actor = actor, .push = std::move(info)});
}

}  // namespace shipmate::gate
