#pragma once

// The inside of Manager, shared by its source files.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "async/latch.h"
#include "async/spawn.h"
#include "os/wall_alarm.h"
#include "service/manager.h"
#include "service/service.h"

namespace shipmate::service {

class Manager::Impl {
 public:
  using Services = std::map<std::string, std::shared_ptr<Service>>;

  Impl(const Executor& executor, ManagerOptions options, Notifier& notifier);

  /// Directories, identity, state files, adoption; then every service runs.
  Task<Result<void>> StartUp(std::vector<config::ServiceConfig> configs);
  /// Makes services of `configs`, adopts what lives, and starts their loops.
  Task<void> AddServices(std::vector<config::ServiceConfig> configs);
  /// Looks for orphans and ends them in the background.
  Task<void> CleanOrphans();

  std::shared_ptr<Service> Find(const std::string& name) const;
  std::vector<std::shared_ptr<Service>> All() const;
  /// What runs something, by name.
  std::vector<config::ServiceConfig> Configs() const;
  Task<BulkResult> DoAll(Op op);
  /// In order, side by side where the order allows it; what is not among `configs` is not waited for. REQUIRES: they
  /// are services of ours.
  Task<BulkResult> DoMany(Op op, std::vector<config::ServiceConfig> configs);
  Task<BulkResult> StartMany(std::vector<std::string> names);
  /// Every process is stopped in order; what is wanted stays.
  Task<void> HaltAll();
  /// Start or restart of `name`; what it requires is started first where it is down. REQUIRES: `name` is known.
  Task<OpResult> StartWithRequired(std::string name, Op op);
  /// A stop that says who is left without.
  Task<OpResult> StopAndTell(std::shared_ptr<Service> service);
  /// Those of `names` that should be up and are not; what fails is among `failed`.
  Task<BulkResult> StartWanted(const std::vector<std::string>& names);
  /// Does nothing before the last step of start-up.
  void CheckSchedules();
  Task<ReloadResult> Apply(std::vector<config::ServiceConfig> configs);
  std::uint64_t NextDeployId();

  async::WorkerPool& Pool() { return *context.pool; }

  ServiceContext context;
  Services services;
  async::TaskGroup background;
  std::shared_ptr<async::Event> reloading;
  std::uint64_t last_deploy_id = 0;
  bool stopped = false;
  bool schedules_on = false;

  /// What was saved without a sync is on disk after this.
  Task<void> SyncStateDir();

 private:
  Task<void> RunSchedules();
  Result<std::string> ReadStateId() const;
  Task<std::shared_ptr<const os::Cgroups>> DetectGroups();
  Task<void> EndOrphanAndTell(struct Orphan orphan);

  /// For the next run that is due, of all services; null as long as there is no schedule.
  std::unique_ptr<os::WallAlarm> alarm_;
};

}  // namespace shipmate::service
