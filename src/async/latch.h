#pragma once

// Event: a one-shot signal that any number of coroutines may await. Set is idempotent, so that two reasons to stop are
// one stop. LatestWins<T>: a slot for the newest value only, for one reader.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "async/task.h"

namespace shipmate::async {

/// REQUIRES: outlives every coroutine that waits on it.
class Event {
 public:
  explicit Event(const Executor& executor) : timer_(executor, std::chrono::steady_clock::time_point::max()) {}
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void Set() {
    if (std::exchange(set_, true)) return;
    timer_.cancel();
  }
  bool IsSet() const { return set_; }

  /// Returns once the event is set; throws operation_aborted when the waiting coroutine itself is cancelled.
  Task<void> Wait() {
    while (!set_) {
      co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
      if (!set_) {
        const auto state = co_await boost::asio::this_coro::cancellation_state;
        if (state.cancelled() != boost::asio::cancellation_type::none) {
          throw boost::system::system_error(boost::asio::error::operation_aborted);
        }
      }
    }
  }
  /// True when the event was set within `limit`.
  Task<bool> WaitFor(std::chrono::milliseconds limit);

 private:
  boost::asio::steady_timer timer_;
  bool set_ = false;
};

/// A slot that holds at most one value: a newer one replaces an unread older one. One reader.
template <class T>
class LatestWins {
 public:
  explicit LatestWins(const Executor& executor) : timer_(executor, std::chrono::steady_clock::time_point::max()) {}

  /// True when an unread value was replaced.
  bool Put(T value) {
    const bool replaced = value_.has_value();
    value_ = std::move(value);
    timer_.cancel();
    return replaced;
  }
  bool HasValue() const { return value_.has_value(); }
  std::optional<T> TryTake() { return std::exchange(value_, std::nullopt); }
  Task<T> Take() {
    while (!value_) {
      co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
      const auto state = co_await boost::asio::this_coro::cancellation_state;
      if (!value_ && state.cancelled() != boost::asio::cancellation_type::none) {
        throw boost::system::system_error(boost::asio::error::operation_aborted);
      }
    }
    co_return *std::exchange(value_, std::nullopt);
  }

 private:
  boost::asio::steady_timer timer_;
  std::optional<T> value_;
};

}  // namespace shipmate::async
