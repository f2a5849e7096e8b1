#pragma once

// Ending processes that belong to a service but have no living leader any more, or never had one of ours: members of
// its group, of its session, and those that left both and are known by their mark or by their control group. Every
// signal goes through a pidfd whose process was looked at again after it was opened, so none can hit a process that
// took over a pid.

#include <chrono>
#include <string>
#include <vector>

#include "async/task.h"
#include "os/proc_info.h"
#include "service/census.h"

namespace shipmate::service {

struct EndOptions {
  /// The first signal; SIGKILL follows after `grace`.
  int signal = 15;
  std::chrono::milliseconds grace{std::chrono::seconds(5)};
  /// Left alone: a leader that its owner watches himself.
  pid_t spare = 0;
  /// Members of this group got `signal` already.
  pid_t signalled_group = 0;
};

/// Waits after SIGKILL; what lives longer hangs in the kernel.
inline constexpr std::chrono::seconds kKillWait{5};

/// Ends all that bear `traces`, what they fork meanwhile included. Gives those that did not die; takes no longer than
/// `grace` and kKillWait together. REQUIRES: `census` outlives it.
Task<std::vector<os::ProcessStat>> EndMembers(Census& census, Traces traces, EndOptions options);

/// Whether somebody is in the control group of service `group`; false for "" and where there are no control groups.
bool IsPopulated(const Census& census, const std::string& group);

/// "pid 12 (worker), pid 13 (sh)".
std::string Describe(const std::vector<os::ProcessStat>& processes);

}  // namespace shipmate::service
