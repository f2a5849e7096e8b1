#include "os/wall_alarm.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <utility>

#include "os/unique_fd.h"

namespace shipmate::os {

Result<std::unique_ptr<WallAlarm>> WallAlarm::Create(const Executor& executor) {
  UniqueFd fd(::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!fd) return FailErrno(errno, "making a timer for schedules");
  std::unique_ptr<WallAlarm> alarm(new WallAlarm(executor));
  alarm->descriptor_.assign(fd.Release());
  return alarm;
}

Task<void> WallAlarm::Wait(std::optional<std::chrono::nanoseconds> left) {
  using std::chrono::nanoseconds;
  using std::chrono::seconds;
  if (std::exchange(woken_, false)) co_return;
  itimerspec setting{};
  if (left) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const nanoseconds until = seconds(now.tv_sec) + nanoseconds(now.tv_nsec) + std::max(*left, nanoseconds(1));
    setting.it_value.tv_sec = std::chrono::floor<seconds>(until).count();
    setting.it_value.tv_nsec = (until - std::chrono::floor<seconds>(until)).count();
  }
  if (::timerfd_settime(descriptor_.native_handle(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &setting, nullptr) !=
          0 &&
      errno != ECANCELED) {
    throw boost::system::system_error(errno, boost::system::system_category(), "setting the timer for schedules");
  }
  const auto [error] = co_await descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                                       boost::asio::as_tuple(boost::asio::use_awaitable));
  if (error && !woken_) throw boost::system::system_error(error);
  woken_ = false;
  // Empties it; ECANCELED tells that the clock was set, which the caller finds out by himself.
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(descriptor_.native_handle(), &count, sizeof(count));
}

void WallAlarm::Wake() {
  woken_ = true;
  descriptor_.cancel();
}

}  // namespace shipmate::os
