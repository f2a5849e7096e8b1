#include "async/latch.h"

#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/system/system_error.hpp>

namespace shipmate::async {

Task<bool> Event::WaitFor(std::chrono::milliseconds limit) {
  using boost::asio::experimental::awaitable_operators::operator||;
  if (set_) co_return true;
  boost::asio::steady_timer deadline(timer_.get_executor(), limit);
  try {
    co_await (Wait() || deadline.async_wait(boost::asio::use_awaitable));
  } catch (const boost::asio::multiple_exceptions&) {
    // Both arms fail only when the waiting coroutine itself is cancelled: said in the way of every other wait.
    throw boost::system::system_error(boost::asio::error::operation_aborted);
  }
  co_return set_;
}

}  // namespace shipmate::async
