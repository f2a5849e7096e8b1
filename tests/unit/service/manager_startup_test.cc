// What a manager finds when it begins: recorded processes, unrecorded ones, dead ones, strangers, orphans.
#include <doctest/doctest.h>
#include <fcntl.h>

#include "service/environment.h"
#include "service/logfile.h"
#include "service/orphans.h"
#include "unit/service/machine.h"

namespace shipmate::service {

namespace {

using tests::Lives;
using tests::Machine;
using tests::ProcessService;
using tests::Sleeper;
using Words = std::vector<std::string>;

// A process of its own session under the mark of `service`, as a start leaves it that we died in.
struct Stray {
  Stray(const std::string& state_id, const std::string& service, std::uint64_t generation,
        const std::string& script = "exec sleep 3600") {
    static const os::UniqueFd kNull(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    auto env = os::InheritedEnvironment({});
    env.push_back(std::string(kInstanceMark) + "=" + InstanceMark(state_id, service, generation));
    auto spawned = os::Spawn({.argv = {"/bin/sh", "-c", script}, .env = env, .output_fd = kNull.Get()});
    REQUIRE(spawned.has_value());
    child = *std::move(spawned);
  }
  ~Stray() {
    static_cast<void>(os::SignalPidfd(child.pidfd.Get(), SIGKILL));
    os::ReleaseChild(child.pid);
  }
  Stray(const Stray&) = delete;
  Stray& operator=(const Stray&) = delete;
  os::ChildProcess child;
};

void WriteState(const Machine& machine, const std::string& name, const State& state) {
  REQUIRE(SaveState(machine.config.state_dir, name, state, os::Sync::kNone).has_value());
}

}  // namespace

TEST_CASE("services go on while nobody watches, and are adopted with their pid; later exits are seen") {
  Machine machine;
  machine.Start({Sleeper("web")});
  CHECK(machine.Do("web", "start") == "started");
  const int pid = machine.Pid("web");
  machine.Start({Sleeper("web")});
  CHECK(machine.Pid("web") == pid);
  CHECK(machine.Do("web", "start").starts_with("already running (pid " + std::to_string(pid)));
  CHECK(machine.notifier.Summaries() == Words{"web started"});
  const auto pidfd = os::OpenPidfd(pid);
  REQUIRE(pidfd.has_value());
  REQUIRE(os::SignalPidfd(pidfd->Get(), SIGKILL).has_value());
  CHECK(machine.Until([&] { return machine.notifier.Count("web exited") == 1; }));
  CHECK(machine.Do("web", "start") == "started");
  CHECK(machine.notifier.events.back().detail.generation == 2);
  CHECK(machine.Marked("web").size() == 1);
}

TEST_CASE("a stop is remembered, also after a failed deploy") {
  Machine machine;
  auto web = Sleeper("web");
  web.deploy = {"false"};
  web.dir = machine.dir.Path();
  machine.Start({web});
  CHECK(machine.Do("web", "start") == "started");
  REQUIRE(machine.manager->RequestDeploy("web", {}).has_value());
  REQUIRE(machine.Until([&] { return machine.notifier.Count("web deploy-failed") == 1; }));
  CHECK(machine.Until([&] { return machine.Do("web", "stop") == "stopped"; }));
  machine.Start({web});
  CHECK(machine.View("web").desired == Desired::kDown);
  CHECK(machine.View("web").state.status == "stopped");
  CHECK(machine.View("web").state.last_result == "failed");
}

TEST_CASE("one that died meanwhile is reported once, with an unknown status, and can be started") {
  Machine machine;
  machine.Start({Sleeper("web")});
  CHECK(machine.Do("web", "start") == "started");
  const int pid = machine.Pid("web");
  machine.StopManager();
  const auto pidfd = os::OpenPidfd(pid);
  REQUIRE(pidfd.has_value());
  REQUIRE(os::SignalPidfd(pidfd->Get(), SIGKILL).has_value());
  REQUIRE(machine.Until([&] { return !Lives(pid); }));
  machine.Start({Sleeper("web")});
  REQUIRE(machine.Until([&] { return machine.notifier.Count("web exited") == 1; }));
  CHECK(machine.notifier.events.back().detail.exit == os::ExitStatus{});
  CHECK(machine.View("web").state.status == "failed");
  machine.Start({Sleeper("web")});
  machine.Settle();
  CHECK(machine.notifier.Count("web exited") == 1);
  CHECK(machine.Do("web", "start") == "started");
}

TEST_CASE("a start that was begun and not recorded is found by its mark") {
  Machine machine;
  machine.Start({Sleeper("web")});
  const std::string id = machine.StateId();
  machine.StopManager();
  WriteState(machine, "web", {.status = "starting", .desired = Desired::kUp, .generation = 4, .starting = true});
  SUBCASE("and adopted") {
    Stray stray(id, "web", 4);
    REQUIRE(machine.Until([&] { return machine.Marked("web").size() == 1; }));
    machine.Start({Sleeper("web")});
    CHECK(machine.Pid("web") == stray.child.pid);
    REQUIRE(machine.Until([&] { return !machine.Saved("web").starting; }));
    CHECK(machine.Saved("web").backend->pid == stray.child.pid);
    CHECK(machine.Saved("web").generation == 4);
    CHECK(machine.Do("web", "start").starts_with("already running"));
    CHECK(machine.Do("web", "stop") == "stopped");
    CHECK_FALSE(Lives(stray.child.pid));
  }
  SUBCASE("older ones are ended") {
    Stray old(id, "web", 3);
    Stray stray(id, "web", 4);
    REQUIRE(machine.Until([&] { return machine.Marked("web").size() == 2; }));
    machine.Start({Sleeper("web")});
    CHECK(machine.Pid("web") == stray.child.pid);
    CHECK(machine.Until([&] { return !Lives(old.child.pid); }));
    CHECK(Lives(stray.child.pid));
  }
  SUBCASE("nothing was spawned") {
    machine.Start({Sleeper("web")});
    REQUIRE(machine.Until([&] { return !machine.Saved("web").starting; }));
    CHECK(machine.Do("web", "status") == "stopped");
    CHECK(machine.Do("web", "start") == "started");
    CHECK(machine.Saved("web").generation == 5);
  }
  SUBCASE("its leader is gone, members remain: they are ended before anything is started") {
    Stray stray(id, "web", 4, "sleep 3600 & exit 0");
    REQUIRE(machine.Until([&] { return !Lives(stray.child.pid) && machine.Marked("web").size() == 1; }));
    const pid_t member = machine.Marked("web").front();
    machine.Start({Sleeper("web")});
    CHECK(machine.Do("web", "start") == "started");
    CHECK_FALSE(Lives(member));
    CHECK(machine.Marked("web").size() == 1);
  }
  SUBCASE("even without its file") {
    Stray stray(id, "web", 4);
    REQUIRE(machine.Until([&] { return machine.Marked("web").size() == 1; }));
    tests::WriteText(machine.config.state_dir + "/web.json", "{broken");
    machine.Start({Sleeper("web")});
    CHECK(machine.Pid("web") == stray.child.pid);
    CHECK(std::filesystem::exists(machine.config.state_dir + "/web.json.corrupt"));
  }
}

TEST_CASE("a stop that we died in is finished") {
  Machine machine;
  machine.Start({Sleeper("web")});
  CHECK(machine.Do("web", "start") == "started");
  const int pid = machine.Pid("web");
  machine.StopManager();
  State state = machine.Saved("web");
  state.desired = Desired::kDown;
  state.status = "stopping";
  WriteState(machine, "web", state);
  machine.Start({Sleeper("web")});
  CHECK(machine.Until([&] { return machine.notifier.Count("web stopped") == 1; }));
  CHECK_FALSE(Lives(pid));
  CHECK(machine.Saved("web").status == "stopped");
}

TEST_CASE("adopt: false replaces the old process, one instead of two") {
  Machine machine;
  auto web = Sleeper("web");
  machine.Start({web});
  CHECK(machine.Do("web", "start") == "started");
  const int pid = machine.Pid("web");
  web.adopt = false;
  machine.Start({web});
  machine.manager->SignalReady();
  REQUIRE(machine.Until([&] { return machine.notifier.Count("web restarted") == 1; }));
  CHECK_FALSE(Lives(pid));
  CHECK(machine.Pid("web") != 0);
  CHECK(machine.Marked("web").size() == 1);
}

TEST_CASE("a file of the reference program whose process is dead reads as stopped") {
  Machine machine;
  std::filesystem::create_directories(machine.config.state_dir);
  tests::WriteText(machine.config.state_dir + "/web.json",
                   R"({"status":"running","pid":99999999,"pgid":99999999,"log_path":"/tmp/old.log"})");
  machine.Start({Sleeper("web")});
  CHECK(machine.View("web").state.status == "stopped");
}

TEST_CASE("hostile records are never signalled") {
  Machine machine;
  std::filesystem::create_directories(machine.config.state_dir);
  const auto own = os::Identify(os::OwnPid());
  REQUIRE(own.has_value());
  Stray bystander("fedcba9876543210", "other", 1);
  auto stranger = os::Identify(bystander.child.pid);
  REQUIRE(stranger.has_value());
  stranger->start_ticks += 1;
  std::vector<os::ProcessState> records(6, *stranger);
  records[0] = *own;
  records[1].pid = 1;
  records[2].pgid = 0;
  records[3].pgid = 1;
  records[4].pid = -1;
  std::vector<config::ServiceConfig> services{Sleeper("keep")};
  for (std::size_t i = 0; i < records.size(); ++i) {
    State state;
    state.status = "running";
    state.generation = 1;
    state.desired = Desired::kDown;
    state.backend = records[i];
    WriteState(machine, "s" + std::to_string(i), state);
    WriteState(machine, "gone" + std::to_string(i), state);
    services.push_back(Sleeper("s" + std::to_string(i)));
  }
  machine.Start(services);
  for (std::size_t i = 0; i < records.size(); ++i) {
    CHECK(machine.Pid("s" + std::to_string(i)) == 0);
    CHECK(machine.Do("s" + std::to_string(i), "stop") == "already stopped");
  }
  machine.Settle();
  CHECK(Lives(bystander.child.pid));
  CHECK(machine.notifier.events.empty());
}

TEST_CASE("orphans are stopped gracefully and told; foreign files are left alone") {
  Machine machine;
  auto old = ProcessService("old", "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.1; done");
  machine.Start({old, Sleeper("web")});
  CHECK(machine.Do("old", "start") == "started");
  REQUIRE(machine.Until([&] { return machine.Do("old", "logs").contains("ready"); }));
  const int pid = machine.Pid("old");
  machine.StopManager();
  tests::WriteText(machine.config.state_dir + "/package.json", R"({"name":"x","status":"running"})");
  tests::WriteText(machine.config.state_dir + "/list.json", "[1, 2]");

  machine.Start({});
  machine.Settle();
  CHECK(Lives(pid));
  CHECK(std::filesystem::exists(machine.config.state_dir + "/old.json"));

  machine.Start({Sleeper("web")});
  REQUIRE(machine.Until([&] { return machine.notifier.Count("old stopped") == 1; }));
  CHECK_FALSE(Lives(pid));
  CHECK(TailLogFile(LogPath(machine.config.log_dir, "old", pid), 1000).contains("bye"));
  CHECK_FALSE(std::filesystem::exists(machine.config.state_dir + "/old.json"));
  CHECK(tests::ReadText(machine.config.state_dir + "/package.json").contains("\"x\""));
  CHECK(tests::ReadText(machine.config.state_dir + "/list.json") == "[1, 2]");
}

TEST_CASE("what an interrupted deploy left running is ended, what another left is not") {
  Machine machine;
  machine.Start({Sleeper("web")});
  const std::string id = machine.StateId();
  machine.StopManager();
  const auto spawn = [&](const std::string& number) {
    static const os::UniqueFd kNull(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    auto env = os::InheritedEnvironment({});
    env.push_back(std::string(kDeployMark) + "=" + id + "/web/" + number);
    auto child = os::Spawn({.argv = {"sleep", "3600"}, .env = env, .output_fd = kNull.Get()});
    REQUIRE(child.has_value());
    os::ReleaseChild(child->pid);
    return child->pid;
  };
  const pid_t step = spawn("1711000005000000000");
  const pid_t daemon = spawn("1711000001000000000");
  // One that shed its mark is known by its recorded process.
  const pid_t unmarked = spawn("");
  State state;
  state.status = "deploying";
  state.failed_step = "sleep 3600";
  state.last_deploy = base::WallTime(std::chrono::seconds(1711000005));
  state.step_process = os::Identify(unmarked);
  WriteState(machine, "web", state);
  REQUIRE(machine.Until([&] { return os::ReadEnviron(step, kDeployMark).has_value(); }));
  machine.Start({Sleeper("web")});
  CHECK(machine.Until([&] { return !Lives(step); }));
  CHECK(machine.Until([&] { return !Lives(unmarked); }));
  CHECK(machine.Until([&] { return machine.notifier.Count("web deploy-interrupted") == 1; }));
  CHECK(Lives(daemon));
}

}  // namespace shipmate::service
