#pragma once

// The exec helper: our own program, started by Spawn in place of a service's when ExecSettings ask for anything. It
// applies them to itself, a young process with one thread, and then becomes the program: same pid, same descriptors 0
// to 2. So nothing of ours runs between fork and exec, and names can be looked up without holding up the loop.
//
// The plan comes through a file in memory (arguments and environment may hold what others must not read in /proc); what
// goes wrong goes back through a pipe that a successful exec closes. Nothing but these two is inherited.

#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "os/exec_settings.h"
#include "os/unique_fd.h"

namespace shipmate::os {

/// How `main` knows the mode: the only argument, in the place of the program's name.
inline constexpr std::string_view kExecHelperName = "shipmate-exec";

/// Whether this process was started as the helper. To be asked before anything else in `main`.
bool IsExecHelper(int argc, const char* const* argv);
/// Does the helper's work; comes back, with the exit status, only when that failed.
int RunExecHelper();

/// Waits until the program of a Spawn with settings has begun. `report` is ChildProcess::report. Gives the warnings;
/// an error (kSpawn) says which setting failed: the process ends by itself then. kTimeout after 30 seconds: the process
/// is the caller's to kill.
Task<Result<std::vector<std::string>>> WaitExec(UniqueFd report);

namespace internal {

/// Where the helper finds its plan and the pipe for its report.
inline constexpr int kPlanFd = 3;
inline constexpr int kReportFd = 4;

struct ExecPlan {
  /// The file to execute, valid in `dir`.
  std::string program;
  std::vector<std::string> argv;
  std::vector<std::string> env;
  std::string dir;
  ExecSettings settings;
  bool operator==(const ExecPlan&) const = default;
};

/// No string of `plan` may contain a NUL byte.
std::string EncodePlan(const ExecPlan& plan);
Result<ExecPlan> DecodePlan(std::string_view text);

}  // namespace internal

}  // namespace shipmate::os
