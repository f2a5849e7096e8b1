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
  ProberOptions options{.health = *config_->health,
                        .dir = config_->dir.empty() ? context_.config.base_dir : config_->dir};
  if (config_->health->kind == config::HealthConfig::Kind::kExec) {
    options.environment = WithVariables(*context_.environment, config_->env);
  }
  return options;
}

void Service::WatchHealth() {
  if (!config_->health || closing_) return;
  health_.Started(HealthSettings());
}

void Service::WatchFoundHealth() {
  if (!config_->health || closing_) {
    health_.Forget();
  } else if (!IsProcess() || backend_->Pid() != 0) {
    health_.Found(HealthSettings(), backend_->Uptime());
  }
}

void Service::EndHealth(HealthWatch::End end, std::string why) {
  if (!config_->health) return;
  health_.Ended(end, std::move(why));
  // A unit may be started by others.
  if (!IsProcess() && !closing_ && !retired_) health_.Found(HealthSettings(), config_->health->start_period);
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
  if (unhealthy && config_->health->on_unhealthy == config::HealthConfig::OnUnhealthy::kRestart) {
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
  if (IsProcess()) co_return co_await EndUnwell();
  LogInfo(fmt::format("{}: restarting it: {}", Name(), cause_));
  OpResult result = co_await Restart(Saving::kSynced, By::kItself);
  if (!result.reply.ok) LogError(fmt::format("{}: {}", Name(), result.reply.text));
  cause_.clear();
  co_return result;
}

// Its next start is the restart policy's, like that after a crash.
Task<OpResult> Service::EndUnwell() {
  const std::chrono::milliseconds uptime = backend_->Uptime();
  EndHealth(HealthWatch::End::kOther, "it was restarted");
  if (const auto stopped = co_await backend_->Stop(); !stopped) {
    cause_.clear();
    WatchFoundHealth();
    LogError(fmt::format("{}: restarting it: {}", Name(), stopped.error().what));
    co_return Failed("stop failed: " + stopped.error().what);
  }
  last_exit_ = "stopped because " + cause_;
  NoteEnd(last_exit_);
  const RestartAction next = policy_.Unwell(uptime, context_.clock->Now(), context_.random());
  LogInfo(fmt::format("{}: {}{}", Name(), last_exit_, WhatFollows()));
  Follow(next);
  if (next.kind == RestartAction::Kind::kGiveUp) {
    EventDetail detail;
    detail.generation = state_.generation;
    detail.error = std::exchange(cause_, "");
    FillFromPolicy(detail);
    co_await SaveQuietly();
    TellGivenUp(detail);
  }
  co_return Done("stopped");
}

Task<void> Service::ConfirmStart(Op op, OpResult& result) {
  if (!result.reply.ok || (op != Op::kStart && op != Op::kRestart && op != Op::kStartUp)) co_return;
  if (result.already) {
    if (health_.GetWord() == HealthMachine::Word::kUnhealthy) result.reply.text += ", unhealthy: " + health_.Reason();
    co_return;
  }
  const auto healthy = co_await health_.AwaitHealthy();
  if (healthy || closing_) co_return;
  result.reply.ok = false;
  result.reply.text = fmt::format("{} failed: {}", op == Op::kRestart ? "restart" : "start", healthy.error().what);
  result.reply.log_tail = (co_await Logs(kTail)).value_or("");
}

}  // namespace shipmate::service
