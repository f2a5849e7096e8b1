#pragma once

// HealthWatch: looks after the health of one service while it runs: a loop that probes when HealthMachine says so, and
// passes on what it says. Without settings there is no loop and no timer. It is told of every start and end of the
// service by its owner, who outlives it; restarts are his as well.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "async/latch.h"
#include "async/spawn.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "service/health.h"
#include "service/prober.h"

namespace shipmate::service {

class HealthWatch {
 public:
  enum class End {
    kStopped,  ///< a person's wish
    kOther,
  };
  struct Hooks {
    /// Became unhealthy (`reason` says why), or healthy again ("").
    std::function<void(HealthMachine::News news, const std::string& reason)> news;
    std::function<void()> restart;
    /// Whether there is anything to probe; empty for a service whose ends are told.
    std::function<Task<bool>()> runs;
  };

  HealthWatch(Executor executor, const base::Clock& clock, Hooks hooks);

  /// A new instance runs by these settings.
  void Started(ProberOptions options);
  /// An instance that runs for `uptime` is to be watched by these settings.
  void Found(ProberOptions options, std::chrono::milliseconds uptime);
  /// Nothing runs any more, for the reason `why`: whoever waits gets it.
  void Ended(End end, std::string why);
  /// There are no settings any more.
  void Forget();
  /// Waits until the instance is healthy, when it is starting: no longer than its start period and one probe. The error
  /// says why it is not: kTimeout after the start period, kClosed when it ended before.
  Task<Result<void>> AwaitHealthy();

  HealthMachine::Word GetWord() const { return on_ ? machine_->GetWord() : HealthMachine::Word::kUnknown; }
  /// Why the last probe failed; "" after a good one.
  const std::string& Reason() const { return reason_; }
  /// After Ended: waits until the loop has unwound.
  Task<bool> Join(std::chrono::milliseconds limit) { return loop_.Join(limit); }

 private:
  void Watch(ProberOptions options, bool started, std::chrono::milliseconds uptime);
  Task<void> Loop(std::shared_ptr<Prober> prober, HealthMachine::Actions first, std::uint64_t run);
  void Obey(const HealthMachine::Actions& actions);
  void Wake();

  Executor executor_;
  const base::Clock& clock_;
  Hooks hooks_;
  std::unique_ptr<HealthMachine> machine_;
  bool on_ = false;
  /// Counts the loops: what an older one still brings is not listened to.
  std::uint64_t run_ = 0;
  std::string reason_;
  /// Of the settings in force, and why nothing runs: for those who wait.
  std::chrono::milliseconds start_period_{0};
  std::string ended_;
  std::shared_ptr<async::Event> changed_;
  async::TaskGroup loop_;
};

}  // namespace shipmate::service
