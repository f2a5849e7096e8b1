#include "async/latch.h"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <memory>

namespace shipmate::async {

Task<void> Event::WaitOnce(std::optional<std::chrono::milliseconds> limit) {
  boost::asio::steady_timer timer(executor_, std::chrono::steady_clock::time_point::max());
  if (limit) timer.expires_after(*limit);
  if (!waiters_) waiters_ = std::make_shared<std::vector<boost::asio::steady_timer*>>();
  waiters_->push_back(&timer);
  const auto leave = [waiters = waiters_](boost::asio::steady_timer* left) { std::erase(*waiters, left); };
  const std::unique_ptr<boost::asio::steady_timer, decltype(leave)> place(&timer, leave);
  co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  if (set_) co_return;
  const auto state = co_await boost::asio::this_coro::cancellation_state;
  if (state.cancelled() != boost::asio::cancellation_type::none) {
    throw boost::system::system_error(boost::asio::error::operation_aborted);
  }
}

}  // namespace shipmate::async
