#pragma once

// Starting a program: posix_spawn, in a session and process group of its own (pgid = pid), with standard input from
// /dev/null, default signal dispositions and mask, and none of our descriptors but 0, 1 and 2. No code of ours runs
// between fork and exec; what posix_spawn cannot set, our own program sets as a process of its own (os/exec_helper.h).

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "os/exec_settings.h"
#include "os/unique_fd.h"

namespace shipmate::os {

struct ProcessState;  // os/proc_info.h

struct SpawnOptions {
  /// argv[0] with a "/" is resolved after the change to `dir`; a bare name through PATH of `env`, as execvp does.
  std::vector<std::string> argv;
  /// Working directory; empty = ours.
  std::string dir;
  /// The whole environment, "NAME=value" each. `PWD` is set to `dir` by the caller where wanted.
  std::vector<std::string> env;
  /// Becomes descriptors 1 and 2. Not closed here. REQUIRES: >= 0.
  int output_fd = -1;
  /// When anything is set here, `exec_helper` is started in place of the program and becomes it.
  ExecSettings settings = {};
  /// Our own program, or another that does as os/exec_helper.h says; an absolute path.
  std::string exec_helper = {};
  /// "NAME=value" for the helper's environment, so that a mark is there from the first moment; it gets nothing else.
  std::string mark = {};
};

struct ChildProcess {
  pid_t pid = 0;
  /// Readable once the process has exited. The process stays a zombie, and its pid its own, until WaitExit or
  /// ReapExited reaps it through this descriptor; whoever drops it without that calls ReleaseChild.
  UniqueFd pidfd;
  /// For WaitExec; not open when there were no settings: the program has begun then.
  UniqueFd report;
};

/// Starts the program. Errors (kSpawn) read like the reference's: `fork/exec /nonexistent/binary: no such file or
/// directory`, `exec: "foo": executable file not found in $PATH`, `chdir /missing: no such file or directory`.
/// With settings, success means only that the helper has begun: WaitExec tells the rest.
Result<ChildProcess> Spawn(const SpawnOptions& options);

/// The owner of a child started by Spawn will not wait for it: it is reaped now if it has exited, else by ReapOrphans
/// once it has. Without this nobody but the owner ever reaps it. No effect on a pid that Spawn did not start.
void ReleaseChild(pid_t pid);

/// Our own environment, as "NAME=value", without the variables named (those that hold our secrets).
std::vector<std::string> InheritedEnvironment(const std::vector<std::string>& without_names);

/// Whether `pgid` may be a service's group: the check of SignalGroup, without a signal.
bool MaySignalGroup(pid_t pgid);
/// Sends `signal` to process group `pgid`. kNotFound when the group has no member. Refuses (kInvalid), without sending,
/// pgid <= 1, our own group and the group of our session's leader.
Result<void> SignalGroup(pid_t pgid, int signal);
/// SignalGroup, and then each living process of session `pgid` that has left the group (a shell with job control puts
/// its jobs into groups of their own). Success when anything was reached. Refuses as SignalGroup does.
Result<void> SignalSession(pid_t pgid, int signal);
/// Sends `signal` through a pidfd, so that it can never reach another process that took over the pid.
Result<void> SignalPidfd(int pidfd, int signal);
/// A pidfd for any process, close-on-exec; kNotFound when there is none. Refuses pid <= 1.
Result<UniqueFd> OpenPidfd(pid_t pid);
/// A pidfd of the very process recorded, and of no other that has its pid now. kInvalid when the record has no identity
/// (see HasIdentity), kNotFound when the process has ended (a zombie has), kRefused "pid N reused by different
/// process".
Result<UniqueFd> OpenRecorded(const ProcessState& recorded);

}  // namespace shipmate::os
