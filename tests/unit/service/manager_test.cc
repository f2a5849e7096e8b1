#include "service/manager.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/time_text.h"
#include "unit/service/machine.h"

namespace shipmate::service {

namespace {

using tests::Lives;
using tests::Machine;
using tests::ProcessService;
using tests::RecordedEvent;
using tests::Sleeper;

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("names are sorted; none is fine") {
  Machine machine;
  CHECK(machine.StartFake({}).ServiceNames().empty());
  CHECK(machine.StartFake({Sleeper("charlie"), Sleeper("alpha"), Sleeper("bravo")}).ServiceNames() ==
        Words{"alpha", "bravo", "charlie"});
}

TEST_CASE("a service is started, restarted and stopped, with state saved before the reply") {
  Machine machine;
  machine.Start({Sleeper("web")});
  CHECK(machine.Do("web", "status") == "stopped");
  CHECK(machine.Do("web", "start") == "started");
  CHECK(machine.Do("web", "status") == "running");

  State saved = machine.Saved("web");
  CHECK(saved.status == "running");
  CHECK(saved.desired == Desired::kUp);
  CHECK_FALSE(saved.starting);
  REQUIRE(saved.backend.has_value());
  const int first = machine.Pid("web");
  CHECK(saved.backend->pid == first);
  CHECK(saved.backend->pgid == first);
  CHECK(saved.backend->start_ticks != 0);
  CHECK(os::VerifyProcess(*saved.backend));
  CHECK(saved.log_path == machine.config.log_dir + "/web." + std::to_string(first) + ".log");

  CHECK(machine.Do("web", "restart") == "restarted");
  const int second = machine.Pid("web");
  CHECK(second != first);
  CHECK_FALSE(Lives(first));
  CHECK(machine.Saved("web").last_restart == machine.clock.WallNow());

  CHECK(machine.Do("web", "stop") == "stopped");
  CHECK(machine.Do("web", "status") == "stopped");
  CHECK_FALSE(Lives(second));
  saved = machine.Saved("web");
  CHECK(saved.status == "stopped");
  CHECK(saved.desired == Desired::kDown);
  CHECK_FALSE(saved.backend.has_value());
  CHECK(machine.notifier.Summaries() == Words{"web started", "web restarted", "web stopped"});
  CHECK(machine.notifier.events[0].detail.pid == first);
  CHECK(machine.notifier.events[1].detail.pid == second);
  CHECK(machine.notifier.events[1].detail.generation == 2);
}

TEST_CASE("what is so already is said, and announced to nobody") {
  Machine machine;
  machine.Start({Sleeper("web")});
  CHECK(machine.Do("web", "stop") == "already stopped");
  CHECK(machine.Do("web", "start") == "started");
  const std::string again = machine.Do("web", "start");
  CHECK(again.starts_with("already running (pid " + std::to_string(machine.Pid("web")) + ", up "));
  CHECK(machine.notifier.Summaries() == Words{"web started"});
}

TEST_CASE("logs are the end of the service's output, also of one that has ended, also after a restart of ours") {
  Machine machine;
  const std::string job = "while [ ! -e go ]; do sleep 0.05; done; echo bye; exit 3";
  machine.Start({ProcessService("web", "echo hello; exec sleep 3600"), ProcessService("job", job), Sleeper("idle")});
  CHECK(machine.Do("idle", "logs") == "no logs");
  CHECK(machine.Do("web", "start") == "started");
  CHECK(machine.Until([&] { return machine.Do("web", "logs").contains("hello"); }));
  CHECK(machine.Do("web", "logs").contains("=== Started at"));
  CHECK(machine.Run(machine.manager->GetServiceLogs("web")).contains("hello"));
  CHECK(machine.Do("job", "start") == "started");
  REQUIRE(os::WriteFileAtomically(machine.dir / "go", "", 0600, os::Sync::kNone).has_value());
  CHECK(machine.Until([&] { return machine.notifier.Count("job exited") == 1; }));

  machine.Start({ProcessService("web", "echo hello; exec sleep 3600"), ProcessService("job", job)});
  CHECK(machine.Do("web", "logs").contains("hello"));
  CHECK(machine.Do("job", "logs").contains("bye"));
  CHECK(machine.Do("job", "logs").contains(": exited with status 3 ==="));
}

TEST_CASE("names and operations that are not known") {
  Machine machine;
  auto& manager = machine.StartFake({Sleeper("web")});
  CHECK(machine.Do("nope", "start") == "service \"nope\" not found");
  CHECK(machine.Do("a\nb", "logs") == "service \"a\\nb\" not found");
  CHECK(machine.Do("web", "explode") == "unknown command: explode");
  const auto ticket = manager.RequestDeploy("nope", {});
  REQUIRE_FALSE(ticket.has_value());
  CHECK(ticket.error().what == "service \"nope\" not found");
  CHECK(manager.CancelDeploy("nope").error().code == Errc::kNotFound);
  CHECK_FALSE(machine.Run(manager.GetServiceState("nope")).has_value());
  CHECK(machine.Run(manager.GetServiceState("web"))->status == "stopped");
  CHECK(machine.Run(manager.Logs("nope", 10)).error().code == Errc::kNotFound);
  CHECK(manager.GetServiceConfig("web")->name == "web");
  CHECK_FALSE(manager.GetServiceConfig("nope").has_value());
}

TEST_CASE("all are started and stopped, and counted") {
  Machine machine;
  auto& manager = machine.Start({Sleeper("a"), Sleeper("b"), ProcessService("broken", "")});
  CHECK(machine.Run(manager.CountRunning()) == std::pair<std::size_t, std::size_t>(0, 3));
  CHECK(machine.Do("a", "start") == "started");
  auto result = machine.Run(manager.StartAll());
  CHECK(result.done == Words{"b"});
  CHECK(result.already == Words{"a"});
  REQUIRE(result.failed.size() == 1);
  CHECK(result.failed[0].first == "broken");
  CHECK(result.failed[0].second == "start failed: no entrypoint or cmd configured for broken");
  CHECK(machine.Run(manager.CountRunning()) == std::pair<std::size_t, std::size_t>(2, 3));
  CHECK(machine.Saved("b").backend.has_value());
  result = machine.Run(manager.StopAll());
  CHECK(result.done == Words{"a", "b"});
  CHECK(result.already == Words{"broken"});
  CHECK(machine.Run(manager.CountRunning()) == std::pair<std::size_t, std::size_t>(0, 3));
}

TEST_CASE("a repository is found however it is spelled") {
  Machine machine;
  auto api = Sleeper("api");
  api.repo = "github.com/org/repo";
  api.branch = "main";
  auto worker = api;
  worker.name = "worker";
  worker.repo = "git@github.com:Org/Repo.git";
  auto& manager = machine.StartFake({worker, api, Sleeper("bare")});
  for (const char* spelling : {"github.com/org/repo", "org/repo", "https://github.com/org/repo", "ORG/repo.git/",
                               "ssh://git@github.com:22/org/repo.git"}) {
    CAPTURE(std::string(spelling));
    CHECK(manager.FindServicesByRepo(spelling, "main") == Words{"api", "worker"});
  }
  CHECK(manager.FindServiceByRepo("org/repo", "main") == "api");
  CHECK_FALSE(manager.FindServiceByRepo("org/other", "main").has_value());
  CHECK_FALSE(manager.FindServiceByRepo("org/repo", "dev").has_value());
  CHECK_FALSE(manager.FindServiceByRepo("https://gitlab.com/org/repo", "main").has_value());
  CHECK_FALSE(manager.FindServiceByRepo("", "").has_value());
}

TEST_CASE("pull runs git in the directory, and is refused without one") {
  Machine machine;
  auto web = Sleeper("web");
  web.dir = machine.dir / "work";
  std::filesystem::create_directories(web.dir);
  machine.StartFake({web, Sleeper("bare")});
  CHECK(machine.Do("web", "pull").contains("git pull failed: exit status"));
  CHECK(machine.Do("bare", "pull") ==
        "pull refused: bare has no directory; set `dir:` in " + machine.config.services_dir + "/bare.yaml");
}

TEST_CASE("the exit of a service is reported once, with its status, and by no later question again") {
  Machine machine;
  machine.Start({ProcessService("job", "while [ ! -e go ]; do sleep 0.05; done; echo last words; exit 3")});
  CHECK(machine.Do("job", "start") == "started");
  REQUIRE(os::WriteFileAtomically(machine.dir / "go", "", 0600, os::Sync::kNone).has_value());
  REQUIRE(machine.Until([&] { return machine.notifier.Count("job exited") == 1; }));
  for (int i = 0; i < 5; ++i) CHECK(machine.Do("job", "logs").contains("last words"));
  CHECK(machine.Do("job", "status") == "failed");
  machine.Settle();
  CHECK(machine.notifier.Summaries() == Words{"job started", "job exited"});
  const auto& exit = machine.notifier.events[1].detail;
  CHECK(exit.exit->code == 3);
  CHECK(exit.generation == 1);
  CHECK(exit.log_tail.contains("last words"));
  CHECK(machine.View("job").last_exit == "exited with status 3");
  const State saved = machine.Saved("job");
  CHECK(saved.status == "failed");
  CHECK(saved.desired == Desired::kUp);
  CHECK_FALSE(saved.backend.has_value());
}

TEST_CASE("callbacks: on change, and a later notifier") {
  Machine machine;
  auto& manager = machine.StartFake({Sleeper("web")});
  int changes = 0;
  manager.SetOnChange([&] { ++changes; });
  tests::RecordingNotifier other;
  manager.SetNotifier(other);
  CHECK(machine.Do("web", "start") == "started");
  CHECK(changes == 1);
  CHECK(other.Summaries() == Words{"web started"});
  CHECK(machine.notifier.events.empty());
  WebhookInfo info;
  info.branch = "main";
  manager.NotifyWebhook("web", info);
  CHECK(other.Count("web webhook") == 1);
  manager.SignalReady();
  manager.SignalReady();
  machine.StopManager();
}

TEST_CASE("after Stop the services go on, and an operation is answered") {
  Machine machine;
  auto& manager = machine.Start({Sleeper("web")});
  CHECK(machine.Do("web", "start") == "started");
  const int pid = machine.Pid("web");
  machine.Run(manager.Stop());
  CHECK(machine.Do("web", "start") == "manager shutting down");
  CHECK(machine.Do("web", "status") == "manager shutting down");
  CHECK(manager.RequestDeploy("web", {}).error().what == "manager shutting down");
  CHECK(Lives(pid));
  CHECK(machine.Saved("web").backend->pid == pid);
}

TEST_CASE("children get no secrets, no marks of ours, and their own variables") {
  Machine machine;
  machine.environment.emplace_back("DISCORD_TOKEN=abc");
  machine.environment.emplace_back("SHIPMATE_INSTANCE=someone/else/1");
  auto web = Sleeper("web");
  web.env["COLOUR"] = "blue";
  web.dir = machine.dir.Path();
  machine.Start({web});
  CHECK(machine.Do("web", "start") == "started");
  const int pid = machine.Pid("web");
  CHECK(machine.Until([&] { return os::ReadEnviron(pid, "COLOUR") == "blue"; }));
  CHECK_FALSE(os::ReadEnviron(pid, "DISCORD_TOKEN").has_value());
  CHECK(os::ReadEnviron(pid, "SHIPMATE_INSTANCE") == machine.StateId() + "/web/1");
  CHECK(os::ReadEnviron(pid, "PWD") == machine.dir.Path());
}

TEST_CASE("a failure to save is said") {
  Machine machine;
  machine.StartFake({Sleeper("web")});
  std::filesystem::rename(machine.config.state_dir, machine.config.state_dir + ".away");
  tests::WriteText(machine.config.state_dir, "in the way");
  CHECK(machine.Do("web", "start").starts_with("started (state could not be saved: "));
  CHECK(machine.notifier.Count("web started") == 1);
  std::filesystem::remove(machine.config.state_dir);
  std::filesystem::rename(machine.config.state_dir + ".away", machine.config.state_dir);
}

TEST_CASE("many are started in one go, each with one instance and one file") {
  Machine machine;
  std::vector<config::ServiceConfig> services;
  for (int i = 0; i < 60; ++i) services.push_back(Sleeper("s" + std::to_string(i)));
  auto& manager = machine.Start(services);
  CHECK(machine.Run(manager.StartAll()).done.size() == 60);
  machine.Start(services);
  CHECK(machine.Run(machine.manager->CountRunning()) == std::pair<std::size_t, std::size_t>(60, 60));
  CHECK(machine.Run(machine.manager->StopAll()).done.size() == 60);
  CHECK(os::FindByEnviron(kInstanceMark, machine.StateId() + "/").value().empty());
}

}  // namespace shipmate::service
