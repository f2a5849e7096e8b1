#pragma once

// WallAlarm: waits until the machine's clock shows a time, also when the clock is set or the machine sleeps meanwhile.
// One timerfd(2); nothing wakes up before the time has come.

#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <memory>
#include <optional>

#include "async/task.h"
#include "base/result.h"

namespace shipmate::os {

class WallAlarm {
 public:
  static Result<std::unique_ptr<WallAlarm>> Create(const Executor& executor);
  WallAlarm(const WallAlarm&) = delete;
  WallAlarm& operator=(const WallAlarm&) = delete;

  /// Returns when the clock shows `left` more than now; before that when it is set, or after Wake: so the caller looks
  /// again. nullopt: for ever. One wait at a time. Cancellable.
  Task<void> Wait(std::optional<std::chrono::nanoseconds> left);
  /// Ends the wait under way, or else the next one.
  void Wake();

 private:
  explicit WallAlarm(const Executor& executor) : descriptor_(executor) {}

  boost::asio::posix::stream_descriptor descriptor_;
  bool woken_ = false;
};

}  // namespace shipmate::os
