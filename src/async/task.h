#pragma once

// The vocabulary of the one event loop: Task<T> is what every suspending function returns. A Task starts when it is
// awaited or spawned. Coroutines take their arguments by value, or by reference to an object whose header says that it
// outlives them; never by string_view or span. A coroutine is a named function, never a lambda with captures.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace shipmate::async {

template <class T = void>
using Task = boost::asio::awaitable<T>;
using Executor = boost::asio::any_io_executor;

}  // namespace shipmate::async

namespace shipmate {
using async::Executor;
using async::Task;
}  // namespace shipmate
