#include "os/modify_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "os/unique_fd.h"

namespace shipmate::os {

Result<std::unique_ptr<ModifyWatch>> ModifyWatch::Create(const Executor& executor) {
  UniqueFd fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd) return FailErrno(errno, "watching files (see fs.inotify.max_user_instances)");
  std::unique_ptr<ModifyWatch> watch(new ModifyWatch(executor));
  watch->descriptor_.assign(fd.Release());
  return watch;
}

Result<int> ModifyWatch::Arm(const std::string& path, std::function<void()> changed) {
  constexpr std::uint32_t kMask = IN_MODIFY | IN_ONESHOT | IN_DONT_FOLLOW;
  const int number = ::inotify_add_watch(descriptor_.native_handle(), path.c_str(), kMask);
  if (number < 0) return FailErrno(errno, "watching " + path);
  armed_[number] = std::move(changed);
  if (!std::exchange(reading_, true)) reader_.Spawn("watching files", Read());
  return number;
}

void ModifyWatch::Disarm(int number) {
  if (armed_.erase(number) == 0) return;
  // It may have fired by now: then the kernel has removed it already.
  [[maybe_unused]] const int result = ::inotify_rm_watch(descriptor_.native_handle(), number);
}

Task<void> ModifyWatch::Close() {
  armed_.clear();
  reader_.Cancel();
  if (!co_await reader_.Join(std::chrono::seconds(2))) LogError("watching files: the reader did not end");
  boost::system::error_code ignored;
  descriptor_.close(ignored);
}

void ModifyWatch::Fire(int number) {
  const auto found = armed_.find(number);
  if (found == armed_.end()) return;
  const auto changed = std::move(found->second);
  armed_.erase(found);
  changed();
}

Task<void> ModifyWatch::Read() {
  std::array<char, 16384> buffer{};
  while (true) {
    const std::size_t length =
        co_await descriptor_.async_read_some(boost::asio::buffer(buffer), boost::asio::use_awaitable);
    for (std::size_t at = 0; at + sizeof(inotify_event) <= length;) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof(event));
      at += sizeof(event) + event.len;
      if ((event.mask & IN_MODIFY) != 0U) Fire(event.wd);
      if ((event.mask & IN_Q_OVERFLOW) != 0U) {
        // Some events are lost: whoever waits looks for himself.
        while (!armed_.empty()) {
          const int number = armed_.begin()->first;
          auto changed = armed_.begin()->second;
          Disarm(number);
          changed();
        }
      }
    }
  }
}

}  // namespace shipmate::os
