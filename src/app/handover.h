#pragma once

// Handover: how a new version of the program takes the place of the running one in the same process (exec(2)). The pid
// stays, and with it the children; the lock of the state directory and the secrets of the environment go along by
// descriptors, whose numbers stand in one variable of the environment. Secrets themselves are never in arguments,
// environment or a file.

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "os/dir_lock.h"

namespace shipmate::app {

using Secrets = std::map<std::string, std::string>;

/// What the program before this one handed on.
struct Inherited {
  /// The lock of its state directory; negative when there was no such program.
  int lock_fd = -1;
  Secrets secrets;
};

/// Takes what was handed on, once: the descriptor of the secrets is closed, and the variable removed. Called first of
/// all, before anything is opened or started.
Inherited TakeOver();

/// The lock of the state directory: the `inherited` one of the program before us in this process, or a new one.
Result<os::DirLock> TakeLock(const std::string& state_dir, int inherited);

/// The path of this program as it was started: of `argv0`, found through PATH where it has no slash, when that is this
/// program; else as the system knows it. Symbolic links are kept, so that one that is moved to a new version counts.
std::string ProgramPath(const std::string& argv0);

/// Becomes the program at `path`. Returns only on failure, and then everything is as it was. REQUIRES: no thread, no
/// coroutine and no helper process is at work.
Result<void> Become(const std::string& path, const std::vector<std::string>& argv, os::DirLock& lock,
                    const Secrets& secrets);

}  // namespace shipmate::app
