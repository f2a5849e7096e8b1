#include "os/sd_notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <cstdlib>

#include "unit/os/support.h"

using namespace shipmate;
using namespace shipmate::os;
using shipmate::tests::TempDir;

namespace {

// A service manager's end of the talk.
class Manager {
 public:
  explicit Manager(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (path.front() == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    REQUIRE(::bind(fd_.Get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~Manager() {
    for (const std::string& name : ServiceLink::Variables()) ::unsetenv(name.c_str());
  }

  std::string Heard() const {
    std::array<char, 256> text{};
    const ssize_t length = ::recv(fd_.Get(), text.data(), text.size(), 0);
    return length < 0 ? "nothing" : std::string(text.data(), static_cast<std::size_t>(length));
  }

 private:
  UniqueFd fd_;
};

}  // namespace

TEST_CASE("ServiceLink: without a manager nothing is said, and that is no failure") {
  ::unsetenv("NOTIFY_SOCKET");
  const ServiceLink link = ServiceLink::FromEnvironment();
  CHECK_FALSE(link.Listening());
  CHECK_FALSE(link.Watchdog());
  CHECK(link.Send("READY=1"));
}

TEST_CASE("ServiceLink: a manager hears what is sent, at a path and at an abstract name") {
  const TempDir dir;
  for (const std::string& address : {dir.Path() + "/notify", "@shipmate-test-" + std::to_string(::getpid())}) {
    CAPTURE(address);
    const Manager manager(address);
    const ServiceLink link = ServiceLink::FromEnvironment();
    CHECK(link.Listening());
    REQUIRE(link.Send("READY=1\nSTATUS=all is well"));
    CHECK(manager.Heard() == "READY=1\nSTATUS=all is well");
    CHECK(manager.Heard() == "nothing");
  }
}

TEST_CASE("ServiceLink: the watchdog's interval, when it is meant for this process") {
  const TempDir dir;
  const Manager manager(dir.Path() + "/notify");
  ::setenv("WATCHDOG_USEC", "1500000", 1);
  CHECK(ServiceLink::FromEnvironment().Watchdog() == std::chrono::milliseconds(1500));
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  CHECK(ServiceLink::FromEnvironment().Watchdog() == std::chrono::milliseconds(1500));
  ::setenv("WATCHDOG_PID", "1", 1);
  CHECK_FALSE(ServiceLink::FromEnvironment().Watchdog());
  ::unsetenv("WATCHDOG_PID");
  ::setenv("WATCHDOG_USEC", "soon", 1);
  CHECK_FALSE(ServiceLink::FromEnvironment().Watchdog());
}

TEST_CASE("ServiceLink: a manager that is gone is told as one sentence") {
  const TempDir dir;
  ::setenv("NOTIFY_SOCKET", (dir.Path() + "/gone").c_str(), 1);
  const auto sent = ServiceLink::FromEnvironment().Send("READY=1");
  ::unsetenv("NOTIFY_SOCKET");
  REQUIRE_FALSE(sent);
  CHECK(sent.error().what.starts_with("telling the service manager at "));
}
