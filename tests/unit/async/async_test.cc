#include <doctest/doctest.h>

#include <future>
#include <string>
#include <vector>

#include "async/backoff.h"
#include "async/deadline.h"
#include "async/latch.h"
#include "async/mailbox.h"
#include "async/offload.h"
#include "async/spawn.h"
#include "unit/run_task.h"

using namespace shipmate;
using namespace shipmate::async;
using namespace std::chrono_literals;
using shipmate::tests::RunTask;

namespace {

Task<Result<int>> Answer(std::chrono::milliseconds after, int value) {
  co_await Sleep(after);
  co_return value;
}

Task<Result<int>> FailAfter(std::chrono::milliseconds after) {
  co_await Sleep(after);
  co_return Fail(Errc::kIo, "it broke");
}

Task<Result<int>> ThrowAfter(std::chrono::milliseconds after) {
  co_await Sleep(after);
  throw std::runtime_error("thrown");
}

Task<void> Collect(Mailbox<int>& mailbox, std::vector<int>& seen) {
  while (auto value = co_await mailbox.Pop()) seen.push_back(*value);
}

Task<void> WaitBounded(Event& event) {
  co_await event.WaitFor(1h);
}

Task<void> WaitForever(Event& event, bool& unwound) {
  struct Flag {
    bool& flag;
    ~Flag() { flag = true; }
  } flag{unwound};
  co_await event.Wait();
}

Task<void> HoldUp(WorkerPool& pool, std::shared_future<void> open, Event& done) {
  co_await pool.Run([open = std::move(open)] {
    open.wait();
    return true;
  });
  done.Set();
}

Task<void> Throw() {
  co_await Sleep(1ms);
  throw std::runtime_error("member failed");
}

}  // namespace

TEST_CASE("WithDeadline gives the value, the failure, the exception or a named time-out") {
  boost::asio::io_context loop(1);
  CHECK(RunTask(loop, WithDeadline(Answer(1ms, 7), 5s, "asking")).value() == 7);
  CHECK(RunTask(loop, WithDeadline(FailAfter(1ms), 5s, "asking")).error().what == "it broke");
  CHECK_THROWS_WITH(static_cast<void>(RunTask(loop, WithDeadline(ThrowAfter(1ms), 5s, "asking"))), "thrown");
  const auto late = RunTask(loop, WithDeadline(Answer(1h, 7), 20ms, "asking"));
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error().code == Errc::kTimeout);
  CHECK(late.error().what == "asking: no answer within 20ms");
}

TEST_CASE("Mailbox keeps the order, ends when closed, and loses nothing to a cancelled reader") {
  boost::asio::io_context loop(1);
  Mailbox<int> mailbox(loop.get_executor());
  std::vector<int> seen;
  TaskGroup group(loop.get_executor());
  group.Spawn("reader", Collect(mailbox, seen));
  loop.poll();
  CHECK(mailbox.Push(1));
  group.Cancel();
  loop.restart();
  loop.poll();
  group.Spawn("reader", Collect(mailbox, seen));
  CHECK(mailbox.Push(2));
  mailbox.Close();
  CHECK_FALSE(mailbox.Push(3));
  loop.restart();
  loop.run();
  CHECK(seen == std::vector<int>{1, 2});
}

TEST_CASE("TaskGroup cancels and joins its members, and tells a failure") {
  boost::asio::io_context loop(1);
  Event never(loop.get_executor());
  TaskGroup group(loop.get_executor());
  bool unwound = false;
  std::string failed;
  group.OnFailure([&](const std::string& name) { failed = name; });
  group.Spawn("waiter", WaitForever(never, unwound));
  group.Spawn("thrower", Throw());
  CHECK_FALSE(RunTask(loop, group.Join(50ms)));
  CHECK(failed == "thrower");
  CHECK(group.Size() == 1);
  group.Cancel();
  CHECK(RunTask(loop, group.Join(5s)));
  CHECK(unwound);
}

TEST_CASE("Event is one-shot and may be set twice") {
  boost::asio::io_context loop(1);
  Event event(loop.get_executor());
  CHECK_FALSE(RunTask(loop, event.WaitFor(5ms)));
  event.Set();
  event.Set();
  CHECK(RunTask(loop, event.WaitFor(1h)));
}

TEST_CASE("a bounded wait that is cancelled is no failure of its group's") {
  boost::asio::io_context loop(1);
  TaskGroup group(loop.get_executor());
  Event never(loop.get_executor());
  bool failed = false;
  group.OnFailure([&failed](const std::string&) { failed = true; });
  group.Spawn("bounded waiter", WaitBounded(never));
  RunTask(loop, Sleep(1ms));
  group.Cancel();
  CHECK(RunTask(loop, group.Join(5s)));
  CHECK_FALSE(failed);
}

TEST_CASE("LatestWins keeps the newest value only") {
  boost::asio::io_context loop(1);
  LatestWins<int> slot(loop.get_executor());
  CHECK_FALSE(slot.Put(1));
  CHECK(slot.Put(2));
  CHECK(RunTask(loop, slot.Take()) == 2);
  CHECK_FALSE(slot.HasValue());
}

TEST_CASE("WorkerPool brings values and exceptions back to the loop") {
  boost::asio::io_context loop(1);
  WorkerPool pool(2);
  CHECK(RunTask(loop, pool.Run([] { return std::string("done"); })) == "done");
  CHECK_THROWS_WITH(static_cast<void>(RunTask(loop, pool.Run([]() -> int { throw std::runtime_error("no"); }))), "no");
}

TEST_CASE("a worker that is held up holds up nobody else") {
  boost::asio::io_context loop(1);
  WorkerPool pool(2);
  std::promise<void> gate;
  Event done(loop.get_executor());
  Spawn(loop.get_executor(), "held up", HoldUp(pool, gate.get_future().share(), done));
  for (int i = 0; i < 5; ++i) CHECK(RunTask(loop, pool.Run([i] { return i; })) == i);
  CHECK_FALSE(done.IsSet());
  gate.set_value();
  RunTask(loop, WaitBounded(done));
  CHECK(done.IsSet());
}

TEST_CASE("Backoff grows to its cap, keeps its floor and starts anew after Reset") {
  Backoff backoff({.base = 1s, .cap = 10s, .floor = 100ms});
  CHECK(backoff.Next(0.0) == 100ms);
  CHECK(backoff.Next(0.5) == 1s);
  for (int i = 0; i < 40; ++i) CHECK(backoff.Next(0.999) < 10s);
  backoff.Reset();
  CHECK(backoff.Next(0.999) < 1s);
}
