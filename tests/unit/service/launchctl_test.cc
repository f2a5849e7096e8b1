#include "service/backends/launchctl.h"

#include <doctest/doctest.h>

#include "run_task.h"
#include "unit/service/stand_in.h"

namespace shipmate::service::backends {

namespace {

using namespace std::chrono_literals;
using tests::RunTask;
using tests::StandIns;
using Calls = std::vector<std::string>;

// A launchctl whose list is its file "listed"; start and stop replace that by "after-<verb>". A stop takes effect at
// the second look after it when there is a "lingering".
constexpr const char* kLaunchctl = R"sh(
case "$1" in
  list)
    cat "$here/listed"
    if [ -f "$here/lingering" ]; then rm "$here/lingering"; cp "$here/after-stop" "$here/listed"; fi ;;
  *)
    if [ -f "$here/refuse" ]; then cat "$here/refuse" >&2; exit 3; fi
    if [ -f "$here/linger" ] && [ "$1" = stop ]; then mv "$here/linger" "$here/lingering"
    elif [ -f "$here/after-$1" ]; then cp "$here/after-$1" "$here/listed"; fi ;;
esac
)sh";

std::string Listed(const std::string& row) {
  return "PID\tStatus\tLabel\n-\t0\tcom.apple.other\n" + (row.empty() ? "" : row + "\n") + "77\t0\tcom.foobar\n";
}

struct Fixture {
  StandIns programs;
  boost::asio::io_context loop;
  LaunchctlBackend backend{Options("com.foo")};

  Fixture() { programs.Add("launchctl", kLaunchctl); }

  LaunchctlOptions Options(std::string label) {
    return {.label = std::move(label), .environment = programs.Environment(), .stop_poll = 1ms, .stop_polls = 20};
  }
  std::string Status() {
    const auto status = RunTask(loop, backend.Status());
    return status ? *status : "error: " + status.error().what;
  }
};

}  // namespace

TEST_CASE("launchctl: a row of the list counts for the whole label only") {
  const std::string listed = Listed("12\t-9\tcom.foo.helper");
  CHECK_FALSE(FindLaunchdJob(listed, "com.foo"));
  CHECK(FindLaunchdJob(listed, "com.foo.helper") == LaunchdJob{.pid = 12, .last_exit = -9});
  CHECK(FindLaunchdJob(listed, "com.foobar") == LaunchdJob{.pid = 77, .last_exit = 0});
  CHECK(FindLaunchdJob(listed, "com.apple.other") == LaunchdJob{.pid = 0, .last_exit = 0});
  CHECK_FALSE(FindLaunchdJob("", "com.foo"));
  CHECK_FALSE(FindLaunchdJob("12 0 com.foo\n", "com.foo"));
}

TEST_CASE_FIXTURE(Fixture, "launchctl: running is having a process") {
  programs.Write("listed", Listed(""));
  CHECK(Status() == "stopped");
  programs.Write("listed", Listed("-\t0\tcom.foo"));
  CHECK(Status() == "stopped");
  CHECK(backend.Pid() == 0);
  programs.Write("listed", Listed("12\t0\tcom.foo"));
  CHECK(Status() == "running");
  CHECK(backend.Pid() == 12);
  CHECK(programs.TakeCalls() == Calls(3, "launchctl list"));

  programs.Add("launchctl", "echo 'Operation not permitted' >&2; exit 1");
  CHECK(Status() == "error: launchctl list: exit status 1: Operation not permitted");
  CHECK(backend.Pid() == 0);
}

TEST_CASE_FIXTURE(Fixture, "launchctl: start") {
  programs.Write("listed", Listed("-\t0\tcom.foo"));
  programs.Write("after-start", Listed("12\t0\tcom.foo"));
  auto change = RunTask(loop, backend.Start());
  REQUIRE(change);
  CHECK(*change == Change::kDone);
  CHECK(programs.TakeCalls() == Calls{"launchctl list", "launchctl start com.foo"});

  change = RunTask(loop, backend.Start());
  REQUIRE(change);
  CHECK(*change == Change::kAlready);
  CHECK(programs.TakeCalls() == Calls{"launchctl list"});

  programs.Write("listed", Listed(""));
  change = RunTask(loop, backend.Start());
  REQUIRE_FALSE(change);
  CHECK(change.error().code == Errc::kNotFound);
  CHECK(change.error().what ==
        "launchctl start com.foo: the job is not loaded; load its plist with launchctl bootstrap");
  CHECK(programs.TakeCalls() == Calls{"launchctl list"});
}

TEST_CASE_FIXTURE(Fixture, "launchctl: stop waits until the process is gone") {
  programs.Write("listed", Listed("12\t0\tcom.foo"));
  programs.Write("after-stop", Listed("-\t-15\tcom.foo"));
  programs.Write("linger", "");
  auto change = RunTask(loop, backend.Stop());
  REQUIRE(change);
  CHECK(*change == Change::kDone);
  CHECK(backend.Pid() == 0);
  CHECK(programs.TakeCalls() == Calls{"launchctl list", "launchctl stop com.foo", "launchctl list", "launchctl list"});

  change = RunTask(loop, backend.Stop());
  REQUIRE(change);
  CHECK(*change == Change::kAlready);
  CHECK(programs.TakeCalls() == Calls{"launchctl list"});
}

TEST_CASE_FIXTURE(Fixture, "launchctl: a stop without effect is not a success") {
  programs.Write("listed", Listed("12\t0\tcom.foo"));
  auto change = RunTask(loop, backend.Stop());
  REQUIRE_FALSE(change);
  CHECK(change.error().code == Errc::kTimeout);
  CHECK(change.error().what == "launchctl stop com.foo: process 12 still runs after 20 looks");

  programs.Write("after-stop", Listed("13\t-15\tcom.foo"));
  change = RunTask(loop, backend.Stop());
  REQUIRE_FALSE(change);
  CHECK(change.error().code == Errc::kRefused);
  CHECK(
      change.error().what ==
      "launchctl stop com.foo: launchd started it again (KeepAlive in its plist); launchctl bootout stops it for good");
}

TEST_CASE_FIXTURE(Fixture, "launchctl: restart is a stop and a start") {
  programs.Write("listed", Listed("12\t0\tcom.foo"));
  programs.Write("after-stop", Listed("-\t-15\tcom.foo"));
  programs.Write("after-start", Listed("14\t0\tcom.foo"));
  REQUIRE(RunTask(loop, backend.Restart()));
  CHECK(programs.TakeCalls() == Calls{"launchctl list", "launchctl stop com.foo", "launchctl list", "launchctl list",
                                      "launchctl start com.foo"});
  CHECK(Status() == "running");

  // One that launchd keeps alive is back without a start.
  programs.Write("after-stop", Listed("15\t-15\tcom.foo"));
  programs.ForgetCalls();
  REQUIRE(RunTask(loop, backend.Restart()));
  CHECK(programs.TakeCalls() == Calls{"launchctl list", "launchctl stop com.foo", "launchctl list"});

  programs.Write("refuse", "No such process\n");
  auto restarted = RunTask(loop, backend.Restart());
  REQUIRE_FALSE(restarted);
  CHECK(restarted.error().what == "launchctl restart stop: launchctl stop com.foo: exit status 3: No such process");
  CHECK(restarted.error().code == Errc::kNotFound);

  programs.Write("listed", Listed("-\t0\tcom.foo"));
  restarted = RunTask(loop, backend.Restart());
  REQUIRE_FALSE(restarted);
  CHECK(restarted.error().what == "launchctl restart start: launchctl start com.foo: exit status 3: No such process");
}

TEST_CASE_FIXTURE(Fixture, "launchctl: logs of the process or the label, cut to their budget") {
  programs.Add("log", "cat \"$here/logged\"");
  programs.Write("logged",
                 "Timestamp               Ty Process[PID:TID]\n2026 Df api[12:ab] one\n2026 Df api[12:ab] two\n");
  programs.Write("listed", Listed("12\t0\tcom.foo"));
  auto logs = RunTask(loop, backend.Logs(1000));
  REQUIRE(logs);
  CHECK(*logs == "2026 Df api[12:ab] one\n2026 Df api[12:ab] two\n");
  CHECK(programs.TakeCalls() == Calls{"launchctl list",
                                      "log show --predicate process == \"com.foo\" OR subsystem == \"com.foo\" OR "
                                      "processID == 12 --last 5m --style compact"});
  logs = RunTask(loop, backend.Logs(4));
  REQUIRE(logs);
  CHECK(*logs == "two\n");

  programs.Write("logged", "Timestamp               Ty Process[PID:TID]");
  logs = RunTask(loop, backend.Logs(1000));
  REQUIRE(logs);
  CHECK(logs->empty());
  CHECK(LaunchdLogPredicate("com.foo", 0) == "process == \"com.foo\" OR subsystem == \"com.foo\"");

  programs.Add("log", "echo 'log: Could not open local log store' >&2; exit 64");
  logs = RunTask(loop, backend.Logs(1000));
  REQUIRE_FALSE(logs);
  CHECK(logs.error().what == "log show: the log of com.foo: exit status 64: log: Could not open local log store");
}

TEST_CASE_FIXTURE(Fixture, "launchctl: nothing but a label comes in by its name") {
  for (const std::string label : {"", "-x", "a b", "a\" OR 1 == 1 OR \"", "a\tb"}) {
    CAPTURE(label);
    LaunchctlBackend refused(Options(label));
    const auto stop = RunTask(loop, refused.Stop());
    REQUIRE_FALSE(stop);
    CHECK(stop.error().code == Errc::kInvalid);
    CHECK_FALSE(RunTask(loop, refused.Logs(10)));
  }
  CHECK(programs.Calls().empty());
}

TEST_CASE_FIXTURE(Fixture, "launchctl: there is nothing to adopt or to save") {
  CHECK(backend.TryAdopt(State{}).text == "no state to adopt");
  CHECK_FALSE(backend.TryAdopt(State{}).adopted);
  CHECK_FALSE(backend.SaveBackendState());
  CHECK(backend.LogFile().empty());

  BackendContext context;
  config::ServiceConfig service;
  service.service_name = "com.foo";
  context.service = std::make_shared<const config::ServiceConfig>(service);
  const auto made = MakeLaunchctlBackend(context);
  CHECK(dynamic_cast<const LaunchctlBackend&>(*made).Options().label == "com.foo");
}

}  // namespace shipmate::service::backends
