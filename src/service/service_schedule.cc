// Service: runs by a schedule.
//
// A run that was due while nobody looked (Shipmate was off, the machine slept, the clock was set) is made up for once,
// when it is no older than a day; older ones are given up. A run that is due while the one before it has not ended is
// left out. All of this is said. Of a run that was begun and cut off by our own death it is not known whether it did
// its work: it is not begun again.

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "service/request.h"

namespace shipmate::service {

namespace {

constexpr std::chrono::hours kMadeUpFor{24};
// Later than this is not on time.
constexpr std::chrono::minutes kOnTime{1};

}  // namespace

void Service::PlanRuns(Plan plan) {
  next_run_.reset();
  if (!config_->schedule) return;
  if (plan == Plan::kAnew || state_.scheduled == base::WallTime()) {
    state_.scheduled = context_.clock->WallNow();
    save_at_start_ = true;
  }
  const auto next = config_->schedule->when.Next(state_.scheduled, config_->schedule->zone);
  if (next) {
    next_run_ = *next;
  } else {
    LogError(fmt::format("{}: its schedule: {}", Name(), next.error().what));
  }
}

std::optional<base::WallTime> Service::NextRun() const {
  if (closing_ || retired_ || state_.desired == Desired::kDown) return std::nullopt;
  return next_run_;
}

void Service::RunDue(base::WallTime now) {
  const auto planned = NextRun();
  if (!planned || *planned > now) return;
  const config::ScheduleConfig schedule = *config_->schedule;
  const base::WallTime oldest = now - kMadeUpFor;
  const auto due = *planned >= oldest ? *planned : schedule.when.Next(oldest, schedule.zone).value_or(*planned);
  state_.scheduled = now;
  PlanRuns(Plan::kGoOn);
  if (due < oldest || due > now) {
    TellOfRun("run-missed", fmt::format("its run of {} was missed more than a day ago, and is given up",
                                        config::FormatInZone(*planned, schedule.zone)));
    side_.Spawn(Name() + ": saving its schedule", SaveQuietly());
    return;
  }
  const auto request = std::make_shared<Request>(context_.executor, Op::kScheduled);
  request->planned = due;
  Queue(request);
}

void Service::TellOfRun(const std::string& event, std::string what) {
  LogWarn(Name() + ": " + what);
  EventDetail detail = CurrentDetail();
  detail.reason = std::move(what);
  Emit(event, detail);
}

Task<OpResult> Service::RunScheduled(base::WallTime planned) {
  if (state_.desired == Desired::kDown) co_return Already("stopped");
  const std::string when = config::FormatInZone(planned, config_->schedule ? config_->schedule->zone : "");
  if (backend_->Pid() != 0 || policy_.GetPhase() == RestartPolicy::Phase::kBackoff) {
    co_await SaveQuietly();
    TellOfRun("run-skipped", fmt::format("its run of {} is left out: the one before it has not ended", when));
    co_return Already("already running");
  }
  if (context_.clock->WallNow() - planned > kOnTime) {
    TellOfRun("run-missed", fmt::format("its run of {} was missed, and is made up for now", when));
  }
  LogInfo(fmt::format("{}: its run of {} begins", Name(), when));
  // What the run before did is told, and counts no more.
  Follow(policy_.PersonStarts());
  cause_.clear();
  scheduled_run_ = true;
  co_return co_await Start(Saving::kSynced, By::kItself);
}

}  // namespace shipmate::service
