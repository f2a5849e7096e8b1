#pragma once

// SignalWatcher: signals sent to this program, as events on the loop. The app waits for SIGINT, SIGTERM and SIGHUP with
// it: the first of SIGINT and SIGTERM ends it gracefully, a second one at once, SIGHUP reloads. Children are not
// touched by it: Spawn gives them the default dispositions.

#include <boost/asio/signal_set.hpp>
#include <initializer_list>

#include "async/task.h"

namespace shipmate::os {

/// REQUIRES: outlives every coroutine that waits on it. One reader.
class SignalWatcher {
 public:
  /// From here on `signals` no longer have their default effect, and none of them is lost between two calls of Next.
  /// Throws system_error when one cannot be caught (SIGKILL): a fault of the program, met at start-up.
  SignalWatcher(const Executor& executor, std::initializer_list<int> signals);

  /// The next signal that arrived. Several of one kind that arrive together may be seen as one. Throws
  /// operation_aborted when the waiting coroutine is cancelled, or after RestoreDefaults.
  Task<int> Next();

  /// Gives the signals their default effect back. Called before a step that may block the loop, it lets a person's
  /// second Ctrl-C end the program even then.
  void RestoreDefaults();

 private:
  boost::asio::signal_set signals_;
};

/// Ignores SIGPIPE in this process, so that a write to a pipe whose reader is gone is an error value and not our death.
/// Called once, by the app, at start-up.
void IgnoreBrokenPipes();

}  // namespace shipmate::os
