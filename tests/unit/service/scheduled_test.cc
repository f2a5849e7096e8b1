// Runs by a schedule, with services that exist in scripts only and a clock that the test moves.
#include <doctest/doctest.h>

#include "base/time_text.h"
#include "unit/service/machine.h"

namespace shipmate::service {

namespace {

using namespace std::chrono_literals;
using tests::Machine;
using tests::Sleeper;

// Daily at three.
config::ServiceConfig Nightly(const std::string& zone = "UTC") {
  auto config = Sleeper("job");
  config.restart = config::RestartWhen::kNo;
  config.autostart = false;
  config.min_uptime = 0ms;
  config.schedule = config::ScheduleConfig{.when = config::CronSchedule::Parse("0 3 * * *").value(), .zone = zone};
  return config;
}

struct Desk : Machine {
  explicit Desk(const std::string& now = "2026-11-25T02:00:00Z") {
    At(now);
    Begin();
  }
  void At(const std::string& now) { clock.SetWall(base::ParseRfc3339(now).value()); }
  void Begin(config::ServiceConfig config = Nightly()) {
    StartFake({std::move(config)});
    Run(manager->StartWanted());
    Settle();
  }
  /// The clock shows `now`, and everything due has happened.
  void Reach(const std::string& now) {
    At(now);
    manager->CheckSchedules();
    Settle();
  }
  /// As Reach, and the `nth` run has begun by then.
  void Runs(const std::string& now, std::size_t nth) {
    Reach(now);
    Begun(nth);
  }
  void Begun(std::size_t nth) {
    REQUIRE(Until([&] { return notifier.Count("job started") >= nth; }));
    Settle();
    CHECK(Starts() == nth);
  }
  tests::FakeScript& Fake() { return *Script("job"); }
  std::size_t Starts() { return static_cast<std::size_t>(std::ranges::count(Fake().calls, "start")); }
  void End(int code) {
    const std::size_t before = notifier.Count("job exited");
    Fake().Die({.code = code});
    REQUIRE(Until([&] { return notifier.Count("job exited") > before; }));
    Settle();
  }
  std::string Reason(const std::string& summary) {
    const auto* event = notifier.Find(summary);
    return event == nullptr ? "" : event->detail.reason;
  }
};

}  // namespace

TEST_CASE("a run at its time, each once, and not at start-up") {
  Desk desk;
  CHECK(desk.Starts() == 0);
  CHECK(desk.View("job").next_run == "2026-11-25 03:00 UTC");
  CHECK(desk.View("job").finished);
  desk.Reach("2026-11-25T02:59:59Z");
  CHECK(desk.Starts() == 0);
  desk.Runs("2026-11-25T03:00:00Z", 1);
  CHECK(desk.View("job").next_run == "2026-11-26 03:00 UTC");
  CHECK(desk.notifier.Find("job started")->detail.scheduled);
  desk.Reach("2026-11-25T03:00:30Z");
  CHECK(desk.Starts() == 1);
  desk.End(0);
  CHECK(desk.Starts() == 1);
  CHECK(desk.notifier.Find("job exited")->detail.scheduled);
  CHECK(desk.View("job").finished);
  desk.Runs("2026-11-26T03:00:00Z", 2);
}

TEST_CASE("a run that fails is told, not tried again, and does not keep the next from coming") {
  Desk desk;
  desk.Runs("2026-11-25T03:00:00Z", 1);
  desk.End(3);
  CHECK_FALSE(desk.notifier.Find("job exited")->detail.scheduled);
  CHECK(desk.View("job").state.status == "failed");
  CHECK(desk.View("job").next_run == "2026-11-26 03:00 UTC");
  CHECK(desk.Starts() == 1);
  desk.Runs("2026-11-26T03:00:00Z", 2);
  CHECK(desk.View("job").state.status == "running");
}

TEST_CASE("a run that is due while the one before goes on is left out, and said") {
  Desk desk;
  desk.Runs("2026-11-25T03:00:00Z", 1);
  desk.Reach("2026-11-26T03:00:00Z");
  REQUIRE(desk.Until([&] { return desk.notifier.Count("job run-skipped") == 1; }));
  CHECK(desk.Starts() == 1);
  CHECK(desk.Reason("job run-skipped") ==
        "its run of 2026-11-26 03:00 UTC is left out: the one before it has not ended");
  desk.End(0);
  CHECK(desk.Starts() == 1);
  desk.Runs("2026-11-27T03:00:00Z", 2);
}

TEST_CASE("missed while we were off: made up for once, if within a day") {
  Desk desk;
  desk.StopManager();
  SUBCASE("an hour ago") {
    desk.At("2026-11-25T04:00:00Z");
    desk.Begin();
    desk.Begun(1);
    CHECK(desk.Reason("job run-missed") == "its run of 2026-11-25 03:00 UTC was missed, and is made up for now");
  }
  SUBCASE("four times, the last an hour ago") {
    desk.At("2026-11-28T04:00:00Z");
    desk.Begin();
    desk.Begun(1);
    CHECK(desk.Reason("job run-missed") == "its run of 2026-11-28 03:00 UTC was missed, and is made up for now");
  }
  SUBCASE("nothing was due") {
    desk.At("2026-11-25T02:59:00Z");
    desk.Begin();
    CHECK(desk.Starts() == 0);
    CHECK(desk.notifier.Count("job run-missed") == 0);
  }
  SUBCASE("and the run was begun before we ended") {
    desk.Begin();
    desk.Runs("2026-11-25T03:00:00Z", 1);
    desk.StopManager();
    desk.Fake().pid = 0;
    desk.At("2026-11-25T04:00:00Z");
    desk.Begin();
    CHECK(desk.Starts() == 1);
  }
  CHECK(desk.View("job").next_run.ends_with(" 03:00 UTC"));
}

TEST_CASE("missed more than a day ago: given up, and said") {
  Desk desk;
  auto yearly = Nightly();
  yearly.schedule->when = config::CronSchedule::Parse("0 3 26 11 *").value();
  desk.Begin(yearly);
  desk.StopManager();
  desk.At("2026-11-28T04:00:00Z");
  desk.Begin(yearly);
  CHECK(desk.Starts() == 0);
  CHECK(desk.Reason("job run-missed") ==
        "its run of 2026-11-26 03:00 UTC was missed more than a day ago, and is given up");
  CHECK(desk.View("job").next_run == "2027-11-26 03:00 UTC");
}

TEST_CASE("stop lets the schedule rest, start runs it now and lets it go on") {
  Desk desk;
  CHECK(desk.Do("job", "stop") == "already stopped");
  CHECK(desk.View("job").next_run.empty());
  CHECK(desk.View("job").paused);
  desk.Reach("2026-11-25T03:00:00Z");
  CHECK(desk.Starts() == 0);
  desk.Reach("2026-11-25T10:00:00Z");
  CHECK(desk.Do("job", "start") == "started");
  CHECK_FALSE(desk.notifier.Find("job started")->detail.scheduled);
  CHECK(desk.View("job").next_run == "2026-11-26 03:00 UTC");
  desk.End(0);
  // A person waits for this one.
  CHECK_FALSE(desk.notifier.Find("job exited")->detail.scheduled);
  CHECK(desk.notifier.Count("job run-missed") == 0);
  desk.Runs("2026-11-26T03:00:00Z", 2);
}

TEST_CASE("start-all and a deploy leave it to its schedule") {
  Desk desk;
  CHECK(desk.Run(desk.manager->StartAll()).done.empty());
  CHECK(desk.Starts() == 0);
  REQUIRE(desk.manager->RequestDeploy("job", {.actor = "ada"}).has_value());
  REQUIRE(desk.Until([&] { return desk.notifier.Count("job deploy-succeeded") == 1; }));
  desk.Settle();
  CHECK(desk.Starts() == 0);
  CHECK(std::ranges::count(desk.Fake().calls, "restart") == 0);
}

TEST_CASE("the clock is set: nothing is run twice, and what was leapt over is made up for") {
  Desk desk;
  desk.Runs("2026-11-25T03:00:00Z", 1);
  desk.End(0);
  desk.Reach("2026-11-25T02:30:00Z");
  desk.Reach("2026-11-25T03:00:00Z");
  CHECK(desk.Starts() == 1);
  desk.Runs("2026-11-26T05:00:00Z", 2);
  CHECK(desk.notifier.Count("job run-missed") == 1);
}

TEST_CASE("the zone's clock is what counts") {
  Desk desk;
  desk.StopManager();
  desk.Begin(Nightly("Europe/Berlin"));
  CHECK(desk.View("job").next_run == "2026-11-26 03:00 CET");
}

}  // namespace shipmate::service
