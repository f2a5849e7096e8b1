#include "service/backends/unit_cache.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <csignal>

#include "async/deadline.h"
#include "fakes/fake_clock.h"
#include "service/backends/own_unit.h"
#include "unit/run_task.h"
#include "unit/service/exit_inbox.h"
#include "unit/service/stand_in.h"

namespace shipmate::service::backends {

namespace {

using namespace std::chrono_literals;
using tests::RunTask;
using tests::StandIns;

std::string Shown(const std::string& id, const std::string& active, int since, const std::string& more = "") {
  return "Id=" + id + "\nLoadState=loaded\nActiveState=" + active + "\nSubState=x\nMainPID=0\n" +
         "ActiveEnterTimestampMonotonic=" + std::to_string(since) + "000000\n" + more + "\n";
}

UnitLook Look(const std::string& active, int since = 1, const std::string& sub = "x") {
  return {.id = "a.service", .active_state = active, .sub_state = sub, .active_since = std::chrono::seconds(since)};
}

struct Fixture {
  Fixture() {
    programs.Add("systemctl", R"(case "$*" in *show*) cat "$here/shown" ;; *) cp "$here/after" "$here/shown" ;; esac)");
  }

  boost::asio::io_context loop;
  tests::FakeClock clock;
  StandIns programs;

  std::shared_ptr<UnitCache> Cache() {
    return std::make_shared<UnitCache>(loop.get_executor(), UnitScope::kSystem, programs.Environment(), clock);
  }
  std::unique_ptr<SystemctlBackend> Backend(const std::shared_ptr<UnitCache>& cache, std::string unit) {
    return std::make_unique<SystemctlBackend>(SystemctlOptions{
        .unit = std::move(unit), .environment = programs.Environment(), .clock = &clock, .cache = cache});
  }
  std::string Status(SystemctlBackend& backend) {
    const auto status = RunTask(loop, backend.Status());
    return status ? *status : status.error().what;
  }
};

}  // namespace

TEST_CASE("unit changes: what two looks tell") {
  CHECK_FALSE(ChangeBetween(Look("active"), Look("active")));
  CHECK_FALSE(ChangeBetween(Look("active"), Look("reloading")));
  CHECK_FALSE(ChangeBetween(Look("active"), Look("deactivating")));
  CHECK_FALSE(ChangeBetween(Look("inactive"), Look("activating")));
  CHECK_FALSE(ChangeBetween(Look("failed"), Look("inactive")));
  CHECK(ChangeBetween(Look("inactive"), Look("active", 2))->event == "started");
  CHECK(ChangeBetween(Look("failed"), Look("active", 2))->event == "started");
  CHECK(ChangeBetween(Look("activating", 1, "auto-restart"), Look("active", 2))->event == "started");
  CHECK(ChangeBetween(Look("active"), Look("active", 2))->event == "restarted");

  UnitLook failed = Look("failed");
  failed.result = "core-dump";
  failed.main_code = CLD_DUMPED;
  failed.main_status = SIGSEGV;
  failed.inactive_since = 61s;
  CHECK(ChangeBetween(Look("active"), failed) == UnitChange{.event = "failed",
                                                            .reason = "core-dump",
                                                            .status = {.signal = SIGSEGV, .core_dumped = true},
                                                            .uptime = 1min});
  UnitLook again = Look("activating", 1, "auto-restart");
  again.result = "exit-code";
  again.main_code = CLD_EXITED;
  again.main_status = 3;
  CHECK(ChangeBetween(Look("active"), again) ==
        UnitChange{.event = "failed", .reason = "exit-code", .status = {.code = 3}});
  failed.result = "start-limit-hit";
  CHECK(ChangeBetween(again, failed)->reason == "start-limit-hit");
  CHECK_FALSE(ChangeBetween(failed, failed));

  UnitLook ended = Look("inactive");
  ended.result = "success";
  ended.main_code = CLD_EXITED;
  CHECK(ChangeBetween(Look("active"), ended) ==
        UnitChange{.event = "exited", .reason = "success", .status = {.code = 0}});
}

TEST_CASE_FIXTURE(Fixture, "unit cache: one systemctl for all, for as long as it is fresh") {
  programs.Write("shown", Shown("a.service", "active", 1) + Shown("b.service", "failed", 1));
  const auto cache = Cache();
  const auto a = Backend(cache, "a");
  const auto b = Backend(cache, "b.service");
  CHECK(Status(*a) == "running");
  CHECK(Status(*b) == "failed");
  const auto looks = programs.TakeCalls();
  REQUIRE(looks.size() == 1);
  CHECK(looks.front().ends_with("-- a b.service"));
  CHECK(Status(*a) == "running");
  CHECK(programs.Calls().empty());
  clock.Advance(UnitCache::kFresh);
  programs.Write("shown", Shown("a.service", "inactive", 1) + Shown("b.service", "failed", 1));
  CHECK(Status(*a) == "stopped");
  CHECK(programs.TakeCalls().size() == 1);
  RunTask(loop, a->Close());
  RunTask(loop, b->Close());
}

TEST_CASE_FIXTURE(Fixture, "unit cache: what others do to a unit is told, what we do is not") {
  programs.Write("shown", Shown("a.service", "active", 1));
  const auto cache = Cache();
  const auto a = Backend(cache, "a");
  tests::ExitInbox exits(loop.get_executor());
  exits.Listen(*a);
  CHECK(Status(*a) == "running");

  programs.Write("after", Shown("a.service", "active", 5));
  REQUIRE(RunTask(loop, a->Restart()));
  CHECK(Status(*a) == "running");

  programs.Write("shown", Shown("a.service", "failed", 5,
                                "Result=signal\nExecMainCode=2\nExecMainStatus=9\nInactiveEnterTimestampMonotonic="
                                "8000000\n"));
  clock.Advance(UnitCache::kFresh);
  CHECK(Status(*a) == "failed");
  const Exit failed = *RunTask(loop, exits.Next());
  CHECK(failed.event == "failed");
  CHECK(failed.reason == "signal");
  CHECK(failed.status == os::ExitStatus{.signal = SIGKILL});
  CHECK(failed.uptime == 3s);

  programs.Write("after", Shown("a.service", "active", 9));
  const auto started = RunTask(loop, a->Start());
  REQUIRE(started);
  CHECK(*started == Change::kDone);
  programs.Write("shown", Shown("a.service", "active", 12));
  clock.Advance(UnitCache::kFresh);
  CHECK(Status(*a) == "running");
  CHECK(RunTask(loop, exits.Next())->event == "restarted");
  RunTask(loop, a->Close());
}

TEST_CASE_FIXTURE(Fixture, "unit cache: a systemctl that fails is told to everyone") {
  programs.Add("systemctl", "echo Failed to connect to bus >&2; exit 1");
  const auto cache = Cache();
  const auto a = Backend(cache, "a");
  const auto b = Backend(cache, "b");
  CHECK(Status(*a).contains("systemd does not run here"));
  CHECK(Status(*b).contains("systemd does not run here"));
  CHECK(programs.Calls().size() == 1);
  RunTask(loop, a->Close());
  RunTask(loop, b->Close());
}

TEST_CASE_FIXTURE(Fixture, "unit cache: a machine without systemctl") {
  programs.Remove("systemctl");
  const auto cache = std::make_shared<UnitCache>(loop.get_executor(), UnitScope::kSystem,
                                                 std::vector<std::string>{"PATH=/nowhere"}, clock);
  const auto a = Backend(cache, "a");
  CHECK(Status(*a).contains("executable file not found"));
  RunTask(loop, a->Close());
}

TEST_CASE("own unit: the control group names it") {
  CHECK(UnitOfCgroup("0::/system.slice/shipmate.service\n") == CgroupUnit{.id = "shipmate.service"});
  CHECK(UnitOfCgroup("12:pids:/x.service\n1:name=systemd:/system.slice/ship.service/below\n0::/\n") ==
        CgroupUnit{.id = "ship.service"});
  CHECK(UnitOfCgroup("0::/user.slice/user-7.slice/user@7.service/app.slice/ship.service\n") ==
        CgroupUnit{.id = "ship.service", .scope = UnitScope::kUser});
  CHECK_FALSE(UnitOfCgroup("0::/user.slice/user-7.slice/session-2.scope\n"));
  CHECK_FALSE(UnitOfCgroup("0::/user.slice/user-7.slice/user@7.service/init.scope\n"));
  CHECK_FALSE(UnitOfCgroup(""));
}

TEST_CASE("own unit: by any of its names, in its own systemd") {
  const OwnUnit unit{.id = "ship.service", .names = {"ship.service", "bot.service"}, .kill_mode = "mixed"};
  CHECK(unit.Is("ship", UnitScope::kSystem));
  CHECK(unit.Is("bot.service", UnitScope::kSystem));
  CHECK_FALSE(unit.Is("ship", UnitScope::kUser));
  CHECK_FALSE(unit.Is("ship.timer", UnitScope::kSystem));
  CHECK_FALSE(unit.SparesServices());
}

}  // namespace shipmate::service::backends
