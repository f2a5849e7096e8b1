#pragma once

// UnitCache: the units of one systemd, looked at together: one systemctl for all of them, at most every two seconds for
// whoever asks, and every ten seconds to notice what happened to them without our doing. Each backend has a seat in it.

#include <chrono>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/latch.h"
#include "async/mailbox.h"
#include "async/spawn.h"
#include "async/task.h"
#include "base/clock.h"
#include "service/backends/systemctl.h"

namespace shipmate::service::backends {

/// What happened to a unit between two looks.
struct UnitChange {
  /// exited, failed, started or restarted.
  std::string event;
  /// For exited and failed systemd's word (systemd.exec(5), $SERVICE_RESULT): success, exit-code, signal, core-dump,
  /// oom-kill, timeout, watchdog, start-limit-hit, ...
  std::string reason;
  os::ExitStatus status;
  std::chrono::milliseconds uptime{0};
  bool operator==(const UnitChange&) const = default;
};

/// nullopt when nothing is to be told, or not yet: a unit on its way to another state is waited for, unless it is on
/// its way up again after a failure.
std::optional<UnitChange> ChangeBetween(const UnitLook& before, const UnitLook& now);

class UnitSeat;

class UnitCache {
 public:
  static constexpr std::chrono::seconds kFresh{2};
  static constexpr std::chrono::seconds kPoll{10};

  /// REQUIRES: `clock` outlives it.
  UnitCache(Executor executor, UnitScope scope, std::vector<std::string> environment, const base::Clock& clock);
  /// REQUIRES: every seat was closed.
  ~UnitCache() = default;
  UnitCache(const UnitCache&) = delete;
  UnitCache& operator=(const UnitCache&) = delete;

 private:
  friend class UnitSeat;

  void Join(UnitSeat& seat);
  /// The last to leave waits until nothing of the cache runs any more.
  Task<void> Leave(UnitSeat& seat);
  Task<Result<UnitLook>> Look(std::string unit);
  /// What is known was overtaken.
  void Forget() { ++epoch_; }

  bool IsFresh(const std::string& unit) const;
  Task<void> Poll();
  std::shared_ptr<async::Event> BeginLook();
  Task<void> TakeLook(std::shared_ptr<async::Event> done);

  // Constant after construction.
  const Executor executor_;
  const UnitScope scope_;
  const std::vector<std::string> environment_;
  const base::Clock& clock_;

  std::list<UnitSeat*> seats_;
  std::map<std::string, Result<UnitLook>> looks_;
  base::SteadyTime taken_{};
  std::uint64_t epoch_ = 1;
  /// The one of `looks_`.
  std::uint64_t looked_epoch_ = 0;
  std::shared_ptr<async::Event> looking_;
  async::TaskGroup work_;
};

/// One backend's place. REQUIRES: Close has completed before it is destroyed.
class UnitSeat {
 public:
  UnitSeat(std::shared_ptr<UnitCache> cache, std::string unit);
  UnitSeat(const UnitSeat&) = delete;
  UnitSeat& operator=(const UnitSeat&) = delete;

  /// At most kFresh old.
  Task<Result<UnitLook>> Look();
  /// Calls `seen`, from the loop, for each change that was not made between BeginChange and EndChange, until Close.
  /// Called once; changes that were seen before are told at once.
  void Watch(std::function<void(UnitChange)> seen);
  /// While we command the unit. EndChange takes what it is now, where that is known.
  void BeginChange() { ++changing_; }
  void EndChange(const std::optional<UnitLook>& now);
  Task<void> Close();

 private:
  friend class UnitCache;
  /// `began` is when the look began.
  void Observe(const UnitLook& look, base::SteadyTime began);

  const std::shared_ptr<UnitCache> cache_;
  const std::string unit_;
  std::optional<UnitLook> before_;
  int changing_ = 0;
  base::SteadyTime changed_{};
  std::function<void(UnitChange)> sink_;
  std::vector<UnitChange> early_;
  bool closed_ = false;
};

/// The caches of one manager: one for each systemd, made when it is first needed.
class UnitCaches {
 public:
  std::shared_ptr<UnitCache> For(UnitScope scope, const BackendContext& context);

 private:
  std::map<UnitScope, std::shared_ptr<UnitCache>> caches_;
};

}  // namespace shipmate::service::backends
