#pragma once

// Which children have an owner who will read their exit status, so that the orphan reaper leaves them alone. A fact of
// the whole process, as the table of children in the kernel is; touched by the loop's thread only. Not for other
// floors.

#include <sys/types.h>

namespace shipmate::os::internal {

/// Spawn: from its start until it is reaped or released, a child belongs to whoever started it.
void OwnChild(pid_t pid);
void DisownChild(pid_t pid);

/// While one exists, somebody waits for the exit of `pid` (any process, not only one that Spawn started).
class ExitClaim {
 public:
  explicit ExitClaim(pid_t pid);
  ~ExitClaim();
  ExitClaim(const ExitClaim&) = delete;
  ExitClaim& operator=(const ExitClaim&) = delete;

 private:
  pid_t pid_;
};

/// Whether the exit status of `pid` is spoken for.
bool IsSpokenFor(pid_t pid);

}  // namespace shipmate::os::internal
