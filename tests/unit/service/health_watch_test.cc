// Health of services under a manager: programs, ports and HTTP, as real as they come.

#include <doctest/doctest.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "machine.h"
#include "service/prober.h"

using namespace shipmate;
using namespace shipmate::tests;
using boost::asio::ip::tcp;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// Healthy while the file is there.
config::ServiceConfig Watched(Machine& machine, std::string name) {
  auto config = Sleeper(std::move(name));
  config.health.emplace();
  config.health->kind = config::HealthConfig::Kind::kExec;
  config.health->exec = {"test", "-e", machine.dir / "good"};
  config.health->timeout = seconds(20);
  config.health->interval = milliseconds(20);
  config.health->start_period = seconds(30);
  config.health->threshold = 2;
  return config;
}

void Touch(const std::string& path) {
  std::ofstream(path) << "x";
}

std::vector<std::string> Summaries(const Machine& machine) {
  std::vector<std::string> all;
  for (const RecordedEvent& event : machine.notifier.events) all.push_back(event.Summary());
  return all;
}

Task<void> AnswerOnce(tcp::acceptor& acceptor, std::string answer) {
  tcp::socket socket = co_await acceptor.async_accept(boost::asio::use_awaitable);
  std::string request(4096, '\0');
  co_await socket.async_read_some(boost::asio::buffer(request), boost::asio::use_awaitable);
  co_await boost::asio::async_write(socket, boost::asio::buffer(answer), boost::asio::use_awaitable);
}

struct Web {
  Web() : acceptor(loop, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)) {
    health.url = "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()) + "/health";
    health.timeout = seconds(20);
  }
  std::string Probe(const std::string& answer) {
    service::Prober prober(loop.get_executor(), {.health = health});
    async::Spawn(loop.get_executor(), "web", AnswerOnce(acceptor, answer));
    const auto result = RunTask(loop, prober.Probe());
    return result ? "" : result.error().what;
  }
  boost::asio::io_context loop{1};
  tcp::acceptor acceptor;
  config::HealthConfig health;
};

}  // namespace

TEST_CASE("prober: http by its status, and without following redirects") {
  Web web;
  CHECK(web.Probe("HTTP/1.1 204 No Content\r\n\r\n") == "");
  CHECK(web.Probe("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n") == "HTTP status 503, expected 200 to 299");
  CHECK(web.Probe("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n") ==
        "HTTP status 302, expected 200 to 299");
  CHECK(web.Probe("nonsense\r\n\r\n") != "");
  web.health.status = 503;
  CHECK(web.Probe("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n") == "");
  CHECK(web.Probe("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") == "HTTP status 200, expected 503");
}

TEST_CASE("prober: a server that says nothing is given up") {
  Web web;
  web.health.timeout = milliseconds(100);
  service::Prober prober(web.loop.get_executor(), {.health = web.health});
  const auto result = RunTask(web.loop, prober.Probe());
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().code == Errc::kTimeout);
}

TEST_CASE("prober: tcp") {
  Web web;
  web.health.kind = config::HealthConfig::Kind::kTcp;
  web.health.host = "127.0.0.1";
  web.health.port = web.acceptor.local_endpoint().port();
  service::Prober prober(web.loop.get_executor(), {.health = web.health});
  CHECK(RunTask(web.loop, prober.Probe()).has_value());
  web.acceptor.close();
  const auto refused = RunTask(web.loop, prober.Probe());
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::kRefused);
}

TEST_CASE("prober: a program, its environment, and why it failed") {
  boost::asio::io_context loop{1};
  config::HealthConfig health;
  health.kind = config::HealthConfig::Kind::kExec;
  health.timeout = seconds(20);
  health.exec = {"/bin/sh", "-c", "pwd; echo $WORD; exit $CODE"};
  const auto probe = [&](const std::string& code) {
    service::Prober prober(loop.get_executor(),
                           {.health = health, .dir = "/", .environment = {"WORD=tired", "CODE=" + code}});
    const auto result = RunTask(loop, prober.Probe());
    return result ? "" : result.error().what;
  };
  CHECK(probe("0") == "");
  CHECK(probe("4").starts_with("/bin/sh: exited with status 4: "));
  CHECK(probe("4").ends_with("tired"));
  health.timeout = milliseconds(50);
  health.exec = {"sleep", "60"};
  CHECK(probe("0") == "sleep: not done within 50ms");
  health.exec = {"/no/such/program"};
  CHECK(probe("0").find("/no/such/program") != std::string::npos);
}

TEST_CASE("a start is done when the service is healthy; then it is watched, and told once") {
  Machine machine;
  Touch(machine.dir / "good");
  machine.Start({Watched(machine, "web")});
  CHECK(machine.Do("web", "start").starts_with("started"));
  CHECK(machine.View("web").health == "healthy");
  CHECK(machine.View("web").state.status == "running");

  std::filesystem::remove(machine.dir / "good");
  REQUIRE(machine.Until([&] { return machine.notifier.events.size() >= 2; }));
  CHECK(machine.View("web").health == "unhealthy");
  CHECK(machine.View("web").health_reason == "test: exited with status 1");
  CHECK(machine.View("web").state.status == "running");
  CHECK(machine.notifier.events[1].detail.reason == "test: exited with status 1");
  CHECK(machine.Do("web", "start").ends_with("unhealthy: test: exited with status 1"));
  for (int i = 0; i < 10; ++i) machine.Settle();

  Touch(machine.dir / "good");
  REQUIRE(machine.Until([&] { return machine.notifier.events.size() >= 3; }));
  CHECK(Summaries(machine) == std::vector<std::string>{"web started", "web unhealthy", "web healthy"});
  CHECK(machine.Do("web", "stop") == "stopped");
  CHECK(machine.View("web").health == "");
}

TEST_CASE("a start that does not become healthy fails with the reason and the log") {
  Machine machine;
  auto config = Watched(machine, "web");
  config.entrypoint = {"/bin/sh", "-c", "echo waiting for the database; exec sleep 3600"};
  config.health->start_period = seconds(5);
  auto& manager = machine.Start({config});
  std::optional<service::Reply> reply;
  boost::asio::co_spawn(machine.loop, manager.Do("web", "start"),
                        [&](const std::exception_ptr&, service::Reply answer) { reply = std::move(answer); });
  REQUIRE(machine.Until([&] { return machine.Pid("web") != 0; }));
  CHECK(machine.View("web").state.status == "starting");
  CHECK(machine.View("web").health == "starting");
  CHECK_FALSE(reply.has_value());
  machine.clock.Advance(seconds(6));
  REQUIRE(machine.Until([&] { return reply.has_value(); }));
  CHECK_FALSE(reply->ok);
  CHECK(reply->text == "start failed: not healthy within 5s: test: exited with status 1");
  CHECK(reply->log_tail.find("waiting for the database") != std::string::npos);
}

TEST_CASE("a start that ends before it is healthy fails at once; a stop is not held up by it") {
  Machine machine;
  auto config = Watched(machine, "web");
  config.entrypoint = {"/bin/sh", "-c", "sleep 0.3; echo broken; exit 3"};
  auto& manager = machine.Start({config, Watched(machine, "api")});
  const auto reply = machine.Run(manager.Do("web", "start"));
  CHECK_FALSE(reply.ok);
  CHECK(reply.text == "start failed: not healthy yet when it ended: exited with status 3");
  CHECK(reply.log_tail.find("broken") != std::string::npos);

  std::optional<service::Reply> start;
  boost::asio::co_spawn(machine.loop, manager.Do("api", "start"),
                        [&](const std::exception_ptr&, service::Reply answer) { start = std::move(answer); });
  REQUIRE(machine.Until([&] { return machine.Pid("api") != 0; }));
  CHECK(machine.Do("api", "stop") == "stopped");
  REQUIRE(machine.Until([&] { return start.has_value(); }));
  CHECK(start->text == "start failed: not healthy yet when it ended: it was stopped");
}

TEST_CASE("an unhealthy service is restarted where that is wanted") {
  Machine machine;
  Touch(machine.dir / "good");
  auto config = Watched(machine, "web");
  config.health->on_unhealthy = config::HealthConfig::OnUnhealthy::kRestart;
  machine.Start({config});
  machine.Do("web", "start");
  const int pid = machine.Pid("web");
  std::filesystem::remove(machine.dir / "good");
  REQUIRE(machine.Until([&] { return machine.notifier.events.size() >= 3; }));
  CHECK(machine.Pid("web") != pid);
  CHECK(machine.notifier.events[1].detail.reason == "test: exited with status 1 (it is restarted)");
  CHECK(machine.notifier.events[2].detail.reason == "unhealthy: test: exited with status 1");
  Touch(machine.dir / "good");
  REQUIRE(machine.Until([&] { return machine.notifier.events.size() >= 4; }));
  CHECK(Summaries(machine) == std::vector<std::string>{"web started", "web unhealthy", "web restarted", "web healthy"});
}

TEST_CASE("restarts that do not help count as crashes: given up, and stopped") {
  Machine machine;
  Touch(machine.dir / "good");
  auto config = Watched(machine, "web");
  config.health->on_unhealthy = config::HealthConfig::OnUnhealthy::kRestart;
  config.start_limit = {.count = 1, .window = std::chrono::minutes(1)};
  machine.Start({config});
  machine.Do("web", "start");
  std::filesystem::remove(machine.dir / "good");
  REQUIRE(machine.Until([&] { return machine.notifier.Count("web failed") == 1; }));
  const auto& failed = machine.notifier.Find("web failed")->detail;
  CHECK(failed.reason == "1 crash in 1m");
  CHECK(failed.error == "unhealthy: test: exited with status 1");
  CHECK(machine.View("web").state.status == "failed");
  CHECK(machine.View("web").last_exit == "stopped because unhealthy: test: exited with status 1");
  CHECK(machine.Pid("web") == 0);
  CHECK(Summaries(machine) == std::vector<std::string>{"web started", "web unhealthy", "web failed"});
}

TEST_CASE("a deploy whose service does not become healthy has failed at its restart") {
  Machine machine;
  auto config = Watched(machine, "web");
  config.dir = machine.dir.Path();
  config.deploy = {"echo built"};
  config.health->start_period = seconds(5);
  auto& manager = machine.Start({config});
  REQUIRE(manager.RequestDeploy("web", {.actor = "alice"}).has_value());
  REQUIRE(machine.Until([&] { return machine.Pid("web") != 0; }));
  machine.clock.Advance(seconds(6));
  const auto failed = [](const RecordedEvent& event) { return event.kind == RecordedEvent::Kind::kDeployFailed; };
  REQUIRE(machine.Until([&] { return std::ranges::any_of(machine.notifier.events, failed); }));
  const auto event = *std::ranges::find_if(machine.notifier.events, failed);
  CHECK(event.step == "restart");
  CHECK(event.output.find("built") != std::string::npos);
  CHECK(event.output.find("ERROR: not healthy within 5s: test: exited with status 1") != std::string::npos);
}

TEST_CASE("what is adopted is watched, and new settings come into force without a restart") {
  Machine machine;
  Touch(machine.dir / "good");
  machine.Start({Watched(machine, "web")});
  machine.Do("web", "start");
  const int pid = machine.Pid("web");
  machine.StopManager();
  auto& manager = machine.Start({Watched(machine, "web")});
  REQUIRE(machine.Until([&] { return machine.View("web").health == "healthy"; }));
  CHECK(machine.Pid("web") == pid);

  std::ofstream(machine.config.services_dir + "/web.yaml")
      << "entrypoint: [sleep, '3600']\nstop_timeout: 10s\nhealth:\n  exec: [test, -e, " << machine.dir / "other"
      << "]\n  threshold: 1\n";
  const auto reloaded = machine.Run(manager.Reload());
  REQUIRE(reloaded.has_value());
  CHECK(reloaded->changed == std::vector<std::string>{"web"});
  CHECK(reloaded->restarted.empty());
  CHECK(machine.Pid("web") == pid);
  machine.clock.Advance(hours(1));
  REQUIRE(machine.Until([&] { return machine.View("web").health == "unhealthy"; }));

  std::ofstream(machine.config.services_dir + "/web.yaml") << "entrypoint: [sleep, '3600']\n";
  REQUIRE(machine.Run(manager.Reload()).has_value());
  CHECK(machine.View("web").health == "");
  CHECK(machine.Pid("web") == pid);
}
