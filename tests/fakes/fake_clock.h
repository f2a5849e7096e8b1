#pragma once

// FakeClock: time that moves only when the test says so. It starts at an arbitrary fixed moment on both scales.

#include <chrono>

#include "base/clock.h"

namespace shipmate::tests {

class FakeClock final : public base::Clock {
 public:
  base::SteadyTime Now() const override { return now_; }
  base::WallTime WallNow() const override { return wall_; }

  /// Lets time pass on both scales.
  void Advance(std::chrono::nanoseconds duration) {
    now_ += duration;
    wall_ += duration;
  }
  /// Steps the system's clock alone, as an administrator or NTP does.
  void StepWall(std::chrono::nanoseconds duration) { wall_ += duration; }
  void SetWall(base::WallTime time) { wall_ = time; }

 private:
  base::SteadyTime now_{std::chrono::hours(1000)};
  base::WallTime wall_{std::chrono::seconds(1711000000)};
};

}  // namespace shipmate::tests
