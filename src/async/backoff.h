#pragma once

// Pure exponential back-off with full jitter: each wait is drawn from [0, min(cap, base * 2^n)), with a floor.

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace shipmate::async {

struct BackoffOptions {
  std::chrono::milliseconds base{1000};
  std::chrono::milliseconds cap{60000};
  std::chrono::milliseconds floor{0};
};

class Backoff {
 public:
  explicit Backoff(BackoffOptions options) : options_(options) {}

  /// The next wait; `random` is uniform in [0, 1).
  std::chrono::milliseconds Next(double random) {
    const auto bound = std::min<std::int64_t>(options_.cap.count(), options_.base.count() << std::min(attempts_, 20U));
    ++attempts_;
    const auto drawn = std::chrono::milliseconds(static_cast<std::int64_t>(random * static_cast<double>(bound)));
    return std::max(drawn, options_.floor);
  }
  /// After a stable run.
  void Reset() { attempts_ = 0; }
  unsigned Attempts() const { return attempts_; }

 private:
  BackoffOptions options_;
  unsigned attempts_ = 0;
};

}  // namespace shipmate::async
