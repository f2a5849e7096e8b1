#include "service/backends/process.h"

#include <doctest/doctest.h>

#include <memory>

#include "async/deadline.h"
#include "service/logfile.h"
#include "unit/service/exit_inbox.h"
#include "unit/service/machine.h"

namespace shipmate::service::backends {

namespace {

using tests::Lives;
using tests::Machine;
using tests::ProcessService;
using tests::Sleeper;

constexpr const char* kStateId = "0123456789abcdef";

Task<Result<void>> BeginNothing(std::uint64_t* begun, std::uint64_t generation) {
  *begun = generation;
  co_return Result<void>();
}

// One backend without a manager.
struct Bench : Machine {
  explicit Bench(config::ServiceConfig service) : settings(std::move(service)) {
    id = kStateId + std::to_string(os::OwnPid());
    census = std::make_unique<Census>(loop.get_executor(), pool, id);
    std::filesystem::create_directories(config.log_dir);
    Renew();
  }
  ~Bench() {
    Close();
    tests::KillMarked(id);
  }
  void Close() {
    if (backend) Run(backend->Close());
    backend.reset();
  }
  /// As after a restart of ours.
  void Renew() {
    Close();
    BackendContext context;
    context.executor = loop.get_executor();
    context.service = std::make_shared<const config::ServiceConfig>(settings);
    context.log_dir = config.log_dir;
    context.base_dir = dir.Path();
    context.state_id = id;
    context.environment = std::make_shared<const std::vector<std::string>>(environment);
    context.clock = &clock;
    context.pool = &pool;
    context.census = census.get();
    context.begin_start = [this](std::uint64_t generation) { return BeginNothing(&begun, generation); };
    backend = std::make_unique<ProcessBackend>(std::move(context));
    exits.Listen(*backend);
  }
  /// "done", "already", or the error.
  std::string Start() { return Told(Run(backend->Start())); }
  std::string Stop() { return Told(Run(backend->Stop())); }
  static std::string Told(const Result<Change>& change) {
    if (!change) return change.error().what;
    return *change == Change::kDone ? "done" : "already";
  }
  std::string Status() { return *Run(backend->Status()); }
  std::string Log() { return *Run(backend->Logs(10'000)); }
  Result<Exit> NextExit(std::chrono::milliseconds limit = std::chrono::seconds(30)) {
    return Run(async::WithDeadline(exits.Next(), limit, "exit"));
  }
  State Saved() {
    State state;
    state.status = "running";
    state.generation = begun;
    state.backend = backend->SaveBackendState();
    return state;
  }
  std::string Adopt(const State& state) { return backend->TryAdopt(state).text; }
  pid_t Printed() {
    REQUIRE(Until([&] { return Log().contains("pid="); }));
    const std::string log = Log();
    return static_cast<pid_t>(std::stol(log.substr(log.find("pid=") + 4)));
  }

  config::ServiceConfig settings;
  std::string id;
  std::unique_ptr<Census> census;
  std::uint64_t begun = 0;
  tests::ExitInbox exits{loop.get_executor()};
  std::unique_ptr<ProcessBackend> backend;
};

}  // namespace

TEST_CASE("process: stopped, started, started again, restarted, stopped, stopped again") {
  Bench bench(Sleeper("web"));
  std::filesystem::remove_all(bench.config.log_dir);
  CHECK(bench.Status() == "stopped");
  CHECK_FALSE(bench.backend->SaveBackendState().has_value());
  CHECK(bench.Stop() == "already");
  CHECK(bench.Start() == "done");
  CHECK(bench.begun == 1);
  CHECK(bench.Status() == "running");
  const int pid = bench.backend->Pid();
  const auto stat = os::ReadStat(pid);
  REQUIRE(stat.has_value());
  CHECK(stat->pgid == pid);
  CHECK(stat->session == pid);
  CHECK(bench.backend->LogFile() == LogPath(bench.config.log_dir, "web", pid));
  CHECK(bench.Log().contains("=== Started at"));
  CHECK(bench.Start() == "already");
  CHECK(bench.backend->Pid() == pid);
  CHECK(bench.Run(bench.backend->Restart()).has_value());
  CHECK(bench.begun == 2);
  CHECK_FALSE(Lives(pid));
  const int second = bench.backend->Pid();
  CHECK(bench.Stop() == "done");
  CHECK(bench.Log().contains("=== Stopped at"));
  CHECK_FALSE(Lives(second));
  CHECK(bench.backend->Pid() == 0);
  CHECK(bench.Stop() == "already");
  CHECK_FALSE(bench.NextExit(std::chrono::milliseconds(100)).has_value());
}

TEST_CASE("process: the working directory, a command line, an entrypoint relative to the directory") {
  auto service = ProcessService("web", "pwd; echo \"$PWD\"; sleep 3600");
  Bench bench(service);
  bench.settings.dir = bench.dir / "work";
  std::filesystem::create_directories(bench.settings.dir);
  bench.Renew();
  CHECK(bench.Start() == "done");
  CHECK(bench.Until([&] { return bench.Log().contains(bench.settings.dir + "\n" + bench.settings.dir + "\n"); }));
}

TEST_CASE("process: what cannot be started leaves nothing behind, and reports no exit") {
  Bench bench(ProcessService("web", ""));
  CHECK(bench.Start() == "no entrypoint or cmd configured for web");
  bench.settings.entrypoint = {"/nonexistent/binary"};
  bench.Renew();
  CHECK(bench.Start() == "starting process: fork/exec /nonexistent/binary: no such file or directory");
  CHECK(bench.Status() == "stopped");
  CHECK(std::filesystem::is_empty(bench.config.log_dir));
  CHECK_FALSE(bench.backend->SaveBackendState().has_value());
  CHECK_FALSE(bench.NextExit(std::chrono::milliseconds(100)).has_value());
}

TEST_CASE("process: its own end is reported once, and marked in its log") {
  Bench bench(ProcessService("job", "exit 3"));
  CHECK(bench.Start() == "done");
  const auto exit = bench.NextExit();
  REQUIRE(exit.has_value());
  CHECK(exit->status.code == 3);
  CHECK(exit->generation == 1);
  CHECK(bench.backend->Pid() == 0);
  CHECK_FALSE(bench.backend->SaveBackendState().has_value());
  CHECK(bench.Status() == "stopped");
  CHECK(bench.Log().contains("=== Exited at "));
  CHECK(bench.Log().contains(": exited with status 3 ==="));
  CHECK_FALSE(bench.NextExit(std::chrono::milliseconds(100)).has_value());
  CHECK(bench.Start() == "done");
  CHECK(bench.NextExit()->generation == 2);
}

TEST_CASE("process: stop leaves nothing of the tree, be it deaf, in the background or gone to a session of its own") {
  auto service = ProcessService(
      "web", "sh -c 'trap \"\" TERM; while :; do sleep 1; done' & (setsid sleep 986 &); echo ready; wait");
  service.stop_timeout = std::chrono::milliseconds(700);
  Bench bench(service);
  CHECK(bench.Start() == "done");
  REQUIRE(
      bench.Until([&] { return bench.Log().contains("ready") && TakeCensus(bench.id).value().instances.size() >= 4; }));
  CHECK(bench.Stop() == "done");
  CHECK(TakeCensus(bench.id).value().instances.empty());
}

TEST_CASE("process: a leader deaf to the signal is killed after the limit, and is stopping meanwhile") {
  auto service = ProcessService("web", "trap '' TERM; echo ready; while :; do sleep 0.1; done");
  service.stop_timeout = std::chrono::milliseconds(500);
  Bench bench(service);
  CHECK(bench.Start() == "done");
  REQUIRE(bench.Until([&] { return bench.Log().contains("ready"); }));
  bool stopping = false;
  bool done = false;
  async::TaskGroup group(bench.loop.get_executor());
  struct Steps {
    static Task<void> Stop(ProcessBackend& backend, bool& done) {
      CHECK(Bench::Told(co_await backend.Stop()) == "done");
      done = true;
    }
  };
  group.Spawn("stop", Steps::Stop(*bench.backend, done));
  CHECK(bench.Until([&] {
    stopping = stopping || (!done && bench.Status() == "stopping");
    return done;
  }));
  CHECK(stopping);
  CHECK(bench.Status() == "stopped");
}

TEST_CASE("process: the stop signal of the settings") {
  auto service = ProcessService("web", "trap 'echo got INT; exit 0' INT; echo ready; while :; do sleep 0.1; done");
  service.stop_signal = SIGINT;
  Bench bench(service);
  CHECK(bench.Start() == "done");
  REQUIRE(bench.Until([&] { return bench.Log().contains("ready"); }));
  CHECK(bench.Stop() == "done");
  CHECK(bench.Log().contains("got INT"));
}

TEST_CASE("process: what a dead leader left behind is ended by stop, and by the next start") {
  Bench bench(ProcessService("web", "sleep 985 & echo pid=$!; exit 0"));
  CHECK(bench.Start() == "done");
  const pid_t child = bench.Printed();
  REQUIRE(bench.NextExit().has_value());
  CHECK(Lives(child));
  SUBCASE("stop") {
    CHECK(bench.Stop() == "done");
    CHECK_FALSE(Lives(child));
    CHECK(bench.Stop() == "already");
  }
  SUBCASE("start") {
    CHECK(bench.Start() == "done");
    CHECK_FALSE(Lives(child));
  }
}

TEST_CASE("process: adoption, and its refusals, in the order of the checks") {
  Bench bench(Sleeper("web"));
  CHECK(bench.Adopt({}) == "no state to adopt");
  CHECK(bench.Adopt({.status = "failed"}) == "no state to adopt");
  CHECK(bench.Adopt({.status = "stopped"}) == "stopped (preserved from previous session)");
  CHECK(bench.Adopt({.status = "running", .backend = os::ProcessState{.pid = 99999999, .pgid = 99999999}}) ==
        "stale pid 99999999 (process dead)");

  CHECK(bench.Start() == "done");
  const State saved = bench.Saved();
  const int pid = saved.backend->pid;
  bench.Renew();
  const auto with = [&](auto change) {
    State state = saved;
    change(*state.backend);
    return state;
  };
  CHECK(bench.Adopt(with([](auto& p) { p.pid = 0; })) == "recorded pid 0 is no service's process");
  CHECK(bench.Adopt(with([](auto& p) { p.pid = 1; })) == "recorded pid 1 is no service's process");
  CHECK(bench.Adopt(with([](auto& p) { p.pid = -1; })) == "recorded pid -1 is no service's process");
  CHECK(bench.Adopt(with([](auto& p) { p.pgid = 0; })) == "recorded process group 0 is no service's group");
  CHECK(bench.Adopt(with([](auto& p) { p.pgid = 1; })) == "recorded process group 1 is no service's group");
  CHECK(bench.Adopt(with([](auto& p) { p.pgid += 1; })).contains("not in the recorded one"));
  CHECK(bench.Adopt(with([](auto& p) { p.start_ticks += 1; })) ==
        "pid " + std::to_string(pid) + " reused by different process");
  CHECK(bench
            .Adopt(with([](auto& p) {
              p.start_ticks = 0;
              p.create_time = 0;
            }))
            .contains("cannot be verified"));
  CHECK(bench.backend->Pid() == 0);
  CHECK(Lives(pid));

  bench.settings.adopt = false;
  bench.Renew();
  CHECK(bench.Adopt({}) == "adoption disabled");
  const Adoption held = bench.backend->TryAdopt(saved);
  CHECK(held.text == "adoption disabled");
  CHECK_FALSE(held.adopted);
  CHECK(held.replace);

  bench.settings.adopt.reset();
  bench.Renew();
  CHECK(bench.Adopt(saved) == "adopted (pid " + std::to_string(pid) + ")");
  CHECK(bench.Status() == "running");
  CHECK(bench.backend->LogFile() == saved.backend->log_path);
  CHECK(bench.Start() == "already");
  CHECK(bench.Stop() == "done");
  CHECK_FALSE(Lives(pid));
}

TEST_CASE("process: a record of the reference program, without boot id and ticks, is adopted too") {
  Bench bench(Sleeper("web"));
  CHECK(bench.Start() == "done");
  State saved = bench.Saved();
  saved.generation = 0;
  saved.backend->boot_id.clear();
  saved.backend->start_ticks = 0;
  bench.Renew();
  CHECK(bench.Adopt(saved).starts_with("adopted (pid "));
}

TEST_CASE("process: the exit of an adopted process is seen, and one that died at once is not held for another") {
  Bench bench(ProcessService("web", "exec sleep 3600"));
  CHECK(bench.Start() == "done");
  const State saved = bench.Saved();
  bench.Renew();
  CHECK(bench.Adopt(saved).starts_with("adopted"));
  const auto pidfd = os::OpenPidfd(saved.backend->pid);
  REQUIRE(pidfd.has_value());
  REQUIRE(os::SignalPidfd(pidfd->Get(), SIGKILL).has_value());
  const auto exit = bench.NextExit();
  REQUIRE(exit.has_value());
  CHECK(exit->generation == 1);
  CHECK(bench.backend->Pid() == 0);
  CHECK(bench.Start() == "done");
  CHECK(bench.begun == 2);
  CHECK(bench.Status() == "running");
  CHECK_FALSE(bench.NextExit(std::chrono::milliseconds(100)).has_value());
}

TEST_CASE("process: no file but a log of its own is shown, whatever a state file says") {
  Bench bench(Sleeper("web"));
  State state;
  state.status = "stopped";
  state.log_path = "/etc/passwd";
  bench.Adopt(state);
  CHECK(bench.Log() == "");
  tests::WriteText(bench.config.log_dir + "/web.x.77.log", "another service\n");
  tests::WriteText(bench.config.log_dir + "/web.77.log", "mine\n");
  CHECK(bench.Log() == "mine\n");
}

TEST_CASE("process: a child holds nothing of ours open") {
  Bench bench(ProcessService("web", "ls /proc/self/fd; echo pid=1; sleep 3600"));
  CHECK(bench.Start() == "done");
  bench.Printed();
  std::size_t open = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(bench.backend->Pid()) + "/fd")) {
    ++open;
  }
  CHECK(open == 3);
}

}  // namespace shipmate::service::backends
