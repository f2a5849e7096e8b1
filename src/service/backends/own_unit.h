#pragma once

// OwnUnit: the systemd unit that this program itself runs as, if it does. Its processes' fate hangs on it: when the
// unit is stopped, systemd kills everything in its control group unless KillMode= says otherwise (systemd.kill(5)), the
// services among it.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "service/backends/systemctl.h"

namespace shipmate::service::backends {

struct OwnUnit {
  /// "shipmate.service"
  std::string id;
  /// Every name it goes by, `id` among them.
  std::vector<std::string> names;
  UnitScope scope = UnitScope::kSystem;
  /// control-group, mixed, process or none.
  std::string kill_mode;
  /// The process that systemd takes for the unit's: this one, unless a wrapper or another program started it.
  int main_pid = 0;

  /// Whether a stop of the unit leaves the services alone.
  bool SparesServices() const { return kill_mode == "process" || kill_mode == "none"; }
  /// Whether a service with this unit name (with or without ".service") is this unit.
  bool Is(std::string_view unit, UnitScope unit_scope) const;
  bool operator==(const OwnUnit&) const = default;
};

/// The unit in whose control group a process is, by its /proc/PID/cgroup (cgroups(7)); nullopt outside of any service.
struct CgroupUnit {
  std::string id;
  UnitScope scope = UnitScope::kSystem;
  bool operator==(const CgroupUnit&) const = default;
};
std::optional<CgroupUnit> UnitOfCgroup(std::string_view cgroup);

/// Asks systemd about the unit of this process. nullopt when the process was not started by systemd (INVOCATION_ID is
/// not set) or is in no service's control group; an error when systemd does not answer.
Task<Result<std::optional<OwnUnit>>> FindOwnUnit(std::vector<std::string> environment);

/// Has systemd restart the unit, without waiting for it.
Task<Result<void>> RestartOwnUnit(OwnUnit unit, std::vector<std::string> environment);

}  // namespace shipmate::service::backends
