#pragma once

// Seeing processes end: own children (status known) and adopted ones (status unknown), by pidfd, on the loop; and
// reaping orphans that the kernel hands to us as child subreaper.

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "async/task.h"
#include "base/result.h"
#include "os/unique_fd.h"

namespace shipmate::os {

/// How a process ended. Neither is set where nobody told: for an adopted process, whose status only its real parent can
/// read, on a kernel that does not hand it on (older than 6.15).
struct ExitStatus {
  std::optional<int> code;    ///< exit status 0..255
  std::optional<int> signal;  ///< number of the signal that killed it
  bool core_dumped = false;   ///< by that signal

  bool IsKnown() const { return code || signal; }
  /// "exited with status 3", "killed by SIGTERM", "killed by SIGSEGV (core dumped)", "exited (status unknown)".
  std::string Describe() const;
  /// Go's ExitError text: "exit status 3", "signal: killed"; "" for status 0.
  std::string ErrorText() const;
  bool Success() const { return code == 0; }
  bool operator==(const ExitStatus&) const = default;
};

/// "SIGTERM" for 15; "signal 99" for an unknown number.
std::string SignalName(int signal);

/// Waits until the process behind `pidfd` has exited, and reaps it when it is our child. The status of another's child
/// is waited for a little longer: the kernel tells it once its parent has reaped it. The pid may be reused as soon as
/// this returns. Cancellable; `pidfd` must stay open meanwhile. Throws system_error only when we have no descriptor
/// left to watch with.
Task<ExitStatus> WaitExit(int pidfd);

/// Waits until the process behind `pidfd` has exited, and leaves it a zombie: while it is one, nobody else can get its
/// pid or its process group, so that the rest of the group can be signalled safely. Cancellable.
Task<void> WaitExitUnreaped(int pidfd);

/// The same as a call, for a program that watches hundreds: it takes a third of the memory of a coroutine that waits.
class ExitWatch {
 public:
  /// `exited` is called once, from the loop, when the process behind `pidfd` has exited; it is left a zombie, whose
  /// status is spoken for as long as the watch exists. `pidfd` must stay open that long. The error is that we have no
  /// descriptor left to watch with.
  static Result<std::unique_ptr<ExitWatch>> Create(const Executor& executor, int pidfd, std::function<void()> exited);
  /// From now on `exited` is not called.
  ~ExitWatch();
  ExitWatch(const ExitWatch&) = delete;
  ExitWatch& operator=(const ExitWatch&) = delete;

 private:
  struct Wait;
  explicit ExitWatch(std::shared_ptr<Wait> wait);

  std::shared_ptr<Wait> wait_;
};

/// Reaps the process behind `pidfd` if it is our child and has exited. nullopt while it runs; of one that is not ours
/// to reap the status that the kernel kept, unknown where it kept none.
std::optional<ExitStatus> ReapExited(int pidfd);

/// Makes this process a child subreaper (prctl(2)), and reaps, until cancelled, orphans that come back to us: on each
/// SIGCHLD every exited child that Spawn did not start (or that was released) and that no WaitExit is waiting for. Only
/// one may run in a process.
Task<void> ReapOrphans();

}  // namespace shipmate::os
