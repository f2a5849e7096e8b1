#pragma once

// RestartPolicy: decides what follows when a process of a service ends. A pure machine: it is told what happened and
// when, and answers with the one thing to do next; it starts nothing and keeps no time itself.
//
//   phase   | person starts | person stops | spawned       | ended, start failed, unwell | timer
//   --------+---------------+--------------+---------------+-----------------------------+------------------------------
//   down    | down, forgets | down         | up            | judged                      | nothing
//   up      | down, forgets | down         | up            | judged                      | recovered, or nothing
//   backoff | down, forgets | down         | up, watched   | judged                      | start now
//   failed  | down, forgets | down         | up            | judged                      | nothing
//
// An end is judged so: one that the settings do not restart leaves the service down (a success) or failed (a failure);
// as many crashes within the window as the limit allows make it failed; every other one is followed by a new start
// after a wait, which grows with each crash of the incident. After a run that had proved itself the first start comes
// at once. One that was ended because it was unwell counts as a crash, whatever the settings restart.
//
// An incident begins with the first crash and ends with a run that proves stable, or with a person's word. Where
// incidents follow closely upon one another, each needs a longer run to prove itself: a service that crashes every
// minute is one incident, not one a minute.

#include <chrono>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "os/exit_watch.h"

namespace shipmate::service {

/// The next thing to do for a service. Each takes the place of the one before.
struct RestartAction {
  enum class Kind {
    kNothing,    ///< and a timer that was set for an earlier one is void
    kStart,      ///< after `delay`: call Due, then spawn, then tell the outcome
    kWatch,      ///< after `delay`: call Due
    kLeave,      ///< the settings do not start it again
    kGiveUp,     ///< the limit is reached
    kRecovered,  ///< the incident is over; not said of one whose starts were all for its health
  };
  Kind kind = Kind::kNothing;
  std::chrono::milliseconds delay{0};

  bool operator==(const RestartAction&) const = default;
};

class RestartPolicy {
 public:
  enum class Phase { kDown, kUp, kBackoff, kFailed };
  using Action = RestartAction;

  /// A run this long proves a start, at least and at most.
  static constexpr std::chrono::milliseconds kStable{std::chrono::seconds(10)};
  static constexpr std::chrono::milliseconds kLongestStable{std::chrono::hours(1)};

  explicit RestartPolicy(const config::ServiceConfig& config) { Configure(config); }
  /// New settings; what was counted stays.
  void Configure(const config::ServiceConfig& config);

  /// A person starts or restarts it: everything that was counted is forgotten.
  Action PersonStarts();
  /// A person stops it.
  Action PersonStops();
  /// A process runs: it was spawned, or adopted.
  Action Spawned(base::SteadyTime now);
  /// It ended by itself after `uptime`. `random` is uniform in [0, 1).
  Action Ended(const os::ExitStatus& status, std::chrono::milliseconds uptime, base::SteadyTime now, double random);
  /// It was ended for its health.
  Action Unwell(std::chrono::milliseconds uptime, base::SteadyTime now, double random);
  /// It could not be spawned.
  Action StartFailed(base::SteadyTime now, double random);
  /// The delay of the last action is over.
  Action Due(base::SteadyTime now);
  /// The start that was asked for is not made.
  void Hold() {
    if (phase_ != Phase::kFailed) phase_ = Phase::kDown;
  }
  /// It was given up before this run of ours.
  void RestoreFailed(std::string reason);

  Phase GetPhase() const { return phase_; }
  /// Counts incidents; 0 while there is none.
  std::uint64_t Incident() const { return crashes_ > 0 ? incident_ : 0; }
  /// Of the incident.
  unsigned Crashes() const { return crashes_; }
  /// In kBackoff: when it is started again.
  base::SteadyTime NextStart() const { return next_start_; }
  /// In kFailed: "5 crashes in 60s".
  const std::string& Reason() const { return reason_; }
  /// After kRecovered: the crashes of the incident, and the time between its first crash and the last start.
  unsigned RecoveredCrashes() const { return recovered_crashes_; }
  std::chrono::milliseconds DownFor() const { return down_for_; }

 private:
  /// A run ends by which an incident may begin.
  void Close(std::chrono::milliseconds uptime);
  bool IsSuccess(const os::ExitStatus& status) const;
  Action Crashed(base::SteadyTime now, double random);
  std::chrono::milliseconds Wait(double random) const;
  void Forget();

  config::RestartWhen when_ = config::RestartWhen::kAlways;
  config::BackoffConfig backoff_;
  config::StartLimitConfig limit_;
  std::vector<int> success_;

  Phase phase_ = Phase::kDown;
  std::uint64_t incident_ = 0;
  unsigned crashes_ = 0;
  /// Of the incident: not all of its crashes were for the health of the service.
  bool ended_ = false;
  /// The run before the incident was a stable one.
  bool proved_ = false;
  base::SteadyTime first_crash_{};
  base::SteadyTime last_start_{};
  base::SteadyTime next_start_{};
  std::list<base::SteadyTime> recent_;
  std::chrono::milliseconds stable_ = kStable;
  std::string reason_;
  unsigned recovered_crashes_ = 0;
  std::chrono::milliseconds down_for_{0};
};

}  // namespace shipmate::service
