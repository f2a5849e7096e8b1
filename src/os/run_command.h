#pragma once

// Running a program to its end and keeping what it printed: for systemctl, git, deploy steps, commands of the user's
// own. It never hangs: it has a deadline, its whole session is killed at the end of it or on cancellation, and a
// background child that holds the output open is not waited for (nor killed, when the program itself ended in time).

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "os/exec_settings.h"
#include "os/exit_watch.h"

namespace shipmate::os {

struct CommandOptions {
  std::vector<std::string> argv;
  std::string dir;
  /// The whole environment; see InheritedEnvironment.
  std::vector<std::string> env;
  std::chrono::milliseconds limit{std::chrono::seconds(30)};
  /// At most this many bytes of output are kept: the first half and the last half of it, with a line between that says
  /// how many were left out.
  std::size_t output_limit = std::size_t{1024} * 1024;
  /// After the program itself has ended, its output is still read for this long if something keeps the pipe open.
  std::chrono::milliseconds linger{200};
  /// Called with each piece of output as it comes, never after RunCommand has returned or was cancelled. May be empty;
  /// may not throw.
  std::function<void(std::string_view)> on_output;
  /// Called with the program's pid, which is its session's and its group's, before anything is waited for. May be
  /// empty; may not throw.
  std::function<void(pid_t)> on_start = {};
  /// See SpawnOptions: whom it runs as, and who sees to that.
  ExecSettings settings = {};
  std::string exec_helper = {};
};

struct CommandResult {
  ExitStatus status;
  /// stdout and stderr merged, in the order written.
  std::string output;
  /// The deadline passed: TERM to the session, KILL to what is left of it after two seconds; `status` is what became of
  /// the program: unknown when even that did not end it within five seconds (it hangs in the kernel).
  bool timed_out = false;
};

/// kSpawn when it could not be started; otherwise the result, whatever the exit status. On cancellation the session is
/// killed (KILL) before the exception passes, and reaped in the background.
Task<Result<CommandResult>> RunCommand(CommandOptions options);

/// The last lines of `output` as one line for an error text, at most 300 code points: "unit api.service not found".
std::string OutputTail(std::string_view output);

}  // namespace shipmate::os
