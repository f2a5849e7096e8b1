// Service: whether what runs also works.

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "service/environment.h"
#include "service/request.h"

namespace shipmate::service {

namespace {

constexpr std::size_t kTail = 2000;

}  // namespace

ProberOptions Service::HealthSettings() const {
  ProberOptions options{.health = *config_.health, .dir = config_.dir.empty() ? context_.config.base_dir : config_.dir};
  if (config_.health->kind == config::HealthConfig::Kind::kExec) {
    options.environment = WithVariables(*context_.environment, config_.env);
  }
  return options;
}

void Service::WatchHealth() {
  if (!config_.health || closing_) return;
  health_.Started(HealthSettings());
}

void Service::WatchFoundHealth() {
  if (!config_.health || closing_) {
    health_.Forget();
  } else if (!IsProcess() || backend_->Pid() != 0) {
    health_.Found(HealthSettings(), backend_->Uptime());
  }
}

void Service::EndHealth(HealthWatch::End end, std::string why) {
  if (!config_.health) return;
  health_.Ended(end, std::move(why));
  // A unit may be started by others.
  if (!IsProcess() && !closing_ && !retired_) health_.Found(HealthSettings(), config_.health->start_period);
}

Task<bool> Service::UnitRuns() {
  if (IsProcess()) co_return true;
  const auto status = co_await Status();
  co_return status && *status != "stopped" && *status != "failed";
}

void Service::TellHealth(HealthMachine::News news, const std::string& reason) {
  const bool unhealthy = news == HealthMachine::News::kUnhealthy;
  EventDetail detail;
  detail.generation = IsProcess() ? state_.generation : 0;
  detail.pid = backend_->Pid();
  detail.reason = reason;
  if (unhealthy && config_.health->on_unhealthy == config::HealthConfig::OnUnhealthy::kRestart) {
    detail.reason += " (it is restarted)";
  }
  if (unhealthy) {
    LogWarn(fmt::format("{}: unhealthy: {}", Name(), detail.reason));
  } else {
    LogInfo(Name() + ": healthy again");
  }
  Emit(unhealthy ? "unhealthy" : "healthy", detail);
}

Task<OpResult> Service::Cure() {
  // It may have been started anew, or have recovered, since this was asked for.
  if (health_.GetWord() != HealthMachine::Word::kUnhealthy || state_.desired == Desired::kDown) co_return Already("");
  cause_ = "unhealthy: " + health_.Reason();
  LogInfo(fmt::format("{}: restarting it: {}", Name(), cause_));
  OpResult result = co_await Restart(Saving::kSynced);
  if (!result.reply.ok) {
    LogError(fmt::format("{}: {}", Name(), result.reply.text));
    if (backend_->Pid() == 0) {
      cause_ = result.reply.text;
      Emit("stopped");
    }
  }
  cause_.clear();
  co_return result;
}

Task<void> Service::ConfirmStart(Op op, OpResult& result) {
  if (!result.reply.ok || (op != Op::kStart && op != Op::kRestart)) co_return;
  if (result.already) {
    if (health_.GetWord() == HealthMachine::Word::kUnhealthy) result.reply.text += ", unhealthy: " + health_.Reason();
    co_return;
  }
  const auto healthy = co_await health_.AwaitHealthy();
  if (healthy || closing_) co_return;
  result.reply.ok = false;
  result.reply.text = fmt::format("{} failed: {}", op == Op::kStart ? "start" : "restart", healthy.error().what);
  result.reply.log_tail = (co_await Logs(kTail)).value_or("");
}

}  // namespace shipmate::service
