#include "chat/status_text.h"

#include <doctest/doctest.h>

#include "base/text.h"
#include "fakes/fake_clock.h"

namespace shipmate::chat {
namespace {

using namespace std::chrono_literals;

service::ServiceView View(std::string name, std::string status, std::chrono::milliseconds uptime = 0ms) {
  service::ServiceView view;
  view.name = std::move(name);
  view.state.status = std::move(status);
  view.kind = config::ServiceKind::kProcess;
  view.uptime = uptime;
  return view;
}

std::vector<std::string> Lines(const Message& message) {
  std::vector<std::string> lines = {message.headline.Bare()};
  for (const Text& line : message.lines) lines.push_back(line.Bare());
  return lines;
}

using Names = std::vector<std::string>;

TEST_CASE("a few services, one line each") {
  auto crashed = View("web", "stopped");
  crashed.desired = service::Desired::kUp;
  crashed.last_exit = "exited with status 3";
  auto stopped = View("old", "stopped");
  stopped.desired = service::Desired::kDown;
  stopped.last_exit = "killed by SIGTERM";
  auto deploying = View("shop", "running", 26h);
  deploying.deploy = "deploying";
  deploying.deploy_elapsed = 12s;
  auto queued = View("cart", "running");
  queued.deploy = "queued";
  auto broken = View("blog", "running", 5min);
  broken.state.last_result = "failed";
  auto site = View("site", "unknown");
  site.kind = config::ServiceKind::kNone;
  const Message message = StatusOverview({View("api", "running", 3h), crashed, stopped, deploying, queued, broken, site,
                                          View("db", "starting"), View("job", "failed")});
  CHECK(Lines(message) == Names{"4/9 running", "\u25cf api running 3h", "\u2717 web stopped, exited with status 3",
                                "\u25cb old stopped", "\u25cf shop running 1d 2h, deploying 12s",
                                "\u25cf cart running, deploy queued", "\u25cf blog running 5m, last deploy failed",
                                "\u25cb site deploys only", "\u2026 db starting", "\u2717 job failed"});
}

TEST_CASE("an ordinary line fits a phone") {
  const Message message = StatusOverview({View("payment-service", "running", 50h)});
  CHECK(base::RuneCount(message.lines[0].Bare()) <= 40);
}

TEST_CASE("of many services, those that want attention, and counts") {
  std::vector<service::ServiceView> views;
  for (int i = 0; i < 280; ++i) views.push_back(View("ok-" + std::to_string(1000 + i), "running", 1h));
  for (int i = 0; i < 15; ++i) {
    views.push_back(View("off-" + std::to_string(i), "stopped"));
    views.back().desired = service::Desired::kDown;
  }
  views[7].deploy = "deploying";
  views.push_back(View("zeta", "failed"));
  views.push_back(View("acme", "failed"));
  const Message message = StatusOverview(views);
  CHECK(Lines(message) == Names{"280/297 running", "\u2717 acme failed", "\u2717 zeta failed",
                                "\u25cf ok-1007 running 1h, deploying 0s", "\u25cf 279 running", "\u25cb 15 stopped",
                                "more: status <service>..."});
}

TEST_CASE("a whole machine down is still one screen") {
  std::vector<service::ServiceView> views;
  for (int i = 0; i < 300; ++i) views.push_back(View("s" + std::to_string(1000 + i), "failed"));
  const std::vector<std::string> lines = Lines(StatusOverview(views));
  CHECK(lines.size() == 23);
  CHECK(lines[1] == "\u2717 s1000 failed");
  CHECK(lines[21] == "... and 280 like these");
}

TEST_CASE("no services") {
  CHECK(Lines(StatusOverview({})) == Names{"No services configured."});
}

TEST_CASE("a service that waits, was given up, or is done") {
  tests::FakeClock clock;
  auto waiting = View("web", "backoff");
  waiting.desired = service::Desired::kUp;
  waiting.next_start = 3200ms;
  waiting.crashes = 3;
  waiting.last_exit = "exited with status 3";
  auto failed = View("api", "failed");
  failed.desired = service::Desired::kUp;
  failed.reason = "5 crashes in 1m";
  failed.last_exit = "killed by SIGSEGV";
  auto done = View("job", "stopped");
  done.desired = service::Desired::kUp;
  done.finished = true;
  CHECK(Lines(StatusOverview({waiting, failed, done})) ==
        Names{"0/3 running", "\u2717 web backoff: next start in 4s (3 crashes), exited with status 3",
              "\u2717 api failed: 5 crashes in 1m, killed by SIGSEGV", "\u25cb job finished"});
  CHECK(Lines(StatusDetails(waiting, clock)).front() == "\u2717 web: backoff: next start in 4s (3 crashes)");
  CHECK(Lines(StatusDetails(failed, clock)).front() == "\u2717 api: failed: 5 crashes in 1m; start it with start api");
}

TEST_CASE("a service with a schedule tells when it runs next, and whether its schedule rests") {
  tests::FakeClock clock;
  auto idle = View("job", "stopped");
  idle.desired = service::Desired::kUp;
  idle.finished = true;
  idle.next_run = "2026-11-26 03:00 CET";
  auto failed = View("late", "failed");
  failed.desired = service::Desired::kUp;
  failed.reason = "exited with status 3";
  failed.next_run = "2026-11-26 04:00 CET";
  auto paused = View("rests", "stopped");
  paused.desired = service::Desired::kDown;
  paused.paused = true;
  CHECK(Lines(StatusOverview({idle, failed, paused})) ==
        Names{"0/3 running", "\u25cb job next run at 2026-11-26 03:00 CET", "\u2717 late failed: exited with status 3",
              "\u25cb rests stopped, its schedule too"});
  CHECK(Lines(StatusDetails(idle, clock)) == Names{"\u25cb job: next run at 2026-11-26 03:00 CET"});
  CHECK(Lines(StatusDetails(failed, clock)).at(1) == "next run at 2026-11-26 04:00 CET");
  CHECK(Lines(StatusDetails(paused, clock)).at(1) ==
        "its schedule rests; run it now, and let the schedule go on, with start rests");
}

TEST_CASE("details of one") {
  tests::FakeClock clock;
  auto view = View("api", "running", 3h);
  view.pid = 123;
  view.last_exit = "exited with status 1";
  view.state.last_restart = clock.WallNow() - 3h;
  view.state.last_deploy = clock.WallNow() - 49h;
  view.state.last_result = "failed";
  view.state.failed_step = "make";
  CHECK(Lines(StatusDetails(view, clock)) == Names{"\u25cf api: running", "pid 123", "up for 3h",
                                                   "last exit: exited with status 1", "last restart: 3h ago",
                                                   "last deploy: failed at step make, 2d 1h ago"});

  view.state = {.status = "running"};
  view.last_end = "killed by SIGSEGV (core dumped) after 3h";
  view.last_end_time = clock.WallNow() - 4h;
  view.restarts = 2;
  const service::ServiceUse use{.processes = 3, .memory = 13'000'000, .processor = 0.253, .logs = 70'000};
  CHECK(Lines(StatusDetails(view, clock, use)) ==
        Names{"\u25cf api: running", "pid 123", "up for 3h", "memory: 12 MiB in 3 processes", "CPU: 25 %",
              "log: 68 KiB on disk", "last exit: killed by SIGSEGV (core dumped) after 3h, 4h ago",
              "restarts by itself: 2"});

  auto down = View("db", "stopped");
  down.desired = service::Desired::kUp;
  down.deploy = "deploying";
  down.deploy_elapsed = 61s;
  CHECK(Lines(StatusDetails(down, clock)) == Names{"\u2717 db: stopped", "wanted: up", "deploying for 1m 1s"});
}

}  // namespace
}  // namespace shipmate::chat
