// `after` and `requires` under a manager.

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "machine.h"

using namespace shipmate;
using namespace shipmate::tests;

namespace {

using Names = std::vector<std::string>;

config::ServiceConfig Node(std::string name, Names after, Names required) {
  auto config = Sleeper(std::move(name));
  config.after = std::move(after);
  config.requires_services = std::move(required);
  return config;
}

std::vector<std::string> Summaries(const Machine& machine) {
  std::vector<std::string> all;
  for (const RecordedEvent& event : machine.notifier.events) all.push_back(event.Summary());
  return all;
}

}  // namespace

TEST_CASE("all are started in order, and stopped in the reverse order") {
  Machine machine;
  auto& manager = machine.StartFake({Node("api", {}, {"db"}), Node("db", {"disk"}, {}), Node("disk", {}, {})});
  CHECK(machine.Run(manager.StartAll()).done == Names{"api", "db", "disk"});
  CHECK(Summaries(machine) == Names{"disk started", "db started", "api started"});
  machine.notifier.events.clear();
  CHECK(machine.Run(manager.StopAll()).done == Names{"api", "db", "disk"});
  CHECK(Summaries(machine) == Names{"api stopped", "db stopped", "disk stopped"});
}

TEST_CASE("some are started and stopped in order, with what they require") {
  Machine machine;
  auto& manager = machine.StartFake(
      {Node("api", {"web"}, {"db"}), Node("db", {}, {"disk"}), Node("disk", {}, {}), Node("web", {}, {})});
  CHECK(machine.Run(manager.StartMany({"web", "api", "nope"})).done == Names{"api", "web"});
  CHECK(machine.notifier.events.back().Summary() == "api started");
  CHECK(machine.notifier.Count("disk started") == 1);
  CHECK(machine.Run(manager.StartMany({"web", "db"})).already == Names{"db", "web"});
  machine.notifier.events.clear();
  CHECK(machine.Run(manager.StopMany({"db", "api", "nope"})).done == Names{"api", "db"});
  CHECK(Summaries(machine) == Names{"api stopped", "db stopped"});
}

TEST_CASE("a halt stops in order, ends deploys, and leaves what is wanted") {
  Machine machine;
  auto db = Node("db", {"disk"}, {});
  db.dir = machine.dir.Path();
  db.deploy = {"sleep 600"};
  auto& manager = machine.StartFake({Node("api", {}, {"db"}), db, Node("disk", {}, {})});
  REQUIRE(machine.Run(manager.StartAll()).failed.empty());
  REQUIRE(manager.RequestDeploy("db", {}).has_value());
  REQUIRE(machine.Until([&] { return machine.View("db").deploy == "deploying"; }));
  machine.notifier.events.clear();
  machine.Run(manager.HaltAll());
  const Names all = Summaries(machine);
  CHECK(std::ranges::count(all, "db deploy-failed") == 1);
  Names stopped;
  std::ranges::copy_if(all, std::back_inserter(stopped), [](const auto& event) { return event.ends_with("stopped"); });
  CHECK(stopped == Names{"api stopped", "db stopped", "disk stopped"});
  CHECK(machine.Saved("db").desired == service::Desired::kUp);
}

TEST_CASE("what is not ordered does not wait") {
  Machine machine;
  auto& manager = machine.StartFake({Node("api", {"db"}, {}), Node("db", {}, {}), Node("web", {}, {})});
  machine.Script("db")->hold = std::make_shared<async::Event>(machine.loop.get_executor());
  std::optional<service::BulkResult> result;
  boost::asio::co_spawn(machine.loop, manager.StartAll(),
                        [&](const std::exception_ptr&, service::BulkResult done) { result = std::move(done); });
  REQUIRE(machine.Until([&] { return Summaries(machine) == Names{"web started"}; }));
  machine.Settle();
  CHECK(machine.Script("api")->calls.empty());
  machine.Script("db")->hold->Set();
  REQUIRE(machine.Until([&] { return result.has_value(); }));
  CHECK(result->done == Names{"api", "db", "web"});
}

TEST_CASE("who requires what cannot be started is not started; who only comes after it is") {
  Machine machine;
  auto& manager = machine.StartFake(
      {Node("api", {}, {"db"}), Node("db", {}, {}), Node("web", {"db"}, {}), Node("zoo", {}, {"api"})});
  machine.Script("db")->failure = Error{.code = Errc::kSpawn, .what = "no such file"};
  const auto result = machine.Run(manager.StartAll());
  CHECK(result.done == Names{"web"});
  REQUIRE(result.failed.size() == 3);
  CHECK(result.failed[0].second == "requires db, which failed: start failed: no such file");
  CHECK(result.failed[1].second == "start failed: no such file");
  CHECK(result.failed[2].second == "requires api, which failed: requires db, which failed: start failed: no such file");
  CHECK(machine.Script("api")->calls.empty());
  CHECK(machine.Do("api", "start") == "requires db, which failed: start failed: no such file");
}

TEST_CASE("a start brings along what is required, and a stop says who is left without") {
  Machine machine;
  machine.StartFake(
      {Node("api", {"web"}, {"db"}), Node("db", {}, {"disk"}), Node("disk", {}, {}), Node("web", {}, {"db"})});
  CHECK(machine.Do("api", "start") == "started (disk, db were started for it)");
  CHECK(Summaries(machine) == Names{"disk started", "db started", "api started"});
  CHECK(machine.Script("web")->calls.empty());
  CHECK(machine.Do("web", "start") == "started");
  CHECK(machine.Do("api", "restart") == "restarted");
  CHECK(std::ranges::count(machine.Script("db")->calls, "start") == 1);
  CHECK(machine.Do("db", "stop") == "stopped (api, web require it and go on running)");
  CHECK(machine.Do("web", "stop") == "stopped");
  CHECK(machine.Do("db", "start") == "started");
  CHECK(machine.Do("db", "stop") == "stopped (api requires it and goes on running)");
}

TEST_CASE("who requires a service that is not healthy yet waits for that") {
  Machine machine;
  auto db = Node("db", {}, {});
  db.health.emplace();
  db.health->kind = config::HealthConfig::Kind::kExec;
  db.health->exec = {"test", "-e", machine.dir / "good"};
  db.health->timeout = std::chrono::seconds(20);
  db.health->interval = std::chrono::milliseconds(20);
  auto& manager = machine.StartFake({Node("api", {}, {"db"}), db, Node("web", {}, {})});
  std::optional<service::BulkResult> result;
  boost::asio::co_spawn(machine.loop, manager.StartAll(),
                        [&](const std::exception_ptr&, service::BulkResult done) { result = std::move(done); });
  REQUIRE(machine.Until([&] { return machine.notifier.events.size() >= 2; }));
  machine.Settle();
  CHECK(machine.Script("api")->calls.empty());
  CHECK_FALSE(result.has_value());
  std::ofstream(machine.dir / "good") << "x";
  REQUIRE(machine.Until([&] { return result.has_value(); }));
  CHECK(result->done == Names{"api", "db", "web"});
}
