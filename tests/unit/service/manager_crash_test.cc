// Our own death at any moment: a second program runs a manager under random commands and is killed; whatever it was in
// the middle of, the next manager finds no service twice and none without a manager.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <random>

#include "os/dir_lock.h"
#include "service/environment.h"
#include "unit/service/machine.h"

namespace shipmate::service {

namespace {

using tests::Machine;
using tests::Sleeper;

const std::vector<std::string> kNames = {"a", "b", "c", "d"};

std::vector<config::ServiceConfig> Services() {
  std::vector<config::ServiceConfig> services;
  for (const std::string& name : kNames) services.push_back(Sleeper(name));
  return services;
}

Task<void> DoForEver(Manager& manager, std::string name, std::minstd_rand random) {
  const std::vector<std::string> ops = {"start", "stop", "restart", "start", "restart"};
  while (true) co_await manager.Do(name, ops[random() % ops.size()]);
}

// The program that is killed. Never returns.
[[noreturn]] void RunUntilKilled(const config::Config& config, unsigned seed) {
  const auto lock = os::DirLock::Take(config.state_dir);
  if (!lock) ::_exit(2);
  boost::asio::io_context loop(1);
  async::WorkerPool pool(2);
  base::SystemClock clock;
  NopNotifier notifier;
  ManagerOptions options;
  options.config = config;
  options.services = Services();
  options.environment = os::InheritedEnvironment({});
  options.clock = &clock;
  options.pool = &pool;
  options.backends = [](BackendContext context) -> std::unique_ptr<Backend> {
    return std::make_unique<backends::ProcessBackend>(std::move(context));
  };
  auto manager = tests::RunTask(loop, Manager::Create(loop.get_executor(), std::move(options), notifier));
  if (!manager) ::_exit(3);
  for (const std::string& name : kNames) {
    async::Spawn(loop.get_executor(), name, DoForEver(**manager, name, std::minstd_rand(++seed)));
  }
  loop.restart();
  loop.run();
  ::_exit(4);
}

// Services under marks, by name, leaders only.
std::vector<pid_t> Leaders(const Machine& machine, const std::string& name) {
  std::vector<pid_t> leaders;
  for (const pid_t pid : machine.Marked(name)) {
    const auto stat = os::ReadStat(pid);
    if (stat && stat->Lives() && stat->pgid == pid) leaders.push_back(pid);
  }
  return leaders;
}

}  // namespace

TEST_CASE("killed at any moment, the next run has every service once") {
  Machine machine;
  std::filesystem::create_directories(machine.config.state_dir);
  std::minstd_rand random(20260301);
  for (unsigned round = 0; round < 15; ++round) {
    CAPTURE(round);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) RunUntilKilled(machine.config, static_cast<unsigned>(random()));
    const auto moment = std::chrono::milliseconds(random() % 250);
    machine.loop.restart();
    boost::asio::steady_timer timer(machine.loop, moment);
    timer.wait();
    REQUIRE(::kill(child, SIGKILL) == 0);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));

    // A process on its way to its exec holds the lock a moment longer than the one who was killed.
    std::optional<os::DirLock> lock;
    REQUIRE(machine.Until([&] {
      if (auto taken = os::DirLock::Take(machine.config.state_dir)) lock = *std::move(taken);
      return lock.has_value();
    }));
    Manager& manager = machine.Start(Services());
    // Leftovers are ended in the background.
    for (const std::string& name : kNames) {
      CAPTURE(name);
      CHECK(machine.Until([&] { return machine.Marked(name).size() <= 1; }));
      const auto leaders = Leaders(machine, name);
      const ServiceView view = machine.View(name);
      if (view.desired == Desired::kDown) {
        CHECK(machine.Until([&] { return machine.Marked(name).empty(); }));
        CHECK(machine.Until([&] { return machine.Pid(name) == 0; }));
      } else {
        REQUIRE(leaders.size() <= 1);
        CHECK(view.pid == (leaders.empty() ? 0 : leaders.front()));
      }
      const auto loaded = LoadState(machine.config.state_dir, name);
      CHECK((loaded || loaded.error().code == Errc::kNotFound));
    }
    // And all is well: what is wanted comes about.
    const BulkResult started = machine.Run(manager.StartAll());
    CHECK(started.failed.empty());
    // The environment of a process that is in its exec reads as empty.
    for (const std::string& name : kNames) CHECK(machine.Until([&] { return machine.Marked(name).size() == 1; }));
    if (round % 3 == 0) CHECK(machine.Run(manager.StopAll()).failed.empty());
    machine.StopManager();
  }
}

}  // namespace shipmate::service
