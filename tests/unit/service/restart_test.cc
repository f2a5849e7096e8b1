// The restart policy within a service, with services that exist in scripts only and real processes.
#include <doctest/doctest.h>

#include "unit/service/machine.h"

namespace shipmate::service {

namespace {

using namespace std::chrono_literals;
using tests::Machine;
using tests::ProcessService;
using tests::Sleeper;
using Words = std::vector<std::string>;

config::ServiceConfig Restarting(config::ServiceConfig config, std::chrono::milliseconds initial = 0ms) {
  config.restart = config::RestartWhen::kAlways;
  config.backoff = {.initial = initial, .max = initial};
  config.start_limit = {.count = 3, .window = 60s};
  return config;
}

struct Desk : Machine {
  explicit Desk(std::chrono::milliseconds initial = 0ms) { StartFake({Restarting(Sleeper("web"), initial)}); }
  tests::FakeScript& Fake() { return *Script("web"); }
  void Crash(std::size_t nth) {
    Fake().Die({.code = 1});
    REQUIRE(Until([&] { return notifier.Count("web exited") == nth; }));
  }
};

}  // namespace

TEST_CASE("a crash: started again; so many: failed, until a person starts it") {
  Desk desk;
  CHECK(desk.Do("web", "start") == "started");
  desk.Crash(1);
  REQUIRE(desk.Until([&] { return desk.notifier.Count("web restarted") == 1; }));
  desk.Crash(2);
  REQUIRE(desk.Until([&] { return desk.notifier.Count("web restarted") == 2; }));
  desk.Crash(3);
  REQUIRE(desk.notifier.Count("web failed") == 1);
  const auto& failed = desk.notifier.Find("web failed")->detail;
  CHECK(failed.reason == "3 crashes in 1m");
  CHECK(failed.crashes == 3);
  CHECK(failed.incident == 1);
  desk.Settle();
  CHECK(desk.View("web").state.status == "failed");
  CHECK(desk.View("web").reason == "3 crashes in 1m");
  CHECK(desk.View("web").desired == Desired::kUp);
  CHECK(desk.Pid("web") == 0);
  CHECK(desk.Saved("web").halt == "failed");
  CHECK(desk.Do("web", "start") == "started");
  CHECK(desk.Saved("web").halt.empty());
  CHECK(desk.View("web").crashes == 0);
}

TEST_CASE("recovery is said once, with the number of crashes") {
  Desk desk;
  CHECK(desk.Do("web", "start") == "started");
  desk.clock.Advance(1h);
  desk.Crash(1);
  REQUIRE(desk.Until([&] { return desk.notifier.Count("web restarted") == 1; }));
  desk.clock.Advance(11s);
  REQUIRE(desk.Until([&] { return desk.notifier.Count("web recovered") == 1; }));
  CHECK(desk.notifier.Find("web recovered")->detail.crashes == 1);
  CHECK(desk.View("web").crashes == 0);
}

TEST_CASE("the last end and the number of restarts are kept until a person starts it anew") {
  Desk desk;
  CHECK(desk.Do("web", "start") == "started");
  desk.Crash(1);
  REQUIRE(desk.Until([&] { return desk.notifier.Count("web restarted") == 1; }));
  CHECK(desk.View("web").last_end == "exited with status 1 after 5s");
  CHECK(desk.View("web").last_end_time == desk.clock.WallNow());
  CHECK(desk.View("web").restarts == 1);
  CHECK(desk.View("web").last_exit.empty());
  REQUIRE(desk.Until([&] { return desk.Saved("web").restarts == 1; }));
  CHECK(desk.Saved("web").last_exit == "exited with status 1 after 5s");
  CHECK(desk.Do("web", "restart") == "restarted");
  CHECK(desk.View("web").restarts == 0);
  CHECK(desk.View("web").last_end == "exited with status 1 after 5s");
}

TEST_CASE("what a service takes up: all of its processes, and its logs") {
  Machine machine;
  auto& manager = machine.Start({ProcessService("web", "echo ready; (sleep 3600 &); while :; do :; done")});
  CHECK(machine.Do("web", "start") == "started");
  REQUIRE(machine.Until([&] { return machine.Do("web", "logs").contains("ready"); }));
  std::optional<ServiceUse> use;
  REQUIRE(machine.Until([&] {
    use = machine.Run(manager.Use("web"));
    return use && use->processes == 2;
  }));
  CHECK(use->memory > 4096);
  CHECK(use->logs > 0);
  CHECK(machine.Do("web", "stop") == "stopped");
  use = machine.Run(manager.Use("web"));
  REQUIRE(use.has_value());
  CHECK(use->processes == 0);
  CHECK_FALSE(machine.Run(manager.Use("nope")).has_value());
}

TEST_CASE("in back-off: shown, saved; stop cancels it, start and restart act at once") {
  for (const std::string op : {"stop", "start", "restart"}) {
    CAPTURE(op);
    Desk desk(1h);
    CHECK(desk.Do("web", "start") == "started");
    desk.Crash(1);
    CHECK(desk.View("web").state.status == "backoff");
    CHECK(desk.View("web").next_start > 29min);
    CHECK(desk.View("web").crashes == 1);
    REQUIRE(desk.Until([&] { return desk.Saved("web").status == "backoff"; }));
    CHECK(desk.Do("web", op) == (op == "stop" ? "stopped" : op + "ed"));
    CHECK(desk.View("web").state.status == (op == "stop" ? "stopped" : "running"));
    CHECK(desk.View("web").crashes == 0);
  }
}

TEST_CASE("a start that cannot be spawned is tried again") {
  Desk desk(1h);
  desk.Fake().failure = Error{Errc::kSpawn, "starting process: no such file"};
  const std::string reply = desk.Do("web", "start");
  CHECK(reply.starts_with("start failed: starting process: no such file; next try in "));
  REQUIRE(desk.notifier.Count("web start-failed") == 1);
  CHECK(desk.notifier.Find("web start-failed")->detail.told == Told::kInAnswer);
  CHECK(desk.View("web").state.status == "backoff");
}

TEST_CASE("the last step of start-up starts what should be up and nothing else") {
  Machine machine;
  auto manual = Sleeper("manual");
  manual.autostart = false;
  auto& manager = machine.StartFake({Sleeper("down"), manual, Sleeper("fresh")});
  CHECK(machine.Do("down", "stop") == "already stopped");
  machine.Run(manager.StartWanted());
  CHECK(machine.Pid("down") == 0);
  CHECK(machine.Pid("manual") == 0);
  CHECK(machine.Pid("fresh") != 0);
  CHECK(machine.notifier.Summaries() == Words{"fresh started"});
}

TEST_CASE("what was given up stays so through our restart, and is started in a new boot") {
  Machine machine;
  auto web = Sleeper("web");
  machine.StartFake({web});
  CHECK(machine.Do("web", "start") == "started");
  machine.Script("web")->Die({.code = 1});
  REQUIRE(machine.Until([&] { return machine.notifier.Count("web exited") == 1; }));
  CHECK(machine.View("web").state.status == "failed");
  machine.Run(machine.StartFake({web}).StartWanted());
  CHECK(machine.View("web").state.status == "failed");
  CHECK(machine.View("web").reason == "exited with status 1");
  machine.StopManager();
  auto state = machine.Saved("web");
  state.halt_boot = "00000000-0000-0000-0000-000000000000";
  REQUIRE(SaveState(machine.config.state_dir, "web", state, os::Sync::kNone).has_value());
  machine.Run(machine.StartFake({web}).StartWanted());
  CHECK(machine.View("web").state.status == "running");
}

TEST_CASE("a process that does not stay up has not been started: the answer says how it ended") {
  Machine machine;
  auto web = Restarting(ProcessService("web", "echo out of luck; exit 7"), 1h);
  web.min_uptime = 20s;
  auto& manager = machine.Start({web});
  const Reply reply = machine.Run(manager.Do("web", "start"));
  CHECK_FALSE(reply.ok);
  CHECK(reply.text.starts_with("start failed: exited with status 7 after "));
  CHECK(reply.text.find("; next try in ") != std::string::npos);
  CHECK(reply.log_tail.find("out of luck") != std::string::npos);
  CHECK(machine.notifier.Summaries() == Words{"web exited"});
  CHECK(machine.notifier.events.back().detail.told == Told::kInAnswer);
}

TEST_CASE("a deploy whose process does not stay up has failed at its restart, with the last words") {
  Machine machine;
  auto web = Restarting(ProcessService("web", "echo out of luck; sleep 0.3; exit 7"), 1h);
  web.min_uptime = 20s;
  web.dir = "/tmp";
  web.deploy = {"true"};
  auto& manager = machine.Start({web});
  REQUIRE(manager.RequestDeploy("web", {}).has_value());
  REQUIRE(machine.Until([&] { return machine.notifier.Count("web deploy-failed") == 1; }));
  const auto* failed = machine.notifier.Find("web deploy-failed");
  CHECK(failed->step == "restart");
  CHECK(failed->output.find("out of luck") != std::string::npos);
  CHECK(failed->output.find("exited with status 7") != std::string::npos);
  CHECK(machine.notifier.Find("web exited")->detail.told == Told::kInDeploy);
}

TEST_CASE("a job that is done is finished, not failed, and not started again") {
  Machine machine;
  auto job = ProcessService("job", "true");
  job.restart = config::RestartWhen::kOnFailure;
  job.min_uptime = 20s;
  auto& manager = machine.Start({job});
  const Reply reply = machine.Run(manager.Do("job", "start"));
  CHECK(reply.ok);
  CHECK(reply.text.starts_with("started, and finished: exited with status 0"));
  CHECK(machine.View("job").finished);
  machine.Run(machine.Start({job}).StartWanted());
  CHECK(machine.View("job").finished);
  CHECK(machine.View("job").pid == 0);
}

}  // namespace shipmate::service
