// Service: the changing operations.

#include <fmt/format.h>

#include <utility>

#include "async/deadline.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time_text.h"
#include "os/files.h"
#include "os/run_command.h"
#include "service/environment.h"
#include "service/request.h"

namespace shipmate::service {

namespace {

constexpr std::chrono::minutes kPullLimit{2};
constexpr std::chrono::seconds kWatchEndLimit{5};

// Where a person finds the settings of `name`.
std::string ServiceFile(const std::string& services_dir, const std::string& name) {
  const std::string stem = services_dir + "/" + name;
  return os::ReadFile(stem + ".yml", std::size_t{1} << 20U) ? stem + ".yml" : stem + ".yaml";
}

}  // namespace

OpResult Service::EndedEarly(std::string_view op, EarlyEnd end) {
  if (!end.failure) return Done(fmt::format("{}ed, and finished: {}", op, end.text));
  OpResult result = Failed(fmt::format("{} failed: {}{}", op, end.text, WhatFollows()));
  result.reply.log_tail = std::move(end.log_tail);
  return result;
}

Task<OpResult> Service::Start(Saving saving, By by) {
  renew_due_ = false;
  const Desired before = std::exchange(state_.desired, Desired::kUp);
  const bool wanted = before == Desired::kUp;
  if (before == Desired::kDown && config_->schedule) {
    PlanRuns(Plan::kAnew);
    if (context_.on_plan) context_.on_plan();
  }
  // A person's word wipes the slate; at start-up an incident goes on.
  if (by == By::kPerson) {
    Follow(policy_.PersonStarts());
    cause_.clear();
    state_.restarts = 0;
    scheduled_run_ = false;
  }
  const Told told = by == By::kPerson ? Told::kInAnswer : Told::kNobody;
  const auto started = co_await backend_->Start();
  state_.starting = false;
  NoteAttempt(started ? "" : started.error().what, told);
  if (started && *started == Change::kAlready) {
    const int pid = backend_->Pid();
    std::string text = "already running";
    if (pid > 0) text += fmt::format(" (pid {}, up {})", pid, base::FormatDuration(backend_->Uptime()));
    if (!wanted) co_await SaveOrSay(saving, text);
    co_return Already(std::move(text));
  }
  if (started) WatchHealth();
  std::string text = started ? "started" : "start failed: " + started.error().what + WhatFollows();
  co_await SaveOrSay(saving, text);
  if (!started) {
    co_await ReportExits();
    co_return Failed(std::move(text));
  }
  last_exit_.clear();
  if (const auto ended = co_await WaitForEarlyEnd(told)) co_return EndedEarly("start", *ended);
  EventDetail detail = CurrentDetail();
  detail.automatic = by == By::kItself;
  detail.scheduled = scheduled_run_;
  Emit("started", detail);
  co_return Done(std::move(text));
}

bool Service::ShouldStart() const {
  const bool wanted = IsProcess() && config_->autostart && state_.desired != Desired::kDown;
  const bool left = finished_ || renew_due_ || policy_.GetPhase() == RestartPolicy::Phase::kFailed;
  return wanted && !left && backend_->Pid() == 0;
}

Task<OpResult> Service::StartUp(Saving saving) {
  if (!ShouldStart()) co_return Already("");
  co_return co_await Start(saving, By::kItself);
}

Task<OpResult> Service::Stop(Saving saving) {
  if (backend_->IsOurselves()) {
    const auto refused = co_await backend_->Stop();
    co_return Failed(refused ? "already stopped" : refused.error().what);
  }
  renew_due_ = false;
  const bool wanted = std::exchange(state_.desired, Desired::kDown) == Desired::kDown;
  const bool waited = policy_.GetPhase() == RestartPolicy::Phase::kBackoff;
  Follow(policy_.PersonStops());
  finished_ = false;
  cause_.clear();
  state_.restarts = 0;
  // On disk before anything is signalled: if we die in the middle, the next run finishes it.
  // A failure is met again by the save at the end.
  if (!wanted && backend_->Pid() != 0) (void)co_await Save(Saving::kBatched);
  EndHealth(HealthWatch::End::kStopped, "it was stopped");
  const auto stopped = co_await backend_->Stop();
  if (!stopped) WatchFoundHealth();
  if (stopped && *stopped == Change::kAlready && !waited) {
    std::string text = "already stopped";
    if (!wanted) co_await SaveOrSay(saving, text);
    co_return Already(std::move(text));
  }
  if (stopped) last_exit_.clear();
  std::string text = stopped ? "stopped" : "stop failed: " + stopped.error().what;
  co_await SaveOrSay(saving, text);
  // Who could not be looked for may live on under a service that is to be down, and nobody would hear of him again.
  const bool unseen = !stopped && stopped.error().code == Errc::kIo && IsProcess() && !closing_;
  if (unseen && !std::exchange(stopping_again_, true)) side_.Spawn(Name() + ": stopping again", StopAgain());
  if (!stopped) co_return Failed(std::move(text));
  Emit("stopped");
  co_return Done(std::move(text));
}

Task<void> Service::StopAgain() {
  constexpr std::chrono::seconds kPause{5};
  co_await async::Sleep(kPause);
  stopping_again_ = false;
  if (state_.desired != Desired::kDown || closing_ || retired_) co_return;
  LogInfo(Name() + ": stopping what could not be looked for before");
  Queue(std::make_shared<Request>(context_.executor, Op::kFinishStop));
}

Task<OpResult> Service::Restart(Saving saving, By by) {
  if (backend_->IsOurselves()) {
    const auto begun = co_await backend_->Restart();
    if (!begun) co_return Failed("restart failed: " + begun.error().what);
    co_return Done("this is Shipmate itself: restarting; services go on running");
  }
  renew_due_ = false;
  state_.desired = Desired::kUp;
  Follow(policy_.PersonStarts());
  if (by == By::kPerson) {
    cause_.clear();
    state_.restarts = 0;
  }
  EndHealth(HealthWatch::End::kOther, "it was restarted");
  const auto restarted = co_await backend_->Restart();
  state_.starting = false;
  const Told told = by == By::kPerson ? Told::kInAnswer : Told::kNobody;
  NoteAttempt(restarted ? "" : restarted.error().what, told);
  if (restarted) {
    state_.last_restart = context_.clock->WallNow();
    last_exit_.clear();
    WatchHealth();
  }
  std::string text = restarted ? "restarted" : "restart failed: " + restarted.error().what + WhatFollows();
  co_await SaveOrSay(saving, text);
  if (!restarted) {
    co_await ReportExits();
    co_return Failed(std::move(text));
  }
  if (const auto ended = co_await WaitForEarlyEnd(told)) co_return EndedEarly("restart", *ended);
  Emit("restarted");
  co_return Done(std::move(text));
}

Task<OpResult> Service::Pull() {
  if (config_->dir.empty()) {
    co_return Failed(fmt::format("pull refused: {} has no directory; set `dir:` in {}", Name(),
                                 ServiceFile(context_.config.services_dir, Name())));
  }
  os::CommandOptions options;
  options.argv = {"git", "pull"};
  options.dir = config_->dir;
  options.env = WithVariables(*context_.environment, {{"GIT_TERMINAL_PROMPT", "0"}});
  options.limit = kPullLimit;
  const auto pulled = co_await os::RunCommand(std::move(options));
  if (!pulled) co_return Failed("git pull failed: " + pulled.error().what);
  std::string text(base::Trim(pulled->output));
  if (pulled->status.Success() && !pulled->timed_out) {
    co_return Done(text.empty() ? "git pull: no output" : std::move(text));
  }
  if (!text.empty()) text += "\n";
  text += pulled->timed_out ? "git pull failed: no answer within " + base::FormatDuration(kPullLimit)
                            : "git pull failed: " + pulled->status.ErrorText();
  co_return Failed(std::move(text));
}

Task<OpResult> Service::Renew() {
  // A person's word since then goes first.
  if (!std::exchange(renew_due_, false)) co_return Already("");
  if (!IsProcess()) co_return co_await Restart(Saving::kSynced, By::kItself);
  EndHealth(HealthWatch::End::kOther, "it was replaced");
  const auto stopped = co_await backend_->Stop();
  if (!stopped) {
    LogError(fmt::format("{}: stopping the process of the last run: {}", Name(), stopped.error().what));
    co_return Failed("stop failed: " + stopped.error().what);
  }
  if (state_.desired != Desired::kDown) co_return co_await Restart(Saving::kSynced, By::kItself);
  co_await SaveQuietly();
  Emit("stopped");
  co_return Done("stopped");
}

bool Service::WouldRestart(const config::ServiceConfig& config) const {
  const bool ran = backend_->Pid() != 0 || policy_.GetPhase() == RestartPolicy::Phase::kBackoff;
  const bool alike = config.kind == config_->kind && config_->RunsAlike(config);
  return IsProcess() && ran && !alike && config.kind != config::ServiceKind::kNone;
}

Task<OpResult> Service::Reconfigure(config::ServiceConfig config) {
  const bool was_process = IsProcess();
  const bool ran = backend_->Pid() != 0 || policy_.GetPhase() == RestartPolicy::Phase::kBackoff;
  const bool same_schedule = config.schedule == config_->schedule;
  health_.Ended(HealthWatch::End::kOther, "it was reconfigured");
  cause_.clear();
  if (was_process) {
    if (const auto stopped = co_await backend_->Stop(); !stopped) {
      WatchFoundHealth();
      co_return Failed("keeps its old settings: stop failed: " + stopped.error().what);
    }
  }
  watch_.Cancel();
  co_await watch_.Join(kWatchEndLimit);
  co_await backend_->Close();
  const State last = Snapshot();
  config_ = std::make_shared<const config::ServiceConfig>(std::move(config));
  policy_.Configure(*config_);
  MakeBackend();
  PlanRuns(same_schedule ? Plan::kGoOn : Plan::kAnew);
  state_.starting = false;
  State carried = last;
  carried.backend.reset();
  carried.status = "stopped";
  backend_->TryAdopt(carried);
  backend_->WatchExits([this](const Exit& exit) { SawExit(exit); });
  // A unit that goes on running would be a second instance beside a process of ours; and what a unit should be is not
  // known here.
  if (was_process && ran && config_->kind != config::ServiceKind::kNone) {
    const auto started = co_await Restart(Saving::kSynced, By::kItself);
    if (started.reply.ok) co_return Done("restarted");
    // Where it is tried again, its crash has been told.
    if (policy_.GetPhase() != RestartPolicy::Phase::kBackoff) Emit("stopped");
    co_return Failed(started.reply.text);
  }
  WatchFoundHealth();
  co_await SaveQuietly();
  co_return Already("");
}

Task<OpResult> Service::RetireProcess() {
  health_.Ended(HealthWatch::End::kStopped, "it is no longer configured");
  if (!IsProcess()) co_return Already("");
  const auto stopped = co_await backend_->Stop();
  if (!stopped) {
    LogError(fmt::format("{}: is no longer configured: stop failed: {}", Name(), stopped.error().what));
    co_await SaveQuietly();
    co_return Failed("stop failed: " + stopped.error().what);
  }
  if (*stopped == Change::kAlready) co_return Already("already stopped");
  Emit("stopped");
  co_return Done("stopped");
}

// What a person wants stays as it is, so that the next start brings it up again.
Task<OpResult> Service::HaltProcess() {
  if (!IsProcess()) co_return Already("");
  policy_.Hold();
  Follow({});
  EndHealth(HealthWatch::End::kStopped, "it was stopped");
  const auto stopped = co_await backend_->Stop();
  if (!stopped) {
    LogError(fmt::format("{}: stopping it before shipmate ends: {}", Name(), stopped.error().what));
    co_return Failed("stop failed: " + stopped.error().what);
  }
  if (*stopped == Change::kAlready) co_return Already("already stopped");
  std::string text = "stopped";
  co_await SaveOrSay(Saving::kBatched, text);
  Emit("stopped");
  co_return Done(std::move(text));
}

}  // namespace shipmate::service
