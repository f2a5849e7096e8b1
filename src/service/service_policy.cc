// Service: the restart policy at work. Between the end of a process and the start of the next stands neither the disk
// nor a look at other processes: saving and reporting come after.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/time_text.h"
#include "os/proc_info.h"
#include "service/service.h"

namespace shipmate::service {

namespace {

using Kind = RestartAction::Kind;
using Phase = RestartPolicy::Phase;

std::string Short(std::chrono::milliseconds duration) {
  return duration < std::chrono::seconds(1) ? fmt::format("{}ms", duration.count()) : base::FormatDuration(duration);
}

std::string BootId() {
  const auto own = os::Identify(os::OwnPid());
  return own ? own->boot_id : "";
}

}  // namespace

Task<void> Service::BeginChange() {
  while (starting_again_) {
    const auto other = starting_again_;
    co_await other->Wait();
  }
  changing_ = true;
}

void Service::EndChange() {
  changing_ = false;
  // A start that came due meanwhile, and that the change did not make needless.
  if (policy_.GetPhase() != Phase::kBackoff || follow_up_) return;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(policy_.NextStart() - context_.clock->Now());
  Follow({.kind = Kind::kStart, .delay = std::max(std::chrono::milliseconds(0), left)});
}

void Service::JudgeExits() {
  std::optional<RestartAction> last;
  for (Ending& ending : exits_) {
    if (std::exchange(ending.judged, true)) continue;
    const EventDetail& exit = ending.detail;
    const bool current = exit.generation == state_.generation && backend_->Pid() == 0;
    if (!IsProcess() || !exit.exit || !current || closing_ || retired_ || state_.desired == Desired::kDown) continue;
    const RestartAction next = policy_.Ended(*exit.exit, exit.uptime, context_.clock->Now(), context_.random());
    finished_ = next.kind == Kind::kLeave && policy_.GetPhase() == Phase::kDown;
    ending.detail.scheduled = finished_ && scheduled_run_;
    FillFromPolicy(ending.detail);
    if (next.kind == Kind::kStart) ending.detail.next_start = next.delay;
    ending.gave_up = next.kind == Kind::kGiveUp;
    last = next;
  }
  // It may start the service at once, and so take from the list.
  if (last) Follow(*last);
}

Task<void> Service::SettleExits() {
  JudgeExits();
  co_await ReportExits();
}

void Service::NoteEnd(std::string how) {
  state_.last_exit = std::move(how);
  state_.last_exit_time = context_.clock->WallNow();
}

void Service::FillFromPolicy(EventDetail& detail) const {
  detail.incident = policy_.Incident();
  detail.crashes = policy_.Crashes();
  if (detail.incident != 0 && policy_.GetPhase() == Phase::kFailed) detail.reason = policy_.Reason();
}

void Service::Follow(const RestartAction& action) {
  follow_up_.reset();
  if (closing_ || (action.kind != Kind::kStart && action.kind != Kind::kWatch)) return;
  const auto timer = std::make_shared<boost::asio::steady_timer>(context_.executor, action.delay);
  follow_up_ = timer;
  const auto go_on = [this](std::shared_ptr<boost::asio::steady_timer> due) {
    side_.Spawn(Name() + ": restart policy", FollowUp(std::move(due)));
  };
  if (action.delay.count() == 0) return go_on(timer);
  timer->async_wait([this, go_on, weak = std::weak_ptr(timer)](const boost::system::error_code& error) {
    auto due = weak.lock();
    if (!error && due && due == follow_up_) go_on(std::move(due));
  });
}

Task<void> Service::FollowUp(std::shared_ptr<boost::asio::steady_timer> due) {
  if (due != follow_up_ || closing_) co_return;
  follow_up_.reset();
  // EndChange takes it up.
  if (changing_) co_return;
  const RestartAction next = policy_.Due(context_.clock->Now());
  if (next.kind == Kind::kWatch) Follow(next);
  if (next.kind == Kind::kStart) co_await StartAgain();
  if (next.kind != Kind::kRecovered) co_return;
  EventDetail detail = CurrentDetail();
  detail.crashes = policy_.RecoveredCrashes();
  detail.down = policy_.DownFor();
  LogInfo(fmt::format("{}: running again", Name()));
  Emit("recovered", detail);
}

Task<void> Service::StartAgain() {
  const auto done = [this](async::Event* event) {
    starting_again_.reset();
    EndChange();
    event->Set();
  };
  changing_ = true;
  starting_again_ = std::make_shared<async::Event>(context_.executor);
  const std::shared_ptr<async::Event> mine = starting_again_;
  Result<Change> started = Fail(Errc::kClosed, "was not started");
  {
    const std::unique_ptr<async::Event, decltype(done)> scope(mine.get(), done);
    started = co_await backend_->Start();
    state_.starting = false;
    NoteAttempt(started ? "" : started.error().what, Told::kNobody);
  }
  if (started) {
    WatchHealth();
    state_.last_restart = context_.clock->WallNow();
    ++state_.restarts;
    EventDetail detail = CurrentDetail();
    detail.automatic = true;
    FillFromPolicy(detail);
    cause_.clear();
    co_await ReportExits();
    co_await SaveQuietly();
    Emit("restarted", detail);
  }
  co_await SettleExits();
}

void Service::NoteAttempt(const std::string& error, Told told) {
  if (!IsProcess()) return;
  finished_ = false;
  // A failed restart may have left the old process running.
  if (error.empty() || backend_->Pid() != 0) return Follow(policy_.Spawned(context_.clock->Now()));
  const RestartAction next = policy_.StartFailed(context_.clock->Now(), context_.random());
  last_exit_ = "could not be started";
  NoteEnd(last_exit_);
  Ending ending{.event = "start-failed", .judged = true, .gave_up = next.kind == Kind::kGiveUp};
  ending.detail.generation = state_.generation;
  ending.detail.error = "start failed: " + error;
  ending.detail.told = told;
  FillFromPolicy(ending.detail);
  if (next.kind == Kind::kStart) ending.detail.next_start = next.delay;
  exits_.push_back(std::move(ending));
  Follow(next);
}

Task<std::optional<Service::EarlyEnd>> Service::WaitForEarlyEnd(Told told) {
  const auto find = [this] {
    return std::ranges::find_if(exits_, [this](const Ending& ending) {
      return !ending.judged && ending.detail.generation == state_.generation;
    });
  };
  if (!IsProcess()) co_return std::nullopt;
  // A person's next wish does not wait; a deploy is not called good before its time.
  const bool waits = config_->min_uptime.count() > 0 && (told == Told::kInDeploy || ops_.empty()) && !closing_;
  if (find() == exits_.end() && waits) {
    staying_up_ = std::make_shared<async::Event>(context_.executor);
    const auto done = [this](async::Event*) { staying_up_.reset(); };
    const std::shared_ptr<async::Event> mine = staying_up_;
    const std::unique_ptr<async::Event, decltype(done)> scope(mine.get(), done);
    co_await mine->WaitFor(config_->min_uptime);
  }
  const auto found = find();
  if (found == exits_.end()) co_return std::nullopt;
  found->detail.told = told;
  EarlyEnd end{.text = found->detail.exit->Describe() + " after " + Short(found->detail.uptime)};
  JudgeExits();
  end.failure = !finished_;
  end.log_tail = co_await TailOf("");
  co_await ReportExits();
  co_return end;
}

std::string Service::WhatFollows() const {
  if (policy_.GetPhase() != Phase::kBackoff) return "";
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(policy_.NextStart() - context_.clock->Now());
  return "; next try in " + Short(std::max(std::chrono::milliseconds(0), left));
}

// A service that was given up stays so through a restart of ours; a new boot is a new chance.
void Service::RestoreHalt() {
  if (!state_.halt.empty() && state_.halt_boot == BootId()) {
    if (state_.halt == "failed") policy_.RestoreFailed(state_.halt_reason);
    finished_ = state_.halt == "finished";
  }
  state_.halt.clear();
  state_.halt_reason.clear();
  state_.halt_boot.clear();
}

void Service::RecordHalt(State& state) const {
  const bool failed = policy_.GetPhase() == Phase::kFailed;
  if (!failed && !finished_) return;
  state.halt = failed ? "failed" : "finished";
  state.halt_reason = failed ? policy_.Reason() : "";
  state.halt_boot = BootId();
}

}  // namespace shipmate::service
