#pragma once

// DirLock: one program at a time on one state directory. The lock is flock(2) on `<dir>/lock`, which the kernel frees
// when its holder dies, however it dies; the file also holds the holder's pid for the message of the one refused.

#include <string>

#include "base/result.h"
#include "os/unique_fd.h"

namespace shipmate::os {

class DirLock {
 public:
  /// Takes the lock, or fails with kBusy: `state directory /x is in use by another shipmate (pid 123)`. Does not wait
  /// for a living holder; for what a dead one left in the making (a child not yet at its exec), a second at most.
  /// The descriptor is close-on-exec, so that no child keeps the lock alive.
  static Result<DirLock> Take(const std::string& dir);

  /// Takes over the lock on `dir` that the program before us held on descriptor `fd` and handed on when it became this
  /// one. Fails, and leaves the descriptor alone, when it is no lock on that directory.
  static Result<DirLock> Inherit(const std::string& dir, int fd);
  /// The descriptor stays open over the next exec(2), for Inherit to take; its number. Nothing may be started
  /// meanwhile.
  Result<int> HandOn();
  /// HandOn undone, after an exec that failed.
  void Keep();

 private:
  explicit DirLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace shipmate::os
