#pragma once

// A time limit around any awaited operation. On expiry the operation is cancelled and unwound before WithDeadline
// returns, so that nothing of it is left running.

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>

#include "async/task.h"
#include "base/result.h"
#include "base/time_text.h"

namespace shipmate::async {

namespace internal {

// `a || b` waits for one SUCCESS: an operation that throws early would be reported as a late time-out. So the operation
// is wrapped to never throw. A class, not a variant: `||` flattens variants.
template <class T>
struct Outcome {
  std::optional<T> value;
  std::exception_ptr failure;
};

template <class T>
Task<std::shared_ptr<Outcome<T>>> Capture(Task<T> task) {
  auto outcome = std::make_shared<Outcome<T>>();
  try {
    outcome->value.emplace(co_await std::move(task));
  } catch (...) {
    outcome->failure = std::current_exception();
  }
  co_return outcome;
}

}  // namespace internal

/// The result of `task`, or kTimeout "<what>: no answer within <limit>". `what` names the attempt ("connecting to
/// discord.com:443"). Exceptions of the task pass through. A value that the task produced in the very moment of expiry
/// may be dropped: not for operations whose loss matters.
template <class T>
Task<Result<T>> WithDeadline(Task<Result<T>> task, std::chrono::milliseconds limit, std::string what) {
  using boost::asio::experimental::awaitable_operators::operator||;
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, limit);
  auto first = co_await (internal::Capture(std::move(task)) || timer.async_wait(boost::asio::use_awaitable));
  if (first.index() == 1) {
    co_return Fail(Errc::kTimeout, what + ": no answer within " +
                                       (limit < std::chrono::seconds(1) ? std::to_string(limit.count()) + "ms"
                                                                        : base::FormatDuration(limit)));
  }
  const auto outcome = std::get<0>(std::move(first));
  if (outcome->failure) std::rethrow_exception(outcome->failure);
  co_return std::move(*outcome->value);
}

/// Waits for `duration`. Throws operation_aborted when the waiting coroutine is cancelled.
inline Task<void> Sleep(std::chrono::milliseconds duration) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, duration);
  co_await timer.async_wait(boost::asio::use_awaitable);
}

}  // namespace shipmate::async
