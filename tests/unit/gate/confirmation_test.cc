#include "gate/confirmation.h"

#include <doctest/doctest.h>

#include "fakes/fake_clock.h"

using namespace shipmate;
using namespace std::chrono_literals;
using gate::ConfirmationTracker;
using tests::FakeClock;

namespace {

service::WebhookInfo Info(const std::string& branch) {
  service::WebhookInfo info;
  info.branch = branch;
  return info;
}

std::string ConfirmedBranch(ConfirmationTracker& tracker, const std::string& service) {
  const auto info = tracker.Confirm(service);
  return info ? info->branch : "none";
}

}  // namespace

TEST_CASE("a confirmation is given once") {
  FakeClock clock;
  ConfirmationTracker tracker(clock, 10min);
  CHECK(tracker.Ttl() == 10min);
  tracker.AddPending("web", Info("main"));
  CHECK(ConfirmedBranch(tracker, "web") == "main");
  CHECK(ConfirmedBranch(tracker, "web") == "none");
}

TEST_CASE("what was not asked cannot be confirmed") {
  FakeClock clock;
  ConfirmationTracker tracker(clock, 10min);
  CHECK(!tracker.Confirm("web").has_value());
  tracker.AddPending("web", Info("main"));
  CHECK(!tracker.Confirm("web.api").has_value());
  CHECK(tracker.IsPending("web"));
}

TEST_CASE("looking does not consume") {
  FakeClock clock;
  ConfirmationTracker tracker(clock, 10min);
  CHECK(!tracker.IsPending("web"));
  tracker.AddPending("web", Info("main"));
  CHECK(tracker.IsPending("web"));
  CHECK(tracker.IsPending("web"));
  CHECK(tracker.List().size() == 1);
  CHECK(tracker.Confirm("web").has_value());
  CHECK(!tracker.IsPending("web"));
}

TEST_CASE("a newer push takes the place of the older one and starts the time anew") {
  FakeClock clock;
  ConfirmationTracker tracker(clock, 10min);
  tracker.AddPending("web", Info("old"));
  clock.Advance(9min);
  tracker.AddPending("web", Info("new"));
  clock.Advance(9min);
  CHECK(tracker.List().size() == 1);
  CHECK(ConfirmedBranch(tracker, "web") == "new");
  CHECK(ConfirmedBranch(tracker, "web") == "none");
}

TEST_CASE("the time runs out strictly after its length") {
  FakeClock clock;
  ConfirmationTracker tracker(clock, 1ms);
  tracker.AddPending("web", Info("main"));
  clock.Advance(1ms);
  CHECK(tracker.IsPending("web"));
  clock.Advance(1ns);
  CHECK(!tracker.IsPending("web"));
  CHECK(!tracker.Confirm("web").has_value());

  tracker.AddPending("web", Info("main"));
  clock.Advance(1ms);
  CHECK(tracker.Confirm("web").has_value());

  tracker.AddPending("web", Info("main"));
  clock.Advance(5ms);
  CHECK(!tracker.Confirm("web").has_value());
  CHECK(tracker.List().empty());
}

TEST_CASE("steps of the system's clock neither end nor prolong the time") {
  FakeClock clock;
  ConfirmationTracker tracker(clock, 10min);
  tracker.AddPending("web", Info("main"));
  clock.StepWall(24h);
  CHECK(tracker.IsPending("web"));
  clock.StepWall(-72h);
  clock.Advance(11min);
  CHECK(!tracker.IsPending("web"));
}

TEST_CASE("the list is by name, without what ran out, with the time left") {
  FakeClock clock;
  ConfirmationTracker tracker(clock, 10min);
  tracker.AddPending("charlie", Info("c"));
  clock.Advance(6min);
  tracker.AddPending("bravo", Info("b"));
  tracker.AddPending("alpha", Info("a"));
  auto list = tracker.List();
  REQUIRE(list.size() == 3);
  CHECK(list[0].service == "alpha");
  CHECK(list[0].info.branch == "a");
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
