#pragma once

// SystemctlBackend: a service that systemd runs, commanded through systemctl and read through journalctl. It asks
// before it acts, so that starting an active unit touches nothing; it never prompts (no password agent, `sudo -n`), and
// only start, stop and restart go through sudo. It keeps no state: the unit is systemd's, and outlives this program by
// itself. With a UnitCache it looks at its unit together with all others, and WatchExits tells what happened to the
// unit without our doing; without one each look is a systemctl of its own, and WatchExits tells nothing.

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "service/backend.h"

namespace shipmate::service::backends {

class UnitCache;
class UnitCaches;
class UnitSeat;

/// Which systemd: the machine's, or that of this program's own user.
enum class UnitScope { kSystem, kUser };
/// Who starts and stops: this program's user, or root by sudo.
enum class UnitPrivilege { kOwn, kSudo };

/// What systemd says of one unit (systemctl(1), `show`).
struct UnitLook {
  std::string id;                  ///< "api.service", the unit's own name where an alias was asked for
  std::vector<std::string> names;  ///< every name it goes by
  std::string load_state;          ///< loaded, not-found, masked, bad-setting, error, ...
  std::string active_state;        ///< active, reloading, inactive, failed, activating, deactivating, maintenance, ...
  std::string sub_state;           ///< running, exited, dead, auto-restart, ...
  int main_pid = 0;
  /// When it last became active, on the monotonic clock; zero for never.
  std::chrono::microseconds active_since{0};
  /// When it last became inactive or failed, likewise.
  std::chrono::microseconds inactive_since{0};
  /// How the last run went: success, exit-code, signal, core-dump, ...
  std::string result;
  /// Of the last main process, as waitid(2) has them: CLD_EXITED and its status, CLD_KILLED and the signal; zero for
  /// none.
  int main_code = 0;
  int main_status = 0;

  bool operator==(const UnitLook&) const = default;
};

/// The status in our words: running, stopped, failed, starting, stopping, reloading, masked; another word of systemd as
/// it is.
/// kNotFound for a unit that does not exist, kInvalid for one that systemd cannot load.
Result<std::string> StatusOf(const UnitLook& look);

/// What `systemctl show` printed for several units, in its order. Lines that are no property of a unit are ignored.
std::vector<UnitLook> ParseUnitLooks(std::string_view shown);

/// One look at many units, by one systemctl: a look for each name, in the order of `units`, found by the names that
/// systemd gives it (an alias is answered with its unit's own Id). A unit that does not exist is a look whose
/// load_state is "not-found". kProtocol when systemctl did not answer for one of them.
Task<Result<std::vector<UnitLook>>> LookAtUnits(std::vector<std::string> units, UnitScope scope,
                                                std::vector<std::string> environment);

struct SystemctlOptions {
  /// With or without ".service".
  std::string unit;
  UnitScope scope = UnitScope::kSystem;
  UnitPrivilege privilege = UnitPrivilege::kOwn;
  /// The whole environment of the commands; systemctl, journalctl and sudo are found on its PATH.
  std::vector<std::string> environment;
  /// For Uptime. Outlives the backend.
  const base::Clock* clock = nullptr;
  /// Where it looks together with others. May be null.
  std::shared_ptr<UnitCache> cache = nullptr;
};

class SystemctlBackend final : public Backend {
 public:
  /// A name that is no unit's, and sudo together with the user's own systemd (it would reach root's instead), are told
  /// by every call.
  explicit SystemctlBackend(SystemctlOptions options);
  ~SystemctlBackend() override;

  Task<Result<Change>> Start() override;
  Task<Result<Change>> Stop() override;
  Task<Result<void>> Restart() override;
  Task<Result<std::string>> Status() override;
  /// From the journal, with times. kAuth when this user may not read it.
  Task<Result<std::string>> Logs(std::size_t bytes) override;

  Adoption TryAdopt(const State& saved) override;
  void WatchExits(ExitSink seen) override;
  std::optional<os::ProcessState> SaveBackendState() override { return std::nullopt; }

  /// As of the last look, which each call but Logs takes.
  int Pid() const override { return last_.main_pid; }
  std::chrono::milliseconds Uptime() const override;
  std::string LogFile() const override { return ""; }

  Task<void> Close() override;

  const SystemctlOptions& Options() const { return options_; }

 private:
  class ChangeScope;
  Task<Result<UnitLook>> Look();
  /// Runs `systemctl <verb>` on the unit, by sudo where wanted.
  Task<Result<void>> Command(std::string verb);
  /// Looks after a start: a unit that has failed by now did not start.
  Task<Result<void>> CheckStarted(std::string verb);

  SystemctlOptions options_;
  /// Why nothing can be done at all; holds a value when something can.
  Result<void> usable_;
  UnitLook last_;
  /// Null without a cache.
  std::unique_ptr<UnitSeat> seat_;
};

/// The backend for a service whose kind is kSystemd; with its unit's systemd in `caches`.
std::unique_ptr<Backend> MakeSystemctlBackend(const BackendContext& context, UnitCaches& caches);
/// One that looks for itself.
std::unique_ptr<Backend> MakeSystemctlBackend(const BackendContext& context);

}  // namespace shipmate::service::backends
