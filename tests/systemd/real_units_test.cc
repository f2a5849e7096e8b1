// SystemctlBackend against a real systemd: run inside one by systemd_test.py, never on the machine itself. The suite
// "root" runs as root, the suite "stranger" as a user without rights. Names of units are those of units/.

#include <doctest/doctest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <fstream>
#include <string>
#include <vector>

#include "async/deadline.h"
#include "base/clock.h"
#include "run_task.h"
#include "service/backends/systemctl.h"

namespace shipmate::service::backends {

namespace {

using namespace std::chrono_literals;
using tests::RunTask;

std::vector<std::string> Environment() {
  return {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
}

struct Fixture {
  boost::asio::io_context loop;
  base::SystemClock clock;

  SystemctlBackend Backend(std::string unit, UnitScope scope = UnitScope::kSystem) {
    return SystemctlBackend(
        SystemctlOptions{.unit = std::move(unit), .scope = scope, .environment = Environment(), .clock = &clock});
  }
};

// Results as one word each, so that a failing check shows the error itself.
std::string Told(const Result<std::string>& status) {
  return status ? *status : status.error().what;
}
std::string Told(const Result<Change>& change) {
  if (!change) return change.error().what;
  return *change == Change::kDone ? "done" : "already";
}

void Touch(const char* path) {
  std::ofstream(path) << "now\n";
}

// What Wanted asks for once it is so, or the last it saw after 30 seconds.
constexpr int kLooks = 300;

Task<std::string> StatusOnce(SystemctlBackend& backend, std::string wanted) {
  std::string seen;
  for (int look = 0; look < kLooks && seen != wanted; ++look) {
    if (look > 0) co_await async::Sleep(100ms);
    const auto status = co_await backend.Status();
    seen = Told(status);
  }
  co_return seen;
}

Task<std::string> LogsOnce(SystemctlBackend& backend, std::string wanted) {
  std::string seen;
  for (int look = 0; look < kLooks && !seen.contains(wanted); ++look) {
    if (look > 0) co_await async::Sleep(100ms);
    const auto logs = co_await backend.Logs(4000);
    seen = Told(logs);
  }
  co_return seen;
}

// A change that runs beside the test, so that it can look while the change is under way.
struct Underway {
  bool done = false;
  std::optional<Result<Change>> result;

  Underway(boost::asio::io_context& loop, Task<Result<Change>> task) {
    boost::asio::co_spawn(loop, std::move(task), [this](const std::exception_ptr& failure, Result<Change> change) {
      if (!failure) result = std::move(change);
      done = true;
    });
  }
};

Task<void> Finished(const Underway& change) {
  for (int look = 0; look < kLooks && !change.done; ++look) co_await async::Sleep(100ms);
}

}  // namespace

TEST_SUITE_BEGIN("root");

TEST_CASE_FIXTURE(Fixture, "a unit is started, restarted and stopped") {
  auto talker = Backend("shipmate-talker.service");
  CHECK(Told(RunTask(loop, talker.Status())) == "stopped");
  CHECK(talker.Pid() == 0);

  CHECK(Told(RunTask(loop, talker.Start())) == "done");
  CHECK(Told(RunTask(loop, talker.Status())) == "running");
  const int first = talker.Pid();
  CHECK(first > 1);
  CHECK(talker.Uptime() >= 0ms);
  CHECK(talker.Uptime() < 60s);
  CHECK(Told(RunTask(loop, talker.Start())) == "already");
  CHECK(talker.Pid() == first);

  REQUIRE(RunTask(loop, talker.Restart()));
  CHECK(talker.Pid() > 1);
  CHECK(talker.Pid() != first);

  CHECK(Told(RunTask(loop, talker.Stop())) == "done");
  CHECK(Told(RunTask(loop, talker.Status())) == "stopped");
  CHECK(talker.Pid() == 0);
  CHECK(Told(RunTask(loop, talker.Stop())) == "already");

  // By the name without its ending too.
  auto short_name = Backend("shipmate-talker");
  CHECK(Told(RunTask(loop, short_name.Start())) == "done");
  CHECK(Told(RunTask(loop, short_name.Stop())) == "done");
}

TEST_CASE_FIXTURE(Fixture, "its output is read from the journal") {
  auto talker = Backend("shipmate-talker.service");
  REQUIRE(RunTask(loop, talker.Start()));
  const std::string logs = RunTask(loop, LogsOnce(talker,
                                                  "hello from the talker, gr\xc3\xb6\xc3\x9f"
                                                  "er"));
  CHECK(
      logs.contains("hello from the talker, gr\xc3\xb6\xc3\x9f"
                    "er\n"));
  CHECK_FALSE(logs.contains("-- "));
  const auto tail = RunTask(loop, talker.Logs(10));
  REQUIRE(tail);
  CHECK(tail->size() <= 10);
  CHECK_FALSE(tail->empty());
  REQUIRE(RunTask(loop, talker.Stop()));

  auto silent = Backend("shipmate-unloadable.service");
  CHECK(Told(RunTask(loop, silent.Logs(1000))) == "");
}

TEST_CASE_FIXTURE(Fixture, "a unit that fails is seen as failed, and can be started again") {
  auto faller = Backend("shipmate-faller.service");
  CHECK(Told(RunTask(loop, faller.Start())) == "done");
  Touch("/tmp/fall");
  CHECK(RunTask(loop, StatusOnce(faller, "failed")) == "failed");
  CHECK(RunTask(loop, LogsOnce(faller, "the faller falls")).contains("the faller falls"));
  CHECK(Told(RunTask(loop, faller.Stop())) == "already");
  REQUIRE(std::remove("/tmp/fall") == 0);
  CHECK(Told(RunTask(loop, faller.Start())) == "done");
  CHECK(Told(RunTask(loop, faller.Status())) == "running");
  CHECK(Told(RunTask(loop, faller.Stop())) == "done");
}

TEST_CASE_FIXTURE(Fixture, "looks are answered while a change is under way") {
  auto gate = Backend("shipmate-gate.service");
  auto watcher = Backend("shipmate-gate.service");
  const Underway start(loop, gate.Start());
  CHECK(RunTask(loop, StatusOnce(watcher, "starting")) == "starting");
  CHECK_FALSE(start.done);
  Touch("/tmp/start");
  RunTask(loop, Finished(start));
  REQUIRE(start.result);
  CHECK(Told(*start.result) == "done");
  CHECK(Told(RunTask(loop, watcher.Status())) == "running");

  const Underway stop(loop, gate.Stop());
  CHECK(RunTask(loop, StatusOnce(watcher, "stopping")) == "stopping");
  CHECK_FALSE(stop.done);
  Touch("/tmp/stop");
  RunTask(loop, Finished(stop));
  REQUIRE(stop.result);
  CHECK(Told(*stop.result) == "done");
  CHECK(Told(RunTask(loop, watcher.Status())) == "stopped");
}

TEST_CASE_FIXTURE(Fixture, "units that cannot be started say why") {
  auto missing = Backend("shipmate-missing.service");
  const auto start = RunTask(loop, missing.Start());
  REQUIRE_FALSE(start);
  CAPTURE(start.error().what);
  CHECK(start.error().what.starts_with("systemctl start shipmate-missing.service: exit status 1: Job for "));
  CHECK(Told(RunTask(loop, missing.Status())) == "failed");

  auto unloadable = Backend("shipmate-unloadable.service");
  const auto status = RunTask(loop, unloadable.Status());
  REQUIRE_FALSE(status);
  CHECK(status.error().what ==
        "systemd cannot load unit shipmate-unloadable.service (bad-setting); systemctl status "
        "shipmate-unloadable.service says why");

  auto unknown = Backend("shipmate-unknown.service");
  for (const auto& error : {RunTask(loop, unknown.Status()).error(), RunTask(loop, unknown.Start()).error(),
                            RunTask(loop, unknown.Stop()).error()}) {
    CHECK(error.code == Errc::kNotFound);
    CHECK(error.what == "unit shipmate-unknown.service does not exist; check service_name in the service's file");
  }
  const auto restart = RunTask(loop, unknown.Restart());
  REQUIRE_FALSE(restart);
  CHECK(restart.error().code == Errc::kNotFound);
  CHECK(restart.error().what.contains("Unit shipmate-unknown.service not found."));
}

TEST_CASE_FIXTURE(Fixture, "one look at many units") {
  auto talker = Backend("shipmate-talker.service");
  REQUIRE(RunTask(loop, talker.Start()));
  const auto looks = RunTask(
      loop, LookAtUnits({"shipmate-talker", "shipmate-unknown.service", "multi-user.target", "shipmate-talker.service"},
                        UnitScope::kSystem, Environment()));
  REQUIRE(looks);
  REQUIRE(looks->size() == 4);
  CHECK(looks->at(0).id == "shipmate-talker.service");
  CHECK(Told(StatusOf(looks->at(0))) == "running");
  CHECK(looks->at(0).main_pid == talker.Pid());
  CHECK(StatusOf(looks->at(1)).error().code == Errc::kNotFound);
  CHECK(Told(StatusOf(looks->at(2))) == "running");
  CHECK(looks->at(2).main_pid == 0);
  CHECK(looks->at(3) == looks->at(0));
  REQUIRE(RunTask(loop, talker.Stop()));
}

TEST_CASE_FIXTURE(Fixture, "a user's own systemd that is not there is told with its cure") {
  const auto status = RunTask(loop, Backend("shipmate-talker", UnitScope::kUser).Status());
  REQUIRE_FALSE(status);
  CAPTURE(status.error().what);
  CHECK(status.error().code == Errc::kRefused);
  CHECK(status.error().what.contains("loginctl enable-linger"));
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("stranger");

TEST_CASE_FIXTURE(Fixture, "a user without rights may look, and is told how to be allowed the rest") {
  auto talker = Backend("shipmate-talker.service");
  CHECK(Told(RunTask(loop, talker.Status())) == "stopped");
  const auto start = RunTask(loop, talker.Start());
  REQUIRE_FALSE(start);
  CAPTURE(start.error().what);
  CHECK(start.error().code == Errc::kAuth);
  CHECK(start.error().what.contains("allow it by a polkit rule, or set sudo: true"));
  CHECK(Told(RunTask(loop, talker.Status())) == "stopped");

  const auto logs = RunTask(loop, talker.Logs(1000));
  REQUIRE_FALSE(logs);
  CAPTURE(logs.error().what);
  CHECK(logs.error().code == Errc::kAuth);
  CHECK(logs.error().what.contains("group systemd-journal"));
}

TEST_SUITE_END();

}  // namespace shipmate::service::backends
