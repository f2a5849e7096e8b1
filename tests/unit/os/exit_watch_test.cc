#include "os/exit_watch.h"

#include <sys/prctl.h>
#include <sys/utsname.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect_pipe.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/asio/writable_pipe.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>
#include <csignal>
#include <cstdio>
#include <memory>

#include "async/deadline.h"
#include "async/spawn.h"
#include "os/owned_children.h"
#include "unit/os/support.h"
#include "unit/run_task.h"

using namespace shipmate;
using namespace shipmate::os;
using namespace std::chrono_literals;
using shipmate::tests::Eventually;
using shipmate::tests::RunTask;
using shipmate::tests::TestChild;

namespace {

// Of a process that has a pidfd: since Linux 6.15.
bool KernelKeepsStatus() {
  struct utsname system{};
  REQUIRE(::uname(&system) == 0);
  int major = 0;
  int minor = 0;
  REQUIRE(std::sscanf(system.release, "%d.%d", &major, &minor) == 2);
  return major > 6 || (major == 6 && minor >= 15);
}

// Eventually, for tests in which the loop has to run meanwhile.
template <class Condition>
Task<bool> EventuallyOnLoop(Condition condition) {
  for (int turn = 0; turn < 6000; ++turn) {
    if (condition()) co_return true;
    co_await async::Sleep(5ms);
  }
  co_return false;
}

Task<void> WaitInto(int pidfd, std::vector<ExitStatus>& ended) {
  ended.push_back(co_await WaitExit(pidfd));
}

Task<void> WaitSubreaper() {
  const auto is_subreaper = [] {
    int value = 0;
    ::prctl(PR_GET_CHILD_SUBREAPER, &value, 0, 0, 0);
    return value == 1;
  };
  CHECK(co_await EventuallyOnLoop(is_subreaper));
}

Task<void> ReapDaemon(const Executor& executor) {
  async::TaskGroup group(executor);
  group.Spawn("reaper", ReapOrphans());
  co_await WaitSubreaper();
  // Each of the two shells ends at once: the daemon is no child of the one we started, and of another session.
  const TestChild parent(TestChild::Shell("(setsid sh -c 'sleep 600 & echo $!' &) ; exit 0"));
  const pid_t daemon = parent.PrintedPid();
  const auto ours = [&] {
    const auto stat = ReadStat(daemon);
    return stat && stat->ppid == ::getpid();
  };
  CHECK(co_await EventuallyOnLoop(ours));
  CHECK(ReadStat(daemon)->session != parent.Pid());
  CHECK(::kill(daemon, SIGKILL) == 0);
  const auto gone = [&] { return !ReadStat(daemon); };
  CHECK(co_await EventuallyOnLoop(gone));
  group.Cancel();
  CHECK(co_await group.Join(10s));
}

struct OrphanWatch {
  std::vector<ExitStatus> ended;
  bool reaper_passed = false;
};

// With an owned zombie standing first, and one orphan spoken for: only the other orphan is reaped by ReapOrphans.
Task<void> ReapAround(const Executor& executor, const TestChild& owned, OrphanWatch& watch) {
  async::TaskGroup group(executor);
  group.Spawn("reaper", ReapOrphans());
  co_await WaitSubreaper();
  const TestChild first(TestChild::Shell("(sleep 600 & echo $!)"));
  const TestChild second(TestChild::Shell("(sleep 600 & echo $!)"));
  const pid_t claimed = first.PrintedPid();
  const pid_t stray = second.PrintedPid();
  const auto both_ours = [&] {
    const auto one = ReadStat(claimed);
    const auto two = ReadStat(stray);
    return one && two && one->ppid == ::getpid() && two->ppid == ::getpid();
  };
  CHECK(co_await EventuallyOnLoop(both_ours));
  const auto pidfd = OpenPidfd(claimed);
  REQUIRE(pidfd.has_value());
  CHECK(::kill(owned.Pid(), SIGKILL) == 0);
  const auto owned_is_zombie = [&] { return !ReadStat(owned.Pid())->Lives(); };
  CHECK(co_await EventuallyOnLoop(owned_is_zombie));

  group.Spawn("claimant", WaitInto(pidfd->Get(), watch.ended));
  co_await async::Sleep(1ms);  // one turn of the loop, in which it states its claim
  CHECK(internal::IsSpokenFor(claimed));
  CHECK(::kill(stray, SIGKILL) == 0);
  const auto stray_gone = [&] { return !ReadStat(stray); };
  watch.reaper_passed = co_await EventuallyOnLoop(stray_gone);
  CHECK(ReadStat(owned.Pid()).has_value());

  CHECK(::kill(claimed, SIGUSR1) == 0);
  const auto claimed_seen = [&] { return !watch.ended.empty(); };
  CHECK(co_await EventuallyOnLoop(claimed_seen));
  CHECK_FALSE(internal::IsSpokenFor(claimed));
  group.Cancel();
  CHECK(co_await group.Join(10s));
}

}  // namespace

TEST_CASE("ExitStatus words") {
  CHECK(ExitStatus{.code = 3}.Describe() == "exited with status 3");
  CHECK(ExitStatus{.code = 0}.Describe() == "exited with status 0");
  CHECK(ExitStatus{.signal = SIGSEGV}.Describe() == "killed by SIGSEGV");
  CHECK(ExitStatus{}.Describe() == "exited (status unknown)");
  CHECK(ExitStatus{.code = 0}.ErrorText().empty());
  CHECK(ExitStatus{.code = 1}.ErrorText() == "exit status 1");
  CHECK(ExitStatus{.signal = SIGKILL}.ErrorText() == "signal: killed");
  CHECK(ExitStatus{.signal = SIGSEGV}.ErrorText() == "signal: segmentation fault");
  CHECK(ExitStatus{.signal = SIGXCPU}.ErrorText() == "signal: CPU time limit exceeded");
  CHECK(ExitStatus{.signal = 99}.ErrorText() == "signal: signal 99");
  CHECK(SignalName(SIGTERM) == "SIGTERM");
  CHECK(SignalName(99) == "signal 99");
  CHECK(ExitStatus{.code = 0}.Success());
  CHECK_FALSE(ExitStatus{.signal = SIGTERM}.Success());
  CHECK_FALSE(ExitStatus{}.Success());
}

TEST_CASE("WaitExit: the status of own children, however they end") {
  boost::asio::io_context loop(1);
  const TestChild three(TestChild::Shell("exit 3"));
  CHECK(RunTask(loop, WaitExit(three.Pidfd())) == ExitStatus{.code = 3});
  CHECK_FALSE(internal::IsSpokenFor(three.Pid()));
  CHECK_FALSE(ReadStat(three.Pid()).has_value());
  const TestChild killed(TestChild::Shell("kill -SEGV $$"));
  CHECK(RunTask(loop, WaitExit(killed.Pidfd())) == ExitStatus{.signal = SIGSEGV});
}

TEST_CASE("WaitExit: a hundred children that end at once") {
  boost::asio::io_context loop(1);
  std::vector<std::unique_ptr<TestChild>> children;
  std::vector<ExitStatus> ended;
  async::TaskGroup group(loop.get_executor());
  for (int i = 0; i < 100; ++i) {
    children.push_back(std::make_unique<TestChild>(std::vector<std::string>{"/bin/sleep", "600"}));
    group.Spawn("wait", WaitInto(children.back()->Pidfd(), ended));
  }
  for (const auto& child : children) CHECK(SignalGroup(child->Pid(), SIGTERM).has_value());
  CHECK(RunTask(loop, group.Join(50s)));
  CHECK(ended == std::vector<ExitStatus>(100, ExitStatus{.signal = SIGTERM}));
}

TEST_CASE("WaitExit: cancelled, the child keeps its owner, and the next wait has the status") {
  boost::asio::io_context loop(1);
  const TestChild child({"/bin/sleep", "600"});
  std::vector<ExitStatus> ended;
  async::TaskGroup group(loop.get_executor());
  group.Spawn("wait", WaitInto(child.Pidfd(), ended));
  CHECK_FALSE(RunTask(loop, group.Join(20ms)));
  group.Cancel();
  CHECK(RunTask(loop, group.Join(10s)));
  CHECK(ended.empty());
  CHECK(internal::IsSpokenFor(child.Pid()));
  CHECK(SignalGroup(child.Pid(), SIGKILL).has_value());
  CHECK(RunTask(loop, WaitExit(child.Pidfd())) == ExitStatus{.signal = SIGKILL});
}

TEST_CASE("WaitExitUnreaped leaves the zombie, so that its group can still be named") {
  boost::asio::io_context loop(1);
  const TestChild child(TestChild::Shell("sleep 600 & exit 7"));
  CHECK(ReapExited(OpenPidfd(::getppid())->Get()) == std::nullopt);
  RunTask(loop, WaitExitUnreaped(child.Pidfd()));
  REQUIRE(ReadStat(child.Pid()).has_value());
  CHECK(ReadStat(child.Pid())->state == 'Z');
  CHECK(SignalGroup(child.Pid(), SIGKILL).has_value());
  CHECK(Eventually([&] { return LivingGroup(child.Pid()).empty(); }));
  CHECK(ReapExited(child.Pidfd()) == ExitStatus{.code = 7});
  CHECK(ReapExited(child.Pidfd()) == (KernelKeepsStatus() ? ExitStatus{.code = 7} : ExitStatus{}));
}

TEST_CASE("WaitExit: the end of a process that is not our child is seen, and its status where the kernel keeps it") {
  boost::asio::io_context loop(1);
  const TestChild parent(TestChild::Shell("sleep 600 & echo $!; while true; do wait; sleep 600; done"));
  const pid_t grandchild = parent.PrintedPid();
  REQUIRE(ReadStat(grandchild)->ppid == parent.Pid());
  const auto pidfd = OpenPidfd(grandchild);
  REQUIRE(pidfd.has_value());
  CHECK(ReapExited(pidfd->Get()) == std::nullopt);
  std::vector<ExitStatus> ended;
  async::TaskGroup group(loop.get_executor());
  group.Spawn("wait", WaitInto(pidfd->Get(), ended));
  group.Spawn("wait too", WaitInto(pidfd->Get(), ended));
  CHECK_FALSE(RunTask(loop, group.Join(20ms)));
  CHECK(SignalPidfd(pidfd->Get(), SIGKILL).has_value());
  CHECK(RunTask(loop, group.Join(30s)));
  const ExitStatus expected = KernelKeepsStatus() ? ExitStatus{.signal = SIGKILL} : ExitStatus{};
  CHECK(ended == std::vector<ExitStatus>(2, expected));
}

TEST_CASE("ReapOrphans: a daemon that forked itself away comes back to us and leaves no zombie") {
  boost::asio::io_context loop(1);
  RunTask(loop, ReapDaemon(loop.get_executor()));
}

TEST_CASE("ReapOrphans leaves alone whom somebody owns or waits for") {
  boost::asio::io_context loop(1);
  const TestChild owned({"/bin/sleep", "600"});
  OrphanWatch watch;
  RunTask(loop, ReapAround(loop.get_executor(), owned, watch));
  CHECK(watch.reaper_passed);
  // It came to us as an orphan, so its status is known.
  CHECK(watch.ended == std::vector<ExitStatus>{ExitStatus{.signal = SIGUSR1}});
  CHECK(RunTask(loop, WaitExit(owned.Pidfd())) == ExitStatus{.signal = SIGKILL});
}

TEST_CASE("ExitStatus: in words") {
  CHECK(ExitStatus{.code = 3}.Describe() == "exited with status 3");
  CHECK(ExitStatus{.signal = SIGTERM}.Describe() == "killed by SIGTERM");
  CHECK(ExitStatus{.signal = SIGSEGV, .core_dumped = true}.Describe() == "killed by SIGSEGV (core dumped)");
  CHECK(ExitStatus{}.Describe() == "exited (status unknown)");
}

// The reactor hands the record of a closed descriptor to the next one, with an event of the old one that it has not
// told yet.
TEST_CASE("ExitWatch: an event of a closed descriptor is not taken for the end of a process") {
  boost::asio::io_context loop(1);
  boost::asio::readable_pipe first(loop);
  boost::asio::readable_pipe second(loop);
  boost::asio::writable_pipe to_first(loop);
  boost::asio::writable_pipe to_second(loop);
  boost::asio::connect_pipe(first, to_first);
  boost::asio::connect_pipe(second, to_second);
  const TestChild child({"/bin/sleep", "600"});
  std::unique_ptr<ExitWatch> watch;
  int ends = 0;
  const auto watch_instead_of = [&](boost::asio::readable_pipe& other) {
    if (watch) return;
    other.close();
    auto made = ExitWatch::Create(loop.get_executor(), child.Pidfd(), [&ends] { ++ends; });
    REQUIRE(made.has_value());
    watch = *std::move(made);
  };
  std::array<char, 1> a{};
  std::array<char, 1> b{};
  first.async_read_some(boost::asio::buffer(a), [&](const auto&, std::size_t) { watch_instead_of(second); });
  second.async_read_some(boost::asio::buffer(b), [&](const auto&, std::size_t) { watch_instead_of(first); });
  boost::asio::write(to_first, boost::asio::buffer("x", 1));
  boost::asio::write(to_second, boost::asio::buffer("x", 1));
  loop.run_for(200ms);
  REQUIRE(watch);
  CHECK(ends == 0);
  REQUIRE(SignalGroup(child.Pid(), SIGKILL).has_value());
  loop.restart();
  loop.run_for(10s);
  CHECK(ends == 1);
}
