#include "async/latch.h"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace shipmate::async {

Task<bool> Event::WaitFor(std::chrono::milliseconds limit) {
  using boost::asio::experimental::awaitable_operators::operator||;
  if (set_) co_return true;
  boost::asio::steady_timer deadline(timer_.get_executor(), limit);
  co_await (Wait() || deadline.async_wait(boost::asio::use_awaitable));
  co_return set_;
}

}  // namespace shipmate::async
