#include "os/sd_notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>

#include "os/posix.h"
#include "os/unique_fd.h"

namespace shipmate::os {

namespace {

std::string_view Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

std::int64_t Number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

}  // namespace

ServiceLink ServiceLink::FromEnvironment() {
  ServiceLink link;
  const std::string_view socket = Variable("NOTIFY_SOCKET");
  if (socket.starts_with('/') || socket.starts_with('@')) link.socket_ = socket;
  // sd_watchdog_enabled(3): without a pid it is meant for whoever reads it.
  const std::string_view watched = Variable("WATCHDOG_PID");
  const std::int64_t interval = Number(Variable("WATCHDOG_USEC"));
  if (interval > 0 && (watched.empty() || Number(watched) == ::getpid())) {
    link.watchdog_ = std::chrono::microseconds(interval);
  }
  return link;
}

const std::vector<std::string>& ServiceLink::Variables() {
  static const std::vector<std::string> names{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
  return names;
}

Result<void> ServiceLink::Send(std::string_view assignments) const {
  if (socket_.empty()) return {};
  const std::string attempt = "telling the service manager at " + socket_;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_.size() >= sizeof(address.sun_path)) return Fail(Errc::kInvalid, attempt + ": the path is too long");
  std::ranges::copy(socket_, static_cast<char*>(address.sun_path));
  if (socket_.front() == '@') address.sun_path[0] = '\0';
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return FailErrno(errno, attempt);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  const auto sent = internal::RetryInterrupted([&] {
    return ::sendto(fd.Get(), assignments.data(), assignments.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                    reinterpret_cast<const sockaddr*>(&address), size);
  });
  if (sent < 0) return FailErrno(errno, attempt);
  return {};
}

}  // namespace shipmate::os
