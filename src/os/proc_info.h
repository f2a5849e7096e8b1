#pragma once

// What /proc tells of processes, ours or not: whether one lives, whether it is still the one that was recorded, who is
// in a group, and which one carries our mark. A pid of 1 or less never names a service's process here: such values mean
// "every process" or "our own group" to kill(2).

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace shipmate::os {

/// The recorded identity of a process, as state files hold it (the members of the seed's `backend` object, and ours).
struct ProcessState {
  pid_t pid = 0;
  pid_t pgid = 0;
  std::string log_path;
  /// Seconds since the epoch (`btime` of /proc/stat); 0 when not recorded.
  std::int64_t boot_time = 0;
  /// Milliseconds since the epoch, whole seconds; 0 when not recorded.
  std::int64_t create_time = 0;
  /// /proc/sys/kernel/random/boot_id; empty when not recorded (a file of the reference program).
  std::string boot_id;
  /// Field 22 of /proc/PID/stat: clock ticks after boot; 0 when not recorded. With boot_id it names a process exactly,
  /// whatever is done to the wall clock.
  std::uint64_t start_ticks = 0;

  bool operator==(const ProcessState&) const = default;
};

/// One process as /proc/PID/stat shows it.
struct ProcessStat {
  pid_t pid = 0;
  pid_t ppid = 0;
  pid_t pgid = 0;
  pid_t session = 0;
  char state = '?';  ///< proc(5): R S D T t Z X I
  std::uint64_t start_ticks = 0;
  std::uint64_t cpu_ticks = 0;       ///< user and system time
  std::uint64_t resident_bytes = 0;  ///< RSS
  long threads = 1;
  std::string name;  ///< comm, at most 15 bytes, any bytes

  /// False for a zombie or a dead process: it holds no resources and takes no signal. A process whose main thread has
  /// ended while others run shows as a zombie, but lives.
  bool Lives() const { return (state != 'Z' && state != 'X' && state != 'x') || threads > 1; }
};

/// Whether signal 0 reaches `pid` (success or EPERM); false for pid <= 0. A zombie counts as alive, as for the seed:
/// use ReadStat where that matters.
bool IsAlive(pid_t pid);

/// The process as it is now; nullopt when there is none.
std::optional<ProcessStat> ReadStat(pid_t pid);

/// Whether the process `recorded.pid` may be the one recorded: exact by boot_id and start_ticks where both are
/// recorded; else by boot_time and create_time with two seconds' tolerance (clock steps, containers' rounding). Values
/// that are not recorded or cannot be read are skipped; with none recorded it is true, as in the seed: so nothing may
/// be adopted or signalled on it alone (see HasIdentity). False for pid <= 1.
bool VerifyProcess(const ProcessState& recorded);
/// Whether `recorded` names one process beyond its pid (by start_ticks with boot_id, or by create_time): only then may
/// it be adopted or signalled.
bool HasIdentity(const ProcessState& recorded);

/// The identity of living process `pid` now (pid, pgid, boot and start times; no log path); nullopt when it is gone.
std::optional<ProcessState> Identify(pid_t pid);

/// The pid of this program.
pid_t OwnPid();

/// Every process of this machine that can be seen. An error when something (no descriptors left) keeps us from looking:
/// who is not seen then may well live.
Result<std::vector<ProcessStat>> AllProcesses();
/// The living (non-zombie) processes in process group `pgid` or in session `pgid`; none when they cannot be looked at.
/// REQUIRES: pgid > 1.
std::vector<ProcessStat> LivingGroup(pid_t pgid);

/// The value of variable `name` in the initial environment of `pid`; nullopt when unset or not readable. In the moment
/// of its exec a process shows an empty environment: right after Spawn this may still be nullopt.
std::optional<std::string> ReadEnviron(pid_t pid, std::string_view name);
/// Living processes whose environment has `name` with a value that starts with `prefix`: pid -> value. One pass over
/// /proc. Errors as of AllProcesses.
Result<std::map<pid_t, std::string>> FindByEnviron(std::string_view name, std::string_view prefix);

/// The file that descriptor `fd` of `pid` is open on, as the kernel words it (" (deleted)" after the path of a file
/// that has lost its name); nullopt when unknown.
std::optional<std::string> ReadFdTarget(pid_t pid, int fd);

/// How long ago the process with `start_ticks` began, by the boot clock; never negative.
std::chrono::milliseconds UptimeOf(std::uint64_t start_ticks);

}  // namespace shipmate::os
