#pragma once

// RunTask: runs one coroutine on a loop of its own until it ends, and gives its value; the bridge from a doctest case
// to awaitable code. A coroutine that does not end within the limit fails the case instead of hanging it.

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "async/task.h"

namespace shipmate::tests {

inline constexpr std::chrono::seconds kTestLimit{60};

template <class T>
T RunTask(boost::asio::io_context& loop, Task<T> task) {
  std::exception_ptr failure;
  bool done = false;
  if constexpr (std::is_void_v<T>) {
    boost::asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error) {
      failure = std::move(error);
      done = true;
      loop.stop();
    });
    loop.restart();
    loop.run_for(kTestLimit);
    if (!done) throw std::runtime_error("the test's coroutine did not end in time");
    if (failure) std::rethrow_exception(failure);
  } else {
    std::optional<T> value;
    boost::asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error, T result) {
      failure = std::move(error);
      value.emplace(std::move(result));
      done = true;
      loop.stop();
    });
    loop.restart();
    loop.run_for(kTestLimit);
    if (!done) throw std::runtime_error("the test's coroutine did not end in time");
    if (failure) std::rethrow_exception(failure);
    return std::move(*value);
  }
}

}  // namespace shipmate::tests
