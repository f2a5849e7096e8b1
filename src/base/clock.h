#pragma once

// Time is injected: whatever needs "now" is given a Clock, so that tests move time instead of waiting for it.
// Durations, deadlines and expiry use Now(), which never jumps; WallNow() is for what a person or a file reads.

#include <chrono>

namespace shipmate::base {

using SteadyTime = std::chrono::steady_clock::time_point;
/// Nanosecond resolution; the zero value means "never".
using WallTime = std::chrono::sys_time<std::chrono::nanoseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  /// Monotonic; not moved by changes of the system's clock.
  virtual SteadyTime Now() const = 0;
  /// The system's clock, which an administrator or NTP may step in either direction.
  virtual WallTime WallNow() const = 0;
};

/// The machine's own clocks. Stateless; any number may exist.
class SystemClock final : public Clock {
 public:
  SteadyTime Now() const override { return std::chrono::steady_clock::now(); }
  WallTime WallNow() const override {
    return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
  }
};

}  // namespace shipmate::base
