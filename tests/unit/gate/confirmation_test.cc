#include "gate/confirmation.h"

#include <doctest/doctest.h>

#include "fakes/fake_clock.h"

using namespace shipmate;
using namespace std::chrono_literals;
using gate::ConfirmationTracker;
using tests::FakeClock;

namespace {

gate::Wish Asked(const std::string& service, const std::string& branch) {
  gate::Wish wish;
  wish.service = service;
  wish.info.branch = branch;
  return wish;
}

std::string ConfirmedBranch(ConfirmationTracker& tracker, const std::string& service) {
  const auto wish = tracker.Confirm(service);
  return wish ? wish->info.branch : "none";
}

}  // namespace

TEST_CASE("a confirmation is given once") {
  FakeClock clock;
  ConfirmationTracker tracker(clock);
  tracker.AddPending(Asked("web", "main"), 10min);
  CHECK(ConfirmedBranch(tracker, "web") == "main");
  CHECK(ConfirmedBranch(tracker, "web") == "none");
}

TEST_CASE("what was not asked cannot be confirmed") {
  FakeClock clock;
  ConfirmationTracker tracker(clock);
  CHECK(!tracker.Confirm("web").has_value());
  tracker.AddPending(Asked("web", "main"), 10min);
  CHECK(!tracker.Confirm("web.api").has_value());
  CHECK(tracker.IsPending("web"));
}

TEST_CASE("looking does not consume") {
  FakeClock clock;
  ConfirmationTracker tracker(clock);
  CHECK(!tracker.IsPending("web"));
  tracker.AddPending(Asked("web", "main"), 10min);
  CHECK(tracker.IsPending("web"));
  CHECK(tracker.IsPending("web"));
  CHECK(tracker.List().size() == 1);
  CHECK(tracker.Confirm("web").has_value());
  CHECK(!tracker.IsPending("web"));
}

TEST_CASE("a newer push takes the place of the older one and starts the time anew") {
  FakeClock clock;
  ConfirmationTracker tracker(clock);
  tracker.AddPending(Asked("web", "old"), 10min);
  clock.Advance(9min);
  tracker.AddPending(Asked("web", "new"), 10min);
  clock.Advance(9min);
  CHECK(tracker.List().size() == 1);
  CHECK(ConfirmedBranch(tracker, "web") == "new");
  CHECK(ConfirmedBranch(tracker, "web") == "none");
}

TEST_CASE("the time runs out strictly after its length") {
  FakeClock clock;
  ConfirmationTracker tracker(clock);
  tracker.AddPending(Asked("web", "main"), 1ms);
  clock.Advance(1ms);
  CHECK(tracker.IsPending("web"));
  clock.Advance(1ns);
  CHECK(!tracker.IsPending("web"));
  CHECK(!tracker.Confirm("web").has_value());

  tracker.AddPending(Asked("web", "main"), 1ms);
  clock.Advance(1ms);
  CHECK(tracker.Confirm("web").has_value());

  tracker.AddPending(Asked("web", "main"), 1ms);
  clock.Advance(5ms);
  CHECK(!tracker.Confirm("web").has_value());
  CHECK(tracker.List().empty());
}

TEST_CASE("steps of the system's clock neither end nor prolong the time") {
  FakeClock clock;
  ConfirmationTracker tracker(clock);
  tracker.AddPending(Asked("web", "main"), 10min);
  clock.StepWall(24h);
  CHECK(tracker.IsPending("web"));
  clock.StepWall(-72h);
  clock.Advance(11min);
  CHECK(!tracker.IsPending("web"));
}

TEST_CASE("the list is by name, without what ran out, with the time left") {
  FakeClock clock;
  ConfirmationTracker tracker(clock);
  tracker.AddPending(Asked("charlie", "c"), 10min);
  clock.Advance(6min);
  tracker.AddPending(Asked("bravo", "b"), 10min);
  tracker.AddPending(Asked("alpha", "a"), 10min);
  auto list = tracker.List();
  REQUIRE(list.size() == 3);
  CHECK(list[0].service == "alpha");
  CHECK(list[0].wish.info.branch == "a");
  CHECK(list[0].left == 10min);
  CHECK(list[1].service == "bravo");
  CHECK(list[2].service == "charlie");
  CHECK(list[2].left == 4min);
  clock.Advance(4min + 100ms);
  list = tracker.List();
  REQUIRE(list.size() == 2);
  CHECK(list[0].service == "alpha");
  CHECK(list[0].left == 6min);
}

TEST_CASE("what ran out is handed over once, and the next end is known before") {
  FakeClock clock;
  ConfirmationTracker tracker(clock);
  CHECK(!tracker.NextExpiry().has_value());
  tracker.AddPending(Asked("web", "main"), 10min);
  tracker.AddPending(Asked("api", "main"), 1min);
  CHECK(tracker.NextExpiry() == 1min);
  CHECK(tracker.TakeExpired().empty());
  clock.Advance(1min + 1ns);
  const auto expired = tracker.TakeExpired();
  REQUIRE(expired.size() == 1);
  CHECK(expired[0].service == "api");
  CHECK(tracker.TakeExpired().empty());
  CHECK(tracker.NextExpiry() == 9min - 1ns);
}
