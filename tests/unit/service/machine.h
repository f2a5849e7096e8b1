#pragma once

// Machine: a directory, a loop and a manager for the tests of this floor, written so that a case reads as steps: each
// awaitable is run to its end. What services it started are ended with it.

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "async/offload.h"
#include "base/text.h"
#include "fakes/fake_backend.h"
#include "fakes/fake_clock.h"
#include "fakes/recording_notifier.h"
#include "fakes/temp_dir.h"
#include "os/child_process.h"
#include "os/files.h"
#include "os/proc_info.h"
#include "run_task.h"
#include "service/backends/process.h"
#include "service/census.h"
#include "service/environment.h"
#include "service/manager.h"
#include "service/state.h"

namespace shipmate::tests {

inline config::ServiceConfig ProcessService(std::string name, std::string cmd) {
  config::ServiceConfig config;
  config.name = std::move(name);
  config.kind = config::ServiceKind::kProcess;
  config.process_cmd = std::move(cmd);
  config.stop_timeout = std::chrono::seconds(10);
  // Tests of what follows an end say so.
  config.restart = config::RestartWhen::kNo;
  config.min_uptime = std::chrono::milliseconds(0);
  return config;
}

inline config::ServiceConfig Sleeper(std::string name) {
  auto config = ProcessService(std::move(name), "");
  config.entrypoint = {"sleep", "3600"};
  return config;
}

/// SIGKILL to every process whose environment bears a mark of `state_id`.
inline void KillMarked(const std::string& state_id) {
  if (state_id.empty()) return;
  for (const auto name : {service::kInstanceMark, service::kDeployMark}) {
    const auto marked = os::FindByEnviron(name, state_id + "/").value();
    for (const auto& [pid, mark] : marked) {
      const auto pidfd = os::OpenPidfd(pid);
      if (pidfd) static_cast<void>(os::SignalPidfd(pidfd->Get(), SIGKILL));
    }
  }
}

class Machine {
 public:
  Machine() {
    config.base_dir = dir.Path();
    config.services_dir = dir / "services";
    config.log_dir = dir / "logs";
    config.state_dir = dir / "state";
    std::filesystem::create_directories(config.services_dir);
  }
  ~Machine() {
    StopManager();
    KillMarked(StateId());
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  template <class T>
  T Run(Task<T> task) {
    return RunTask(loop, std::move(task));
  }
  /// Runs the loop until `condition` holds; false when it does not within thirty seconds.
  template <class Condition>
  bool Until(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      loop.restart();
      loop.run_one_for(std::chrono::milliseconds(20));
    }
    return true;
  }
  /// Lets everything that is due happen.
  void Settle() {
    loop.restart();
    loop.run_for(std::chrono::milliseconds(30));
  }

  /// A manager with real processes.
  service::Manager& Start(std::vector<config::ServiceConfig> services) {
    return Start(std::move(services), [](service::BackendContext context) -> std::unique_ptr<service::Backend> {
      return std::make_unique<service::backends::ProcessBackend>(std::move(context));
    });
  }
  /// A manager whose services follow `scripts`.
  service::Manager& StartFake(std::vector<config::ServiceConfig> services) {
    for (const auto& service : services) Script(service.name);
    return Start(std::move(services), [this](service::BackendContext context) -> std::unique_ptr<service::Backend> {
      auto script = Script(context.service->name);
      return std::make_unique<FakeBackend>(std::move(script), std::move(context));
    });
  }
  service::Manager& Start(std::vector<config::ServiceConfig> services, service::BackendFactory factory) {
    StopManager();
    service::ManagerOptions options;
    options.config = config;
    options.services = std::move(services);
    options.backends = std::move(factory);
    options.environment = environment;
    options.clock = &clock;
    options.pool = &pool;
    auto created = Run(service::Manager::Create(loop.get_executor(), std::move(options), notifier));
    REQUIRE_MESSAGE(created.has_value(), (created ? std::string() : created.error().what));
    manager = *std::move(created);
    return *manager;
  }
  void StopManager() {
    if (!manager) return;
    Run(manager->Stop());
    manager.reset();
  }

  std::shared_ptr<FakeScript> Script(const std::string& name) {
    auto& script = scripts[name];
    if (!script) script = std::make_shared<FakeScript>(loop.get_executor());
    return script;
  }

  std::string Do(const std::string& name, const std::string& op) { return Run(manager->Do(name, op)).text; }
  service::ServiceView View(const std::string& name) {
    auto view = Run(manager->View(name));
    REQUIRE(view.has_value());
    return *std::move(view);
  }
  int Pid(const std::string& name) { return View(name).pid; }
  service::State Saved(const std::string& name) const {
    auto loaded = service::LoadState(config.state_dir, name);
    REQUIRE_MESSAGE(loaded.has_value(), (loaded ? std::string() : loaded.error().what));
    return std::move(loaded->state);
  }
  std::string StateId() const {
    const auto id = os::ReadFile(config.state_dir + "/.id", 256);
    return id ? std::string(base::Trim(*id)) : "";
  }
  /// The living processes that bear a mark of service `name`.
  std::vector<pid_t> Marked(const std::string& name) const {
    std::vector<pid_t> pids;
    const auto marked = os::FindByEnviron(service::kInstanceMark, StateId() + "/" + name + "/").value();
    for (const auto& [pid, mark] : marked) {
      pids.push_back(pid);
    }
    return pids;
  }

  TempDir dir;
  config::Config config;
  std::vector<std::string> environment = os::InheritedEnvironment({});
  boost::asio::io_context loop{1};
  async::WorkerPool pool{2};
  FakeClock clock;
  RecordingNotifier notifier;
  std::map<std::string, std::shared_ptr<FakeScript>> scripts;
  std::unique_ptr<service::Manager> manager;
};

inline bool Lives(pid_t pid) {
  const auto stat = os::ReadStat(pid);
  return stat && stat->Lives();
}

}  // namespace shipmate::tests
