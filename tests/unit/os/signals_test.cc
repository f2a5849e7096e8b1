#include "os/signals.h"

#include <boost/asio/io_context.hpp>
#include <boost/system/system_error.hpp>
#include <csignal>

#include "async/spawn.h"
#include "unit/os/support.h"
#include "unit/run_task.h"

using namespace shipmate;
using namespace shipmate::os;
using namespace std::chrono_literals;
using shipmate::tests::RunTask;

namespace {

bool HasDefault(const struct sigaction& action) {
  return action.sa_handler == SIG_DFL;
}

struct sigaction ActionOf(int signal) {
  struct sigaction action{};
  REQUIRE(::sigaction(signal, nullptr, &action) == 0);
  return action;
}

Task<void> NextInto(SignalWatcher& watcher, std::vector<int>& seen) {
  while (true) seen.push_back(co_await watcher.Next());
}

}  // namespace

TEST_CASE("SignalWatcher: each signal once, also one that came while nobody waited") {
  boost::asio::io_context loop(1);
  SignalWatcher watcher(loop.get_executor(), {SIGTERM, SIGINT, SIGHUP});
  ::raise(SIGTERM);
  CHECK(RunTask(loop, watcher.Next()) == SIGTERM);
  ::raise(SIGHUP);
  CHECK(RunTask(loop, watcher.Next()) == SIGHUP);
  ::raise(SIGINT);
  ::raise(SIGINT);
  CHECK(RunTask(loop, watcher.Next()) == SIGINT);
  CHECK(RunTask(loop, watcher.Next()) == SIGINT);
}

TEST_CASE("SignalWatcher: system calls go on, and the end of the watcher gives the default back") {
  boost::asio::io_context loop(1);
  REQUIRE(HasDefault(ActionOf(SIGUSR2)));
  {
    SignalWatcher watcher(loop.get_executor(), {SIGUSR2});
    CHECK_FALSE(HasDefault(ActionOf(SIGUSR2)));
    CHECK((ActionOf(SIGUSR2).sa_flags & SA_RESTART) != 0);
  }
  CHECK(HasDefault(ActionOf(SIGUSR2)));
}

TEST_CASE("SignalWatcher: RestoreDefaults ends the wait") {
  boost::asio::io_context loop(1);
  SignalWatcher watcher(loop.get_executor(), {SIGUSR2});
  std::vector<int> seen;
  async::TaskGroup group(loop.get_executor());
  group.Spawn("signals", NextInto(watcher, seen));
  CHECK_FALSE(RunTask(loop, group.Join(10ms)));
  ::raise(SIGUSR2);
  CHECK_FALSE(RunTask(loop, group.Join(10ms)));
  CHECK(seen == std::vector<int>{SIGUSR2});
  watcher.RestoreDefaults();
  CHECK(RunTask(loop, group.Join(10s)));
  CHECK(HasDefault(ActionOf(SIGUSR2)));
}

TEST_CASE("SignalWatcher: what cannot be caught is a fault told at once") {
  boost::asio::io_context loop(1);
  CHECK_THROWS_AS(SignalWatcher(loop.get_executor(), {SIGKILL}), boost::system::system_error);
}

TEST_CASE("IgnoreBrokenPipes: a write to a closed pipe is an error and not our end") {
  const auto before = ActionOf(SIGPIPE);
  IgnoreBrokenPipes();
  int ends[2] = {-1, -1};
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  ::close(ends[0]);
  CHECK(::write(ends[1], "x", 1) == -1);
  CHECK(errno == EPIPE);
  ::close(ends[1]);
  ::sigaction(SIGPIPE, &before, nullptr);
}
