#pragma once

// ProcessBackend: a service that is a child process of ours, in a session and group of its own, its output going
// straight into its log file. The process outlives us, and a later run of ours adopts it by its recorded identity.
//
// An instance counts as ended when its leader has exited; as stopped only when nothing of it is left: neither in its
// group, nor in its session, nor elsewhere under its mark or in its control group. The leader that Stop ended stays a
// zombie until then, so that its group's number cannot become somebody else's while signals are sent to it.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/spawn.h"
#include "os/cgroup.h"
#include "os/exec_settings.h"
#include "os/unique_fd.h"
#include "service/backend.h"
#include "service/census.h"
#include "service/log_keeper.h"

namespace shipmate::service::backends {

class ProcessBackend final : public Backend {
 public:
  /// REQUIRES: clock, pool, census and begin_start of `context` are set, and outlive the backend.
  explicit ProcessBackend(BackendContext context);

  Task<Result<Change>> Start() override;
  Task<Result<Change>> Stop() override;
  Task<Result<void>> Restart() override;
  Task<Result<std::string>> Status() override;
  Task<Result<std::string>> Logs(std::size_t bytes) override;
  Task<Result<LogAnswer>> ReadLog(LogQuery query) override;
  Adoption TryAdopt(const State& saved) override;
  void WatchExits(ExitSink seen) override;
  std::optional<os::ProcessState> SaveBackendState() override;
  int Pid() const override;
  std::chrono::milliseconds Uptime() const override;
  std::string LogFile() const override;
  void Configure(std::shared_ptr<const config::ServiceConfig> config) override;
  Task<void> Close() override;

 private:
  struct Instance;
  class StopScope;
  class LaunchScope;

  static LogKeeper::Options KeeperOptions(const BackendContext& context);
  static std::uint64_t LogBound(const BackendContext& context);
  static std::chrono::milliseconds UptimeOf(const Instance& instance);
  bool Alive() const;
  Result<std::vector<std::string>> Argv() const;
  Task<Result<void>> EndLeftovers(std::shared_ptr<Instance> instance);
  Task<Result<Change>> StartNew();
  Task<Result<Change>> StopWhole();
  Task<Result<Change>> StopLiving(std::shared_ptr<Instance> instance);
  Task<os::ServiceGroup> PrepareGroup();
  Task<Result<void>> EmptyGroup();
  Task<void> RemoveGroup();
  Result<os::UniqueFd> Launch(const os::ExecSettings& settings);
  Task<Result<void>> Confirm(std::shared_ptr<Instance> instance, os::UniqueFd report);
  std::string GroupName() const;
  void Hold(std::shared_ptr<Instance> instance, LogKeeper::Log log);
  std::string WatcherName(const Instance& instance) const;
  bool AwaitEnd(const std::shared_ptr<Instance>& instance);
  Task<void> AwaitEndLater(std::shared_ptr<Instance> instance);
  Task<void> Conclude(std::shared_ptr<Instance> instance);
  void Mark(const Instance& instance, const std::string& what) const;
  std::string AdoptedLog(const os::ProcessState& recorded, const std::string& state_path) const;

  BackendContext context_;
  ExitSink exit_sink_;
  /// What ended before anybody listened.
  std::vector<Exit> early_exits_;
  async::TaskGroup watchers_;
  LogKeeper keeper_;
  /// The current instance, or the last one.
  std::shared_ptr<Instance> instance_;
  std::uint64_t generation_ = 0;
  std::string log_path_;
  bool starting_ = false;
};

}  // namespace shipmate::service::backends
