#pragma once

// Mailbox<T>: an unbounded first-in first-out queue with one reading coroutine. Whoever pushes bounds what he pushes.
// (Asio's own experimental::channel loses its buffer after a cancelled receive in 1.81.)

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <list>
#include <optional>
#include <utility>

#include "async/task.h"

namespace shipmate::async {

/// REQUIRES: outlives its reader.
template <class T>
class Mailbox {
 public:
  explicit Mailbox(const Executor& executor) : timer_(executor, std::chrono::steady_clock::time_point::max()) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// False, and the value is dropped, when the mailbox is closed.
  bool Push(T value) {
    if (closed_) return false;
    queue_.push_back(std::move(value));
    timer_.cancel();
    return true;
  }
  /// Nothing more can be pushed; what is inside can still be popped.
  void Close() {
    closed_ = true;
    timer_.cancel();
  }
  bool IsClosed() const { return closed_; }
  std::size_t Size() const { return queue_.size(); }

  /// The oldest value; waits for one. nullopt when closed and empty. Throws operation_aborted when the reading
  /// coroutine is cancelled; no value is lost by that.
  Task<std::optional<T>> Pop() {
    while (queue_.empty()) {
      if (closed_) co_return std::nullopt;
      co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
      const auto state = co_await boost::asio::this_coro::cancellation_state;
      if (queue_.empty() && state.cancelled() != boost::asio::cancellation_type::none) {
        throw boost::system::system_error(boost::asio::error::operation_aborted);
      }
    }
    co_return TryPop();
  }
  std::optional<T> TryPop() {
    if (queue_.empty()) return std::nullopt;
    std::optional<T> value(std::move(queue_.front()));
    queue_.pop_front();
    return value;
  }

 private:
  boost::asio::steady_timer timer_;
  // An empty list takes no memory of its own, and most mailboxes are empty.
  std::list<T> queue_;
  bool closed_ = false;
};

}  // namespace shipmate::async
