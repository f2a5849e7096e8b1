#include <doctest/doctest.h>

#include <algorithm>

#include "unit/service/machine.h"

namespace shipmate::service {

namespace {

using tests::Lives;
using tests::Machine;
using Words = std::vector<std::string>;

struct Yard : Machine {
  void Write(const std::string& name, const std::string& text) {
    tests::WriteText(config.services_dir + "/" + name + ".yaml", text);
  }
  void Remove(const std::string& name) { std::filesystem::remove(config.services_dir + "/" + name + ".yaml"); }
  void Begin() {
    auto loaded = config::LoadServices(config.services_dir, config.base_dir);
    REQUIRE(loaded.has_value());
    Start(std::move(loaded->value));
  }
  ReloadResult Reload() {
    auto result = Run(manager->Reload());
    REQUIRE_MESSAGE(result.has_value(), (result ? std::string() : result.error().front()));
    return *std::move(result);
  }
};

constexpr const char* kSleep = "entrypoint: [sleep, '3600']\n";

}  // namespace

TEST_CASE("reload: added and removed") {
  Yard yard;
  yard.Write("svc1", kSleep);
  yard.Begin();
  CHECK(yard.Do("svc1", "start") == "started");
  const int pid = yard.Pid("svc1");
  yard.Write("svc2", kSleep);
  ReloadResult result = yard.Reload();
  CHECK(result.added == Words{"svc2"});
  CHECK(result.started == Words{"svc2"});
  CHECK(yard.manager->ServiceNames() == Words{"svc1", "svc2"});
  CHECK(yard.Do("svc2", "status") == "running");
  CHECK(yard.Saved("svc2").desired == Desired::kUp);
  CHECK(yard.Pid("svc1") == pid);
  yard.Remove("svc1");
  result = yard.Reload();
  CHECK(result.removed == Words{"svc1"});
  CHECK(result.stopped == Words{"svc1"});
  CHECK(yard.manager->ServiceNames() == Words{"svc2"});
  CHECK_FALSE(Lives(pid));
  CHECK(yard.notifier.Count("svc1 stopped") == 1);
  CHECK_FALSE(std::filesystem::exists(yard.config.state_dir + "/svc1.json"));
  CHECK(yard.Do("svc1", "start") == "service \"svc1\" not found");
}

TEST_CASE("reload: new services come up in order, but for those that are not to start; what fails is a warning") {
  Yard yard;
  yard.Write("first", kSleep);
  yard.Begin();
  CHECK(yard.Do("first", "stop") == "already stopped");
  yard.Write("api", std::string(kSleep) + "requires: [db]\n");
  yard.Write("db", kSleep);
  yard.Write("manual", std::string(kSleep) + "autostart: false\n");
  yard.Write("odd", "entrypoint: [/does/not/exist]\nrestart: 'no'\n");
  const ReloadResult result = yard.Reload();
  CHECK(result.added == Words{"api", "db", "manual", "odd"});
  CHECK(result.started == Words{"api", "db"});
  CHECK(std::ranges::any_of(result.warnings, [](const std::string& warning) {
    return warning.starts_with("odd: start failed: starting process: ");
  }));
  CHECK(yard.Pid("manual") == 0);
  CHECK(yard.Pid("first") == 0);
  Words started;
  for (const auto& event : yard.notifier.events) {
    if (event.event == "started") started.push_back(event.name);
  }
  CHECK(started == Words{"db", "api"});
  yard.Remove("manual");
  CHECK(yard.Reload().stopped.empty());
}

TEST_CASE("reload: what does not change the process leaves it alone, what does restarts it if it ran") {
  Yard yard;
  yard.Write("web", std::string(kSleep) + "branch: main\n");
  yard.Write("idle", kSleep);
  yard.Begin();
  CHECK(yard.Do("web", "start") == "started");
  const int pid = yard.Pid("web");

  yard.Write("web", std::string(kSleep) + "branch: dev\ndeploy: [make]\ndir: .\nadopt: false\n");
  yard.Write("web", std::string(kSleep) + "branch: dev\nrequire_confirmation: true\nstop_timeout: 3s\n");
  ReloadResult result = yard.Reload();
  CHECK(result.changed == Words{"web"});
  CHECK(result.restarted.empty());
  CHECK(yard.Pid("web") == pid);
  CHECK(yard.manager->GetServiceConfig("web")->branch == "dev");

  yard.Write("web", "entrypoint: [sleep, '3601']\n");
  yard.Write("idle", "entrypoint: [sleep, '3601']\n");
  result = yard.Reload();
  CHECK(result.changed == Words{"idle", "web"});
  CHECK(result.restarted == Words{"web"});
  CHECK_FALSE(Lives(pid));
  CHECK(yard.Pid("web") != 0);
  CHECK(yard.Do("idle", "status") == "stopped");
  CHECK(yard.notifier.Summaries() == Words{"web started", "web restarted"});
  CHECK(yard.Saved("web").generation == 2);
  CHECK(yard.Marked("web").size() == 1);
  CHECK(yard.Do("web", "stop") == "stopped");
}

TEST_CASE("reload: one bad file changes nothing, and neither does an empty directory") {
  Yard yard;
  yard.Write("web", kSleep);
  yard.Begin();
  CHECK(yard.Do("web", "start") == "started");
  const int pid = yard.Pid("web");
  yard.Write("new", kSleep);
  yard.Write("bad", "entrypoint: [");
  CHECK_FALSE(yard.Run(yard.manager->Reload()).has_value());
  CHECK(yard.manager->ServiceNames() == Words{"web"});
  yard.Remove("new");
  yard.Remove("bad");
  yard.Remove("web");
  const auto empty = yard.Run(yard.manager->Reload());
  REQUIRE_FALSE(empty.has_value());
  CHECK(empty.error().front().contains("no service file is there"));
  CHECK(Lives(pid));
  CHECK(yard.Pid("web") == pid);
}

TEST_CASE("reload: two at once are two after another") {
  Yard yard;
  yard.Write("web", kSleep);
  yard.Begin();
  CHECK(yard.Do("web", "start") == "started");
  yard.Write("web", "entrypoint: [sleep, '3601']\n");
  yard.Write("two", kSleep);
  struct Steps {
    static Task<void> Reload(Manager& manager, std::vector<ReloadResult>& results) {
      auto result = co_await manager.Reload();
      if (result) results.push_back(*std::move(result));
    }
  };
  std::vector<ReloadResult> results;
  for (int i = 0; i < 2; ++i) {
    async::Spawn(yard.loop.get_executor(), "reload", Steps::Reload(*yard.manager, results));
  }
  REQUIRE(yard.Until([&] { return results.size() == 2; }));
  CHECK(results[0].restarted == Words{"web"});
  CHECK(results[0].added == Words{"two"});
  CHECK(results[1].changed.empty());
  CHECK(results[1].added.empty());
  CHECK(yard.Marked("web").size() == 1);
}

TEST_CASE("reload: the deploy of a removed service is cancelled, and starts nothing") {
  Yard yard;
  yard.Write("keep", kSleep);
  yard.Write("web", std::string(kSleep) + "dir: .\ndeploy: ['sleep 600']\n");
  yard.Begin();
  CHECK(yard.Do("web", "start") == "started");
  const int pid = yard.Pid("web");
  REQUIRE(yard.manager->RequestDeploy("web", {}).has_value());
  REQUIRE(yard.Until([&] { return yard.View("web").deploy == "deploying"; }));
  yard.Remove("web");
  CHECK(yard.Reload().removed == Words{"web"});
  CHECK_FALSE(Lives(pid));
  yard.Settle();
  CHECK(yard.Marked("web").empty());
  CHECK(yard.notifier.Count("web deploy-failed") == 1);
}

TEST_CASE("reload: an external unit that is removed or changed is forgotten, not stopped") {
  Machine machine;
  tests::WriteText(machine.config.services_dir + "/web.yaml", kSleep);
  auto unit = tests::Sleeper("unit");
  unit.kind = config::ServiceKind::kSystemd;
  unit.entrypoint.clear();
  unit.service_name = "api";
  machine.StartFake({tests::Sleeper("web"), unit});
  machine.Script("unit")->pid = 77;
  tests::WriteText(machine.config.services_dir + "/unit.yaml", "service_name: other\n");
  REQUIRE(machine.Run(machine.manager->Reload()).has_value());
  std::filesystem::remove(machine.config.services_dir + "/unit.yaml");
  REQUIRE(machine.Run(machine.manager->Reload()).has_value());
  CHECK(machine.manager->ServiceNames() == Words{"web"});
  CHECK(std::ranges::count(machine.Script("unit")->calls, "stop") == 0);
  CHECK(machine.Script("unit")->pid == 77);
}

}  // namespace shipmate::service
