#pragma once

// Starting a program: posix_spawn, in a session and process group of its own (pgid = pid), with standard input from
// /dev/null, default signal dispositions and mask, and none of our descriptors but 0, 1 and 2. No code of ours runs
// between fork and exec.

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "os/unique_fd.h"

namespace shipmate::os {

struct SpawnOptions {
  /// argv[0] with a "/" is resolved after the change to `dir`; a bare name through PATH of `env`, as execvp does.
  std::vector<std::string> argv;
  /// Working directory; empty = ours.
  std::string dir;
  /// The whole environment, "NAME=value" each. `PWD` is set to `dir` by the caller where wanted.
  std::vector<std::string> env;
  /// Becomes descriptors 1 and 2. Not closed here. REQUIRES: >= 0.
  int output_fd = -1;
};

struct ChildProcess {
  pid_t pid = 0;
  /// Readable once the process has exited. The process stays a zombie until ExitWatch reaps it.
  UniqueFd pidfd;
};

/// Starts the program. Errors (kSpawn) read like the reference's: `fork/exec /nonexistent/binary: no such file or
/// directory`, `exec: "foo": executable file not found in $PATH`, `chdir /missing: no such file or directory`.
Result<ChildProcess> Spawn(const SpawnOptions& options);

/// Our own environment without `secrets` (names) and without every variable in `also_without`, as "NAME=value".
std::vector<std::string> InheritedEnvironment(const std::vector<std::string>& without_names);

/// Sends `signal` to process group `pgid`. kNotFound when the group has no member. Refuses (kInvalid), without sending,
/// pgid <= 1 and our own group.
Result<void> SignalGroup(pid_t pgid, int signal);
/// Sends `signal` through a pidfd, so that it can never reach another process that took over the pid.
Result<void> SignalPidfd(int pidfd, int signal);
/// A pidfd for any process; kNotFound when there is none. Refuses pid <= 1.
Result<UniqueFd> OpenPidfd(pid_t pid);

}  // namespace shipmate::os
