#include "service/restart_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/time_text.h"

namespace shipmate::service {

namespace {

using std::chrono::milliseconds;
using Kind = RestartAction::Kind;

// What shells add to a signal's number.
constexpr int kSignalBase = 128;
// Incidents closer together than so many stable runs belong together.
constexpr int kCloseBy = 8;

milliseconds Between(base::SteadyTime from, base::SteadyTime to) {
  return std::chrono::duration_cast<milliseconds>(to - from);
}

}  // namespace

void RestartPolicy::Configure(const config::ServiceConfig& config) {
  when_ = config.restart;
  backoff_ = config.backoff;
  limit_ = config.start_limit;
  success_ = config.success_exit_codes;
}

void RestartPolicy::Forget() {
  phase_ = Phase::kDown;
  crashes_ = 0;
  recent_.clear();
  reason_.clear();
}

RestartAction RestartPolicy::PersonStarts() {
  Forget();
  stable_ = kStable;
  return {};
}

RestartAction RestartPolicy::PersonStops() {
  Forget();
  stable_ = kStable;
  return {};
}

RestartAction RestartPolicy::Spawned(base::SteadyTime now) {
  phase_ = Phase::kUp;
  reason_.clear();
  last_start_ = now;
  if (crashes_ == 0) return {};
  return {.kind = Kind::kWatch, .delay = stable_};
}

bool RestartPolicy::IsSuccess(const os::ExitStatus& status) const {
  std::optional<int> code = status.code;
  if (!code && status.signal) code = kSignalBase + *status.signal;
  // An adopted process's status is not known; that it failed is the safer guess.
  return code && std::ranges::find(success_, *code) != success_.end();
}

RestartAction RestartPolicy::Ended(const os::ExitStatus& status, milliseconds uptime, base::SteadyTime now,
                                   double random) {
  const bool success = IsSuccess(status);
  if (when_ == config::RestartWhen::kNo || (when_ == config::RestartWhen::kOnFailure && success)) {
    Forget();
    if (!success) {
      phase_ = Phase::kFailed;
      reason_ = status.Describe();
    }
    return {.kind = Kind::kLeave};
  }
  Close(uptime);
  ended_ = true;
  return Crashed(now, random);
}

RestartAction RestartPolicy::Unwell(milliseconds uptime, base::SteadyTime now, double random) {
  Close(uptime);
  return Crashed(now, random);
}

RestartAction RestartPolicy::StartFailed(base::SteadyTime now, double random) {
  if (when_ == config::RestartWhen::kNo) {
    Forget();
    phase_ = Phase::kFailed;
    reason_ = "it could not be started";
    return {.kind = Kind::kLeave};
  }
  Close(milliseconds(0));
  ended_ = true;
  return Crashed(now, random);
}

void RestartPolicy::Close(milliseconds uptime) {
  if (crashes_ > 0) return;
  ended_ = false;
  proved_ = uptime >= stable_;
  if (uptime >= stable_ * kCloseBy) stable_ = kStable;
}

RestartAction RestartPolicy::Crashed(base::SteadyTime now, double random) {
  if (crashes_++ == 0) {
    ++incident_;
    first_crash_ = now;
  }
  recent_.push_back(now);
  while (Between(recent_.front(), now) > limit_.window) recent_.pop_front();
  if (limit_.count > 0 && recent_.size() >= limit_.count) {
    phase_ = Phase::kFailed;
    reason_ = fmt::format("{} crash{} in {}", recent_.size(), recent_.size() == 1 ? "" : "es",
                          base::FormatDuration(limit_.window));
    return {.kind = Kind::kGiveUp};
  }
  // Without a limit nothing is counted within it, and the list must not grow.
  if (limit_.count == 0) recent_.clear();
  phase_ = Phase::kBackoff;
  const milliseconds delay = Wait(random);
  next_start_ = now + delay;
  return {.kind = Kind::kStart, .delay = delay};
}

// Between the half and the whole, so that many that fell together do not rise together.
milliseconds RestartPolicy::Wait(double random) const {
  const unsigned waits = crashes_ - (proved_ ? 1 : 0);
  if (waits == 0 || backoff_.initial.count() == 0) return milliseconds(0);
  const double grown = static_cast<double>(backoff_.initial.count()) * std::pow(backoff_.factor, waits - 1);
  const double whole = std::min(grown, static_cast<double>(backoff_.max.count()));
  return milliseconds(static_cast<milliseconds::rep>(std::lround(whole * (1 + random) / 2)));
}

RestartAction RestartPolicy::Due(base::SteadyTime now) {
  if (phase_ == Phase::kBackoff) return {.kind = Kind::kStart};
  if (phase_ != Phase::kUp || crashes_ == 0) return {};
  const milliseconds ran = Between(last_start_, now);
  if (ran < stable_) return {.kind = Kind::kWatch, .delay = stable_ - ran};
  recovered_crashes_ = crashes_;
  down_for_ = Between(first_crash_, last_start_);
  crashes_ = 0;
  stable_ = std::min(stable_ * 2, kLongestStable);
  if (!ended_) return {};
  return {.kind = Kind::kRecovered};
}

void RestartPolicy::RestoreFailed(std::string reason) {
  Forget();
  phase_ = Phase::kFailed;
  reason_ = std::move(reason);
}

}  // namespace shipmate::service
