#pragma once

// Event: a one-shot signal that any number of coroutines may await. Set is idempotent, so that two reasons to stop are
// one stop. LatestWins<T>: a slot for the newest value only, for one reader.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "async/task.h"

namespace shipmate::async {

/// REQUIRES: outlives every coroutine that waits on it.
class Event {
 public:
  explicit Event(Executor executor) : executor_(std::move(executor)) {}
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void Set() {
    if (std::exchange(set_, true) || !waiters_) return;
    for (boost::asio::steady_timer* waiter : *waiters_) waiter->cancel();
  }
  bool IsSet() const { return set_; }

  /// Returns once the event is set; throws operation_aborted when the waiting coroutine itself is cancelled.
  Task<void> Wait() {
    // It only returns for that, or throws.
    while (!set_) co_await WaitOnce(std::nullopt);
  }
  /// True when the event was set within `limit`. Cancellable like Wait.
  Task<bool> WaitFor(std::chrono::milliseconds limit) {
    if (!set_) co_await WaitOnce(limit);
    co_return set_;
  }

 private:
  Task<void> WaitOnce(std::optional<std::chrono::milliseconds> limit);

  Executor executor_;
  bool set_ = false;
  // One timer each, that is its limit and its signal. Theirs too, since a coroutine may be destroyed after the event,
  // at the end of the loop.
  std::shared_ptr<std::vector<boost::asio::steady_timer*>> waiters_;
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
