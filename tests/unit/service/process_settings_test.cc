// ProcessBackend with the exec helper and control groups: what a real child shows, what fails, and who is found.

#include <doctest/doctest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "async/deadline.h"
#include "os/cgroup.h"
#include "os/users.h"
#include "service/leftovers.h"
#include "service/orphans.h"
#include "unit/service/exit_inbox.h"
#include "unit/service/machine.h"

namespace shipmate::service {

namespace {

using backends::ProcessBackend;
using tests::Lives;
using tests::Machine;
using tests::ProcessService;
using tests::Sleeper;

Task<Result<void>> BeginNothing(std::uint64_t) {
  co_return Result<void>();
}

std::string ReadProc(pid_t pid, const std::string& file) {
  std::ifstream stream("/proc/" + std::to_string(pid) + "/" + file);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

// One backend with the helper, and with control groups where this machine has them.
struct Bench : Machine {
  explicit Bench(config::ServiceConfig service, bool with_groups = true) : settings(std::move(service)) {
    static int count = 0;
    id = "fedcba98" + std::to_string(os::OwnPid()) + std::to_string(++count);
    auto detected = std::make_shared<const os::Cgroups>(os::Cgroups::Detect(id));
    if (!detected->Usable()) MESSAGE(std::string("no control groups here: " + detected->Why()));
    if (with_groups && detected->Usable()) groups = detected;
    census = std::make_unique<Census>(loop.get_executor(), pool, id, groups);
    environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/ours", "SSH_AUTH_SOCK=/ours/agent"};
    std::filesystem::create_directories(config.log_dir);
    std::filesystem::permissions(dir.Path(), std::filesystem::perms(0755));
    Renew();
  }
  ~Bench() {
    if (groups) Run(EndMembers(*census, {.group = settings.name}, {.signal = SIGKILL}));
    if (backend) Run(backend->Close());
    tests::KillMarked(id);
    if (groups) {
      CHECK(Until([&] {
        groups->Remove(settings.name);
        const auto left = groups->Prepare(settings.name, {});
        groups->Remove(settings.name);
        return !left.populated;
      }));
    }
  }
  /// As after a restart of ours that has forgotten everything.
  void Renew() {
    if (backend) Run(backend->Close());
    BackendContext context;
    context.executor = loop.get_executor();
    context.service = std::make_shared<const config::ServiceConfig>(settings);
    context.log_dir = config.log_dir;
    context.base_dir = "/";
    context.state_id = id;
    context.environment = std::make_shared<const std::vector<std::string>>(environment);
    context.clock = &clock;
    context.pool = &pool;
    context.census = census.get();
    context.begin_start = &BeginNothing;
    context.exec_helper = SHIPMATE_EXEC_HELPER;
    backend = std::make_unique<ProcessBackend>(std::move(context));
    exits.Listen(*backend);
  }
  std::string Start() { return Told(Run(backend->Start())); }
  std::string Stop() { return Told(Run(backend->Stop())); }
  static std::string Told(const Result<Change>& change) {
    if (!change) return change.error().what;
    return *change == Change::kDone ? "done" : "already";
  }
  std::string Log() { return *Run(backend->Logs(10'000)); }
  Result<Exit> NextExit(std::chrono::milliseconds limit = std::chrono::seconds(30)) {
    return Run(async::WithDeadline(exits.Next(), limit, "exit"));
  }
  pid_t Printed() {
    REQUIRE(Until([&] { return Log().contains("pid="); }));
    const std::string log = Log();
    return static_cast<pid_t>(std::stol(log.substr(log.find("pid=") + 4)));
  }
  std::vector<std::string> LogFiles() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(config.log_dir)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  config::ServiceConfig settings;
  std::string id;
  std::shared_ptr<const os::Cgroups> groups;
  std::unique_ptr<Census> census;
  tests::ExitInbox exits{loop.get_executor()};
  std::unique_ptr<ProcessBackend> backend;
};

// Leaves session, group, parent and environment behind, and prints its pid.
const std::string kStray = "(env -i setsid sh -c 'sleep 3600 & echo pid=$!' &)\n";

}  // namespace

TEST_CASE("settings: environment, descriptors, mask, umask, directory and scores of a child") {
  auto service = ProcessService("web", "env; echo \"umask $(umask)\"; pwd; echo ready; exec sleep 3600");
  service.umask = 027;
  service.nice = 5;
  service.oom_score_adj = 111;
  service.limits.open_files = 321;
  service.limits.core = 0;
  service.env = {{"COLOUR", "blue"}};
  Bench bench(service);
  CHECK(bench.Start() == "done");
  REQUIRE(bench.Until([&] { return bench.Log().contains("ready"); }));
  const std::string log = bench.Log();
  CHECK(log.contains("COLOUR=blue\n"));
  CHECK(log.contains("PATH=/usr/local/bin:/usr/bin:/bin\n"));
  CHECK(log.contains("HOME=/ours\n"));
  CHECK(log.contains("SHIPMATE_INSTANCE=" + bench.id + "/web/1\n"));
  CHECK(log.contains("umask 0027\n/\n"));
  const pid_t pid = bench.backend->Pid();
  CHECK(bench.Until([&] { return ReadProc(pid, "comm") == "sleep\n"; }));
  std::set<std::string> descriptors;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    descriptors.insert(entry.path().filename().string());
  }
  CHECK(descriptors == std::set<std::string>{"0", "1", "2"});
  CHECK(ReadProc(pid, "oom_score_adj") == "111\n");
  CHECK(ReadProc(pid, "limits").contains("Max open files            321                  321"));
  CHECK(ReadProc(pid, "limits").contains("Max core file size        0                    0"));
  CHECK(ReadProc(pid, "status").contains("SigBlk:\t0000000000000000\n"));
  const auto stat = os::ReadStat(pid);
  REQUIRE(stat);
  CHECK(stat->pgid == pid);
  CHECK(bench.backend->SaveBackendState()->start_ticks == stat->start_ticks);
  if (bench.groups) CHECK(bench.groups->ServiceOf(pid) == "web");
  CHECK(bench.Stop() == "done");
  CHECK_FALSE(Lives(pid));
  if (bench.groups) CHECK_FALSE(ReadProc(os::OwnPid(), "cgroup").contains(bench.id));
}

TEST_CASE("settings: another user gets its own home, and no door to what ours has open") {
  if (os::OwnUid() != 0) {
    MESSAGE(std::string("skipped: only root can do this"));
    return;
  }
  auto service = ProcessService("web", "env; id -un; echo ready; exec sleep 3600");
  service.user = "nobody";
  service.env = {{"SHELL", "/bin/mine"}};
  Bench bench(service);
  CHECK(bench.Start() == "done");
  REQUIRE(bench.Until([&] { return bench.Log().contains("ready"); }));
  const std::string log = bench.Log();
  CHECK(log.contains("HOME=" + os::FindUser("nobody")->home + "\n"));
  CHECK(log.contains("USER=nobody\n"));
  CHECK(log.contains("LOGNAME=nobody\n"));
  CHECK(log.contains("SHELL=/bin/mine\n"));
  CHECK(log.contains("\nnobody\n"));
  CHECK_FALSE(log.contains("SSH_AUTH_SOCK"));
  CHECK(bench.Stop() == "done");
}

TEST_CASE("settings: a start that fails says why, leaves no process, no log file and no exit to report") {
  auto service = Sleeper("web");
  service.user = "no-such-user";
  Bench bench(service);
  CHECK(bench.Start() == "starting process: user \"no-such-user\" does not exist");
  CHECK(*bench.Run(bench.backend->Status()) == "stopped");
  CHECK(bench.backend->Pid() == 0);
  CHECK(bench.LogFiles().empty());
  CHECK(TakeCensus(bench.id).value().instances.empty());
  CHECK_FALSE(bench.NextExit(std::chrono::milliseconds(200)).has_value());
  CHECK(bench.Stop() == "already");

  // And the next start is a start like any other.
  bench.settings.user.clear();
  bench.settings.nice = 1;
  bench.backend->Configure(std::make_shared<const config::ServiceConfig>(bench.settings));
  CHECK(bench.Start() == "done");
  CHECK(bench.backend->Pid() > 1);
  bench.settings.limits.open_files = 1U << 30U;
  bench.backend->Configure(std::make_shared<const config::ServiceConfig>(bench.settings));
  CHECK(bench.Run(bench.backend->Restart()).error().what ==
        "starting process: setting limits.open_files to 1073741824: operation not permitted");
}

TEST_CASE("settings: a program that ends at once is an exit, not a failed start") {
  auto service = ProcessService("job", "exit 3");
  service.nice = 1;
  Bench bench(service);
  for (int i = 0; i < 3; ++i) {
    CHECK(bench.Start() == "done");
    const auto exit = bench.NextExit();
    REQUIRE(exit.has_value());
    CHECK(exit->status == os::ExitStatus{.code = 3});
  }
}

TEST_CASE("stop: who left the session by setsid is found by its mark, without control groups") {
  Bench bench(ProcessService("web",
                             "sh -c 'trap : TERM; while :; do sleep 1; done' & (setsid sh -c 'echo pid=$$; exec sleep "
                             "986' &); wait"),
              false);
  bench.settings.stop_timeout = std::chrono::seconds(1);
  bench.backend->Configure(std::make_shared<const config::ServiceConfig>(bench.settings));
  for (int i = 0; i < 3; ++i) {
    CHECK(bench.Start() == "done");
    const pid_t stray = bench.Printed();
    REQUIRE(Lives(stray));
    CHECK(bench.Stop() == "done");
    CHECK_FALSE(Lives(stray));
    CHECK(TakeCensus(bench.id).value().instances.empty());
  }
}

TEST_CASE("stop: a daemon with a clean environment and a session of its own is found by the control group") {
  Bench bench(ProcessService("web", kStray + "exec sleep 3600"));
  if (!bench.groups) return;
  CHECK(bench.Start() == "done");
  const pid_t stray = bench.Printed();
  REQUIRE(Lives(stray));
  CHECK(os::ReadStat(stray)->session != bench.backend->Pid());
  CHECK_FALSE(os::ReadEnviron(stray, kInstanceMark).has_value());
  CHECK(bench.groups->ServiceOf(stray) == "web");
  CHECK(bench.Stop() == "done");
  CHECK_FALSE(Lives(stray));
  CHECK(bench.Stop() == "already");
}

TEST_CASE("stop and start: what a leader left in the control group is ended, also when we know of no instance") {
  Bench bench(ProcessService("web", kStray + "exit 0"));
  if (!bench.groups) return;
  CHECK(bench.Start() == "done");
  REQUIRE(bench.NextExit().has_value());
  const pid_t first = bench.Printed();
  CHECK(Lives(first));
  CHECK(bench.Stop() == "done");
  CHECK_FALSE(Lives(first));

  CHECK(bench.Start() == "done");
  REQUIRE(bench.NextExit().has_value());
  const pid_t second = bench.Printed();
  bench.Renew();
  CHECK(Lives(second));
  CHECK(bench.Start() == "done");
  CHECK_FALSE(Lives(second));
  REQUIRE(bench.NextExit().has_value());
  const pid_t third = bench.Printed();
  bench.Renew();
  CHECK(Lives(third));
  CHECK(bench.Stop() == "done");
  CHECK_FALSE(Lives(third));
}

TEST_CASE("orphans: a control group of a service that is no longer configured is emptied") {
  Bench bench(ProcessService("old", kStray + "exit 0"));
  if (!bench.groups) return;
  CHECK(bench.Start() == "done");
  REQUIRE(bench.NextExit().has_value());
  const pid_t stray = bench.Printed();
  const auto view = bench.Run(bench.census->Look());
  CHECK(FindOrphans(bench.config.state_dir, {"old"}, *view, bench.id).empty());
  const auto orphans = FindOrphans(bench.config.state_dir, {"web"}, *view, bench.id);
  REQUIRE(orphans.size() == 1);
  CHECK(orphans[0].name == "old");
  CHECK(orphans[0].grouped);
  const auto end = bench.Run(EndOrphan(*bench.census, bench.config.state_dir, orphans[0]));
  CHECK(end.stopped);
  CHECK(end.survivors.empty());
  CHECK_FALSE(Lives(stray));
}

TEST_CASE("limits: memory and processes of the whole service, where a controller is there") {
  auto service = ProcessService("web", "sleep 3600 & exec sleep 3600");
  service.limits.memory = 64U << 20U;
  service.limits.processes = 20;
  Bench bench(service);
  if (!bench.groups) return;
  const auto probe = bench.groups->Prepare("web", {.memory = 64U << 20U, .processes = 20});
  bench.groups->Remove("web");
  CHECK(bench.Start() == "done");
  if (probe.no_memory_limit.empty()) {
    bool found = false;
    for (const std::string& dir : probe.dirs) {
      std::ifstream old(dir + "/memory.limit_in_bytes");
      std::ifstream now(dir + "/memory.max");
      std::string value;
      if (old >> value || now >> value) found = found || value == "67108864";
      std::ifstream procs(dir + "/cgroup.procs");
      const std::string text{std::istreambuf_iterator<char>(procs), {}};
      CHECK(text.contains(std::to_string(bench.backend->Pid()) + "\n"));
    }
    CHECK(found);
  } else {
    MESSAGE(probe.no_memory_limit);
  }
  CHECK(bench.Stop() == "done");
}

TEST_CASE("limits: without control groups the service runs, and the limit of processes is that of its user") {
  auto service = Sleeper("web");
  service.limits.memory = 64U << 20U;
  service.limits.processes = 4000;
  if (os::OwnUid() == 0) service.user = "nobody";
  Bench bench(service, false);
  CHECK(bench.Start() == "done");
  CHECK(ReadProc(bench.backend->Pid(), "limits").contains("Max processes             4000                 4000"));
  CHECK(bench.Stop() == "done");
}

TEST_CASE("environment: PATH and HOME are there whatever we were started with") {
  const auto usual = WithUsualVariables({"LANG=C", "HOME="});
  const std::string home = os::FindUser(std::to_string(os::OwnUid())).value_or(os::User{.home = "/"}).home;
  CHECK(std::ranges::count(usual, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin") == 1);
  CHECK(std::ranges::count(usual, "HOME=" + home) == 1);
  CHECK(usual.size() == 3);
  CHECK(WithUsualVariables({"PATH=/x", "HOME=/y"}) == std::vector<std::string>{"PATH=/x", "HOME=/y"});
}

}  // namespace shipmate::service
