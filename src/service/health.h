#pragma once

// HealthMachine: whether a running service works, from the results of its probes; pure. It says when to probe next,
// what is news, and when to restart.
//
//   word      | probe succeeds                | probe fails
//   ----------+-------------------------------+------------------------------------------------------------------
//   unknown   | healthy                       | the threshold-th in a row: unhealthy
//   starting  | healthy                       | before the end of the start period: goes on; then: unhealthy
//   healthy   | -                             | the threshold-th in a row: unhealthy
//   unhealthy | healthy                       | restart, where wanted, when it is due
//
// Unhealthy is news once, until it was healthy again; healthy is news only after that. A restart is due as soon as it
// becomes unhealthy; if that does not help, the next one after a wait that doubles.

#include <chrono>
#include <string_view>

#include "base/clock.h"
#include "config/config.h"

namespace shipmate::service {

class HealthMachine {
 public:
  enum class Word {
    kUnknown,  ///< found running, or not running, and not probed since
    kStarting,
    kHealthy,
    kUnhealthy,
  };
  enum class News { kNone, kHealthy, kUnhealthy };
  enum class Probe { kSucceeded, kFailed };
  struct Actions {
    base::SteadyTime probe_at;
    News news = News::kNone;
    bool restart = false;
    bool operator==(const Actions&) const = default;
  };

  /// Only times and numbers of `config` count.
  explicit HealthMachine(config::HealthConfig config) : config_(std::move(config)) {}

  /// A new instance was started now.
  Actions Started(base::SteadyTime now);
  /// An instance that runs for `uptime` already is watched from now on.
  Actions Found(base::SteadyTime now, std::chrono::milliseconds uptime);
  /// Nothing runs that could be probed; it is looked again.
  Actions NotRunning(base::SteadyTime now);
  Actions Probed(Probe result, base::SteadyTime now);
  /// A person stopped it: what was told is over.
  void Stopped();
  /// New settings. The word stays until the next Started or Found.
  void Configure(config::HealthConfig config) { config_ = std::move(config); }

  Word GetWord() const { return word_; }

 private:
  Actions Succeeded(base::SteadyTime now);
  Actions Failed(base::SteadyTime now);
  void BecomeUnhealthy(base::SteadyTime now, Actions& actions);
  base::SteadyTime NextWhileStarting(base::SteadyTime now);

  config::HealthConfig config_;
  Word word_ = Word::kUnknown;
  /// Of the start period.
  base::SteadyTime end_{};
  std::chrono::milliseconds start_interval_{0};
  unsigned failures_ = 0;
  bool told_ = false;
  /// Restarts since it was last healthy for long.
  unsigned restarts_ = 0;
  base::SteadyTime restart_at_{};
  base::SteadyTime healthy_since_{};
};

/// "", "starting", "healthy", "unhealthy".
std::string_view ToString(HealthMachine::Word word);

}  // namespace shipmate::service
