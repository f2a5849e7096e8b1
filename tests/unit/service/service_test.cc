// The table in service.h, cell by cell, with services that exist in scripts only.
#include "service/service.h"

#include <doctest/doctest.h>

#include <optional>

#include "async/spawn.h"
#include "unit/service/machine.h"

namespace shipmate::service {

namespace {

using tests::FakeScript;
using tests::Machine;
using tests::Sleeper;
using Words = std::vector<std::string>;

Task<void> Keep(Manager& manager, std::string name, std::string op, std::shared_ptr<std::optional<Reply>> reply) {
  *reply = co_await manager.Do(std::move(name), std::move(op));
}

struct Desk : Machine {
  explicit Desk(config::ServiceConfig config = Deployable()) { StartFake({std::move(config)}); }

  static config::ServiceConfig Deployable() {
    auto config = Sleeper("web");
    config.dir = "/tmp";
    return config;
  }
  FakeScript& Fake() { return *Script("web"); }
  std::string Op(const std::string& op) { return Do("web", op); }
  /// Begins an operation and lets it run as far as it gets.
  std::shared_ptr<std::optional<Reply>> Begin(const std::string& op) {
    auto reply = std::make_shared<std::optional<Reply>>();
    async::Spawn(loop.get_executor(), "test", Keep(*manager, "web", op, reply));
    Settle();
    return reply;
  }
  void Hold() { Fake().hold = std::make_shared<async::Event>(loop.get_executor()); }
  void Release() { std::exchange(Fake().hold, nullptr)->Set(); }
  /// A deploy, to its end.
  void Deploy() {
    const std::size_t before = Ends();
    REQUIRE(manager->RequestDeploy("web", {.actor = "alice"}).has_value());
    REQUIRE(Until([&] { return Ends() > before; }));
    Settle();
  }
  std::size_t Ends() const { return notifier.Count("web deploy-succeeded") + notifier.Count("web deploy-failed"); }
  bool Deploying() { return View("web").deploy == "deploying"; }
};

config::ServiceConfig With(std::vector<std::string> steps) {
  auto config = Desk::Deployable();
  config.deploy = std::move(steps);
  return config;
}

}  // namespace

TEST_CASE("idle, not running: start, stop, restart, exit status") {
  Desk desk;
  CHECK(desk.View("web").desired == Desired::kUnset);
  CHECK(desk.Op("stop") == "already stopped");
  CHECK(desk.View("web").desired == Desired::kDown);
  CHECK(desk.Op("start") == "started");
  CHECK(desk.View("web").desired == Desired::kUp);
  CHECK(desk.Op("start") == "already running (pid 1000, up 3h)");
  CHECK(desk.Op("stop") == "stopped");
  CHECK(desk.Op("restart") == "restarted");
  CHECK(desk.View("web").desired == Desired::kUp);
  CHECK(desk.notifier.Summaries() == Words{"web started", "web stopped", "web restarted"});
}

TEST_CASE("a state that could not be saved is saved when that is possible again") {
  Desk desk;
  const std::string away = desk.dir / "away";
  std::filesystem::rename(desk.config.state_dir, away);
  CHECK(desk.Op("stop").starts_with("already stopped (state could not be saved: "));
  CHECK(desk.Op("start").starts_with("started (state could not be saved: "));
  std::filesystem::rename(away, desk.config.state_dir);
  REQUIRE(desk.Until([&] { return std::filesystem::exists(desk.config.state_dir + "/web.json"); }));
  CHECK(desk.Saved("web").desired == Desired::kUp);
  CHECK(desk.Saved("web").status == "running");
}

TEST_CASE("what a person wants is kept when it fails, and only the failed starts are announced") {
  Desk desk;
  desk.Fake().failure = Error{Errc::kSpawn, "starting process: no such file"};
  CHECK(desk.Op("start") == "start failed: starting process: no such file");
  CHECK(desk.Saved("web").desired == Desired::kUp);
  CHECK_FALSE(desk.Saved("web").starting);
  CHECK(desk.Op("restart") == "restart failed: starting process: no such file");
  desk.Fake().failure.reset();
  CHECK(desk.Op("start") == "started");
  desk.Fake().failure = Error{Errc::kTimeout, "did not die: pid 1000 (web)"};
  CHECK(desk.Op("stop") == "stop failed: did not die: pid 1000 (web)");
  CHECK(desk.Saved("web").desired == Desired::kDown);
  CHECK(desk.Saved("web").status == "running");
  CHECK(desk.notifier.Summaries() == Words{"web start-failed", "web start-failed", "web started"});
}

TEST_CASE("changing: operations wait their turn, reading does not, a deploy comes after them") {
  Desk desk(With({"true"}));
  desk.Fake().log = "some output";
  desk.Hold();
  const auto start = desk.Begin("start");
  const auto stop = desk.Begin("stop");
  REQUIRE(desk.manager->RequestDeploy("web", {}).has_value());
  const auto restart = desk.Begin("restart");
  CHECK(desk.Op("logs") == "some output");
  CHECK(desk.Op("status") == "stopped");
  CHECK(desk.View("web").deploy == "queued");
  CHECK_FALSE(start->has_value());
  CHECK(desk.Fake().calls == Words{"start"});
  desk.Release();
  REQUIRE(desk.Until([&] { return desk.Ends() == 1; }));
  desk.Settle();
  CHECK((*start)->text == "started");
  CHECK((*stop)->text == "stopped");
  CHECK((*restart)->text == "restarted");
  CHECK(desk.notifier.Summaries() == Words{"web started", "web stopped", "web restarted", "web deploy-started",
                                           "web deploy-succeeded", "web restarted"});
}

TEST_CASE("at most ten operations wait") {
  Desk desk;
  desk.Hold();
  std::vector<std::shared_ptr<std::optional<Reply>>> replies;
  for (int i = 0; i < 12; ++i) replies.push_back(desk.Begin("start"));
  REQUIRE(replies.back()->has_value());
  CHECK((*replies.back())->text == "busy: 10 operations wait already");
  desk.Release();
  CHECK(desk.Until([&] { return replies[10]->has_value(); }));
  CHECK((*replies[0])->text == "started");
}

TEST_CASE("an exit: idle it is reported at once and once; during a change after it, with its generation") {
  Desk desk;
  CHECK(desk.Op("start") == "started");
  desk.Fake().Die({.signal = 11});
  REQUIRE(desk.Until([&] { return desk.notifier.Count("web exited") == 1; }));
  CHECK(desk.notifier.events.back().detail.exit->signal == 11);
  CHECK(desk.View("web").last_exit == "killed by SIGSEGV");
  CHECK(desk.View("web").desired == Desired::kUp);
  CHECK(desk.Op("start") == "started");
  CHECK(desk.View("web").last_exit == "");

  desk.Hold();
  const auto restart = desk.Begin("restart");
  desk.Fake().Die({.code = 1});
  desk.Settle();
  CHECK(desk.notifier.Count("web exited") == 1);
  desk.Release();
  REQUIRE(desk.Until([&] { return desk.notifier.Count("web exited") == 2; }));
  CHECK(desk.notifier.events.back().detail.generation == 2);
}

TEST_CASE("deploying: changing operations are refused at once, reading ones answered, the live word shown") {
  Desk desk(With({"sleep 600"}));
  CHECK(desk.Op("start") == "started");
  REQUIRE(desk.manager->RequestDeploy("web", {.actor = "alice"}).has_value());
  REQUIRE(desk.Until([&] { return desk.Deploying(); }));
  desk.clock.Advance(std::chrono::seconds(12));
  CHECK(desk.Op("start") == "busy: deploying for 12s");
  CHECK(desk.Op("restart") == "busy: deploying for 12s");
  CHECK(desk.Op("pull") == "busy: deploying for 12s");
  CHECK(desk.Op("stop") == "busy: deploying for 12s (`cancel web` ends the deploy)");
  CHECK(desk.Op("status") == "running");
  CHECK(desk.View("web").state.status == "running");
  CHECK(desk.View("web").deploy_elapsed == std::chrono::seconds(12));

  SUBCASE("an exit is reported meanwhile") {
    desk.Fake().Die({.code = 2});
    CHECK(desk.Until([&] { return desk.notifier.Count("web exited") == 1; }));
    CHECK(desk.Deploying());
  }
  SUBCASE("one more waits, further ones are merged into it") {
    const auto second = desk.manager->RequestDeploy("web", {.actor = "bob"});
    const auto third = desk.manager->RequestDeploy("web", {.actor = "carol"});
    REQUIRE(second.has_value());
    REQUIRE(third.has_value());
    CHECK_FALSE(second->merged);
    CHECK(third->merged);
    CHECK(second->id == third->id);
    REQUIRE(desk.manager->CancelDeploy("web").has_value());
    REQUIRE(desk.Until([&] { return desk.notifier.Count("web deploy-started") == 2; }));
    CHECK(desk.notifier.Find("web deploy-started")->deploy.actor == "bob, carol");
    CHECK(desk.notifier.Find("web deploy-started")->deploy.id == second->id);
  }
  SUBCASE("on disk it is deploying, with the step") {
    REQUIRE(desk.Until([&] { return desk.Saved("web").failed_step == "sleep 600"; }));
    CHECK(desk.Saved("web").status == "deploying");
  }
  SUBCASE("shutdown: it is recorded as interrupted") {
    desk.StopManager();
    const State saved = desk.Saved("web");
    CHECK(saved.status == "running");
    CHECK(saved.last_result == "failed");
    CHECK(saved.failed_step == "sleep 600");
    CHECK(saved.last_output.ends_with("interrupted by shutdown"));
    CHECK(saved.desired == Desired::kUp);
    CHECK(desk.notifier.Count("web deploy-failed") == 1);
  }
  if (desk.manager) (void)desk.manager->CancelDeploy("web");
}

TEST_CASE("a deploy that is cancelled says so, once; none can be cancelled when none runs") {
  tests::TempDir dir;
  const std::string begun = dir / "begun";
  const std::string step = "touch " + begun + "; sleep 600";
  Desk desk(With({step}));
  CHECK(desk.manager->CancelDeploy("web").error().code == Errc::kNotFound);
  REQUIRE(desk.manager->RequestDeploy("web", {}).has_value());
  REQUIRE(desk.Until([&] { return std::filesystem::exists(begun); }));
  REQUIRE(desk.manager->CancelDeploy("web").has_value());
  REQUIRE(desk.Until([&] { return desk.notifier.Count("web deploy-cancelled") == 1; }));
  CHECK(desk.notifier.Count("web deploy-failed") == 0);
  const auto* cancelled = desk.notifier.Find("web deploy-cancelled");
  CHECK(cancelled->news.step == 1);
  CHECK(cancelled->news.steps == 1);
  CHECK(cancelled->news.step_text == step);
  REQUIRE(!desk.notifier.records.empty());
  const deploy::Record& record = desk.notifier.records.back();
  CHECK(record.result == "cancelled");
  REQUIRE(record.steps.size() == 1);
  CHECK(record.steps[0].failure == "cancelled");
  CHECK(tests::ReadText(record.log_file) == "$ " + step + "\nERROR: cancelled\n");
}

TEST_CASE("the end of a deploy, by what is wanted") {
  Desk desk(With({"echo deploying"}));
  SUBCASE("nothing yet: it is started") {
    desk.Deploy();
    CHECK(desk.Op("status") == "running");
    CHECK(desk.notifier.Summaries() == Words{"web deploy-started", "web deploy-succeeded", "web restarted"});
    CHECK(desk.notifier.events[1].output == "$ echo deploying\ndeploying\n");
    CHECK(desk.notifier.events[1].deploy.actor == "alice");
    const State saved = desk.Saved("web");
    CHECK(saved.last_result == "success");
    CHECK(saved.last_deploy == desk.clock.WallNow());
    CHECK(saved.failed_step == "");
  }
  SUBCASE("up: it is restarted") {
    CHECK(desk.Op("start") == "started");
    desk.Deploy();
    CHECK(desk.Fake().calls == Words{"start", "restart"});
  }
  SUBCASE("up, but it has died: it is started") {
    CHECK(desk.Op("start") == "started");
    desk.Fake().Die({.code = 1});
    REQUIRE(desk.Until([&] { return desk.notifier.Count("web exited") == 1; }));
    desk.Deploy();
    CHECK(desk.Op("status") == "running");
  }
  SUBCASE("down: it is left stopped") {
    CHECK(desk.Op("stop") == "already stopped");
    desk.Deploy();
    CHECK(desk.Op("status") == "stopped");
    CHECK(desk.notifier.Summaries() == Words{"web deploy-started", "web deploy-succeeded"});
    CHECK(desk.Saved("web").desired == Desired::kDown);
  }
  SUBCASE("the restart fails: its reason is in the output") {
    desk.Fake().failure = Error{Errc::kSpawn, "starting process: no such file"};
    desk.Deploy();
    const auto* failed = desk.notifier.Find("web deploy-failed");
    REQUIRE(failed != nullptr);
    CHECK(failed->step == "restart");
    CHECK(failed->output == "$ echo deploying\ndeploying\nERROR: starting process: no such file\n");
  }
}

TEST_CASE("a step that fails leaves the service alone, and what is wanted too") {
  Desk desk(With({"echo ok", "exit 1", "echo never"}));
  CHECK(desk.Op("start") == "started");
  desk.Deploy();
  const auto* failed = desk.notifier.Find("web deploy-failed");
  REQUIRE(failed != nullptr);
  CHECK(failed->step == "exit 1");
  CHECK(failed->output == "$ echo ok\nok\n$ exit 1\nERROR: exit status 1\n");
  CHECK(desk.Op("status") == "running");
  CHECK(desk.Op("stop") == "stopped");
  const State saved = desk.Saved("web");
  CHECK(saved.status == "stopped");
  CHECK(saved.desired == Desired::kDown);
  CHECK(saved.last_result == "failed");
}

TEST_CASE("no steps are a success, and restart") {
  Desk desk;
  desk.Deploy();
  CHECK(desk.notifier.Summaries() == Words{"web deploy-started", "web deploy-succeeded", "web restarted"});
}

TEST_CASE("our own deploy asks for our shutdown, once, and does not restart") {
  auto config = With({"echo ok"});
  config.self_deploy = true;
  Desk desk(config);
  CHECK(desk.Op("start") == "started");
  desk.Deploy();
  CHECK(desk.manager->ShutdownRequested().IsSet());
  desk.Deploy();
  CHECK(desk.Fake().calls == Words{"start"});
  CHECK(desk.notifier.Count("web deploy-succeeded") == 2);
  CHECK(desk.Saved("web").last_result == "success");

  auto failing = With({"false"});
  failing.self_deploy = true;
  Desk other(failing);
  other.Deploy();
  CHECK_FALSE(other.manager->ShutdownRequested().IsSet());
  CHECK(other.Saved("web").last_result == "failed");
}

TEST_CASE("a service of no kind is deployed, and not run") {
  auto config = With({"echo ok"});
  config.kind = config::ServiceKind::kNone;
  config.entrypoint.clear();
  Desk desk(config);
  desk.Deploy();
  CHECK(desk.notifier.Summaries() == Words{"web deploy-started", "web deploy-succeeded"});
  CHECK(desk.Op("start").contains("nothing to run"));
  CHECK(desk.Run(desk.manager->CountRunning()) == std::pair<std::size_t, std::size_t>(0, 0));
}

TEST_CASE("steps without a directory are refused") {
  auto config = With({"echo ok"});
  config.dir.clear();
  Desk desk(config);
  const auto refused = desk.manager->RequestDeploy("web", {});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().what.contains("`dir:`"));
}

TEST_CASE("a deploy found on disk is reported as interrupted, once") {
  Machine machine;
  std::filesystem::create_directories(machine.config.state_dir);
  tests::WriteText(machine.config.state_dir + "/web.json",
                   R"({"status":"deploying","last_result":"success","failed_step":"make install",)"
                   R"("deploy_id":12,"deploy_step":3,"deploy_steps":5})");
  machine.StartFake({Sleeper("web")});
  REQUIRE(machine.Until([&] { return machine.notifier.Count("web deploy-interrupted") == 1; }));
  CHECK(machine.notifier.events[0].news.id == 12);
  CHECK(machine.notifier.events[0].news.step == 3);
  CHECK(machine.notifier.events[0].news.steps == 5);
  CHECK(machine.notifier.events[0].news.step_text == "make install");
  CHECK(machine.Saved("web").last_result == "failed");
  CHECK(machine.Saved("web").failed_step == "make install");
  machine.StartFake({Sleeper("web")});
  machine.Settle();
  CHECK(machine.notifier.events.size() == 1);
}

TEST_CASE("times and the last result survive a restart of ours") {
  Desk desk(With({"true"}));
  desk.Deploy();
  const auto before = desk.Run(desk.manager->GetServiceState("web"));
  desk.StartFake({With({"true"})});
  const auto after = desk.Run(desk.manager->GetServiceState("web"));
  CHECK(after->last_result == "success");
  CHECK(after->last_deploy == before->last_deploy);
  CHECK(after->last_restart == before->last_restart);
}

TEST_CASE("a status that cannot be had: the last word, or unknown; the error in the reply") {
  auto config = Desk::Deployable();
  config.kind = config::ServiceKind::kSystemd;
  Desk desk(config);
  desk.Fake().status_failure = Error{Errc::kIo, "systemctl: no such file"};
  CHECK(desk.Op("status") == "status error: systemctl: no such file");
  CHECK(desk.View("web").state.status == "unknown");
  desk.Fake().status_failure.reset();
  CHECK(desk.View("web").state.status == "stopped");
  desk.Fake().status_hangs = true;
  CHECK(desk.View("web").state.status == "stopped");
  CHECK(desk.Op("status") == "status error: status of web: no answer within 3s");
}

TEST_CASE("a backend that hangs does not hold the shutdown, and what waited is answered") {
  Desk desk;
  desk.Hold();
  const auto first = desk.Begin("start");
  const auto second = desk.Begin("stop");
  const auto began = std::chrono::steady_clock::now();
  desk.StopManager();
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(20));
  desk.Settle();
  REQUIRE(first->has_value());
  REQUIRE(second->has_value());
  CHECK((*first)->text == "manager shutting down");
  CHECK((*second)->text == "manager shutting down");
}

TEST_CASE("a unit with adopt: false is restarted once chat is ready, and operations do not wait for that") {
  auto config = Desk::Deployable();
  config.kind = config::ServiceKind::kSystemd;
  config.adopt = false;
  SUBCASE("restarted") {
    Desk desk(config);
    CHECK(desk.Op("status") == "stopped");
    CHECK(desk.Fake().calls.empty());
    desk.manager->SignalReady();
    CHECK(desk.Until([&] { return desk.notifier.Count("web restarted") == 1; }));
  }
  SUBCASE("a person's word goes first") {
    Desk desk(config);
    CHECK(desk.Op("stop") == "already stopped");
    desk.manager->SignalReady();
    desk.Settle();
    CHECK(desk.Fake().calls == Words{"stop"});
  }
}

}  // namespace shipmate::service
