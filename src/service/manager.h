#pragma once

// Manager: all services of this machine by name. Commands go down through it (Do, RequestDeploy), events come up
// through its Notifier. Each service has one loop that takes its changing operations (start, stop, restart, pull,
// deploy) in order; reading ones (status, logs) answer at once, whatever runs.

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/latch.h"
#include "async/offload.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "config/load.h"
#include "service/backend.h"
#include "service/log_reader.h"
#include "service/notifier.h"
#include "service/state.h"

namespace shipmate::service {

class Service;

/// The answer to Do.
struct Reply {
  std::string text;
  /// The operation was done (for status and logs: could be read).
  bool ok = false;
  /// The end of the service's log, where it tells why (raw bytes, at most 2000).
  std::string log_tail;
};

/// What a status line shows of a service, beyond the seed's ServiceState.
struct ServiceView {
  std::string name;
  ServiceState state;
  config::ServiceKind kind = config::ServiceKind::kNone;
  Desired desired = Desired::kUnset;
  int pid = 0;
  std::chrono::milliseconds uptime{0};
  /// How the last process of it ended, when none runs: "exited with status 3".
  std::string last_exit;
  /// "", "queued" or "deploying"; beside the status, never instead of it.
  std::string deploy;
  std::chrono::milliseconds deploy_elapsed{0};
  /// Of a service with `health:` that runs: "", "starting", "healthy" or "unhealthy"; and why the last probe failed.
  std::string health;
  std::string health_reason;
  /// Of the incident under way.
  unsigned crashes = 0;
  /// When the status is "backoff".
  std::chrono::milliseconds next_start{0};
  /// When the status is "failed": why, such as "5 crashes in 1m".
  std::string reason;
  /// It ended as it should, and nothing is missing.
  bool finished = false;
  /// How its last process that ended by itself ended, "killed by SIGKILL after 3h", and when that was seen.
  std::string last_end;
  base::WallTime last_end_time{};
  /// Starts that nobody asked for, since a person's last word.
  std::uint64_t restarts = 0;
  /// Of a service with a schedule: "2026-11-26 03:00 CET", or, where a person has stopped it, "" and paused.
  std::string next_run;
  bool paused = false;
};

/// What a process service takes up.
struct ServiceUse {
  /// All that belong to it; 0 = none, or not known.
  std::size_t processes = 0;
  /// Of all of them; what they share counts for each.
  std::uint64_t memory = 0;
  /// Of one processor, within a moment: 1.5 = one and a half.
  double processor = 0;
  /// All log files, on disk.
  std::uint64_t logs = 0;
};

/// Result of StartAll and StopAll.
struct BulkResult {
  std::vector<std::string> done;
  std::vector<std::string> already;
  /// name, reply text
  std::vector<std::pair<std::string, std::string>> failed;
};

struct ReloadResult {
  std::vector<std::string> added;
  std::vector<std::string> removed;
  std::vector<std::string> changed;
  /// Of the changed, those that ran and had to be started anew.
  std::vector<std::string> restarted;
  /// Of the added, those that should be up.
  std::vector<std::string> started;
  /// Of the removed, those whose process was stopped.
  std::vector<std::string> stopped;
  std::vector<std::string> warnings;
};

/// Who asked for a deploy, and for what.
struct DeployRequest {
  std::string actor;
  std::optional<WebhookInfo> push;
  /// From Manager::TakeDeployId; 0 = the service takes one.
  std::uint64_t id = 0;
  enum class Kind { kDeploy, kRollback };
  /// A rollback runs the `rollback` steps, where there are any.
  Kind kind = Kind::kDeploy;
  /// "push", "command", "rollback"
  std::string trigger = "command";
  /// What the remote must still have at the commit of `push` when it begins: "refs/heads/main"; "" = it is not asked.
  std::string ref = {};
  /// HEAD must be the commit of `push` after the steps.
  bool exact = false;
  /// What was deployed before, where it is known.
  std::string previous_commit = {};
};

/// A commit, and the first line of its message.
struct CommitInfo {
  std::string id;
  std::string subject;
};

/// How a deploy ended.
struct DeployEnd {
  enum class Result {
    kSuccess,
    kFailed,
    kCancelled,    ///< by a person
    kInterrupted,  ///< because Shipmate ends, or the service is no longer configured
    kRefused,      ///< it did not begin
  };
  std::uint64_t id = 0;
  Result result = Result::kFailed;
  /// Of kFailed: the step; of kRefused: why.
  std::string what;
  /// What is deployed now, where it is known.
  std::string commit;
};

/// Who keeps the queue of deploys. Calls come from the loop and return at once.
class DeployListener {
 public:
  virtual ~DeployListener() = default;
  /// It leaves the queue. An error keeps it from beginning: what cannot be recorded might be run twice.
  virtual Result<void> DeployBegan(const std::string& service, std::uint64_t id) = 0;
  virtual void DeployEnded(const std::string& service, const DeployEnd& end) = 0;
  /// It did not begin, and is to be requested again by the next run: Shipmate ends.
  virtual void DeployPutBack(const std::string& service, std::uint64_t id) = 0;
};

/// A deploy that was taken up.
struct DeployTicket {
  std::uint64_t id = 0;
  /// It was folded into one that waits already: the same id.
  bool merged = false;
};

struct ManagerOptions {
  config::Config config;
  std::vector<config::ServiceConfig> services;
  BackendFactory backends;
  /// Environment of children before secrets are stripped: "NAME=value".
  std::vector<std::string> environment;
  const base::Clock* clock = nullptr;
  async::WorkerPool* pool = nullptr;
  /// See BackendContext.
  std::string exec_helper;
  /// Called with the service's name after each successful deploy of Shipmate itself. May be empty.
  std::function<void(const std::string&)> on_self_deploy;
};

class Manager {
 public:
  /// Creates log_dir and state_dir, loads each service's state, adopts what lives, settles starts that were begun and
  /// not recorded, and starts one loop a service. Events of the construction reach `notifier`, which must outlive it.
  /// REQUIRES: the state directory is locked by the caller.
  static Task<Result<std::unique_ptr<Manager>>> Create(Executor executor, ManagerOptions options, Notifier& notifier);

  /// REQUIRES: Stop has completed.
  ~Manager();
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  /// Performs `op` (start, stop, restart, status, logs, pull) on service `name` and gives the answer for a person:
  /// "started", "already running (pid 12, up 3h)", `service "x" not found`, "busy: deploying for 12s", ... State is
  /// saved before it returns.
  Task<Reply> Do(std::string name, std::string op);
  /// The end of the service's log, at most `bytes` bytes ("" when there is none); kNotFound for an unknown service.
  Task<Result<std::string>> Logs(std::string name, std::size_t bytes);

  /// What `query` asks for of it.
  Task<Result<LogAnswer>> ReadLog(std::string name, LogQuery query);

  /// Queues a deploy: at most one runs and one waits for a service; a further request is merged into the waiting one.
  Result<DeployTicket> RequestDeploy(const std::string& name, DeployRequest request);
  /// The commit that the remote of the service's directory has at `ref`, or, with an empty `ref`, the full id of
  /// `commit` there. kInvalid for names that cannot be, kNotFound when there is none.
  Task<Result<CommitInfo>> ResolveCommit(std::string name, std::string ref, std::string commit);
  /// An id for a deploy to come, unique in this state directory.
  std::uint64_t TakeDeployId();
  /// Who is told of the deploys that carry an id of their own; null = nobody. Outlives the manager, or is taken back.
  void SetDeployListener(DeployListener* listener);
  /// Ends the running deploy of the service (its step is killed); kNotFound when none runs.
  Result<void> CancelDeploy(const std::string& name);

  std::vector<std::string> ServiceNames() const;
  /// (running, total). Systemd units by one cached, batched look.
  Task<std::pair<std::size_t, std::size_t>> CountRunning();
  /// In the order that services ask for (`after`, `requires`), side by side where it allows that. Those with a schedule
  /// are left to it.
  Task<BulkResult> StartAll();
  Task<BulkResult> StopAll();
  /// The same with these services alone; what they require is started with them. Names that are not known do not count.
  Task<BulkResult> StartMany(std::vector<std::string> names);
  Task<BulkResult> StopMany(std::vector<std::string> names);
  /// Before an end that is to leave nothing running: stops every process service in order, and cancels running deploys.
  /// What is wanted of them stays, so that the next start brings them up again; units are their manager's, and go on.
  Task<void> HaltAll();
  /// A deploy runs or waits.
  bool Deploying() const;
  /// All services whose repo and branch fit, sorted. Spellings of one repository (https, ssh, `.git`, letter case) are
  /// one; an empty repo or branch never fits.
  std::vector<std::string> FindServicesByRepo(std::string_view repo, std::string_view branch) const;
  /// The first of them, as the seed has it.
  std::optional<std::string> FindServiceByRepo(std::string_view repo, std::string_view branch) const;
  Task<std::string> GetServiceLogs(std::string name);
  /// Calls `look` with the settings of every service, by name, sorted.
  void ForEachConfig(const std::function<void(const config::ServiceConfig&)>& look) const;
  std::optional<config::ServiceConfig> GetServiceConfig(const std::string& name) const;
  Task<std::optional<ServiceState>> GetServiceState(std::string name);
  /// By name, sorted.
  Task<std::vector<std::pair<std::string, ServiceState>>> GetAllStates();
  Task<std::vector<ServiceView>> Views();
  Task<std::optional<ServiceView>> View(std::string name);
  /// Takes a quarter of a second. nullopt for what is no process service of ours.
  Task<std::optional<ServiceUse>> Use(std::string name);

  /// The last step of start-up: starts, side by side, every process service that should be up and is not. Those with
  /// `autostart: false`, those a person stopped, and those given up in this boot are left alone. Returns when each has
  /// come up or has failed, which is logged. From here on runs of schedules begin when they are due.
  Task<void> StartWanted();

  /// Reads services_dir again: all or nothing, one reload at a time. Only services that ran and whose run-relevant
  /// settings changed are restarted; new ones are started like at start-up; the processes of removed ones are stopped;
  /// external units and our own are never stopped.
  Task<std::expected<ReloadResult, config::Problems>> Reload();

  /// Looks at the clock now: begins what is due, and waits for what comes next. For who moves a clock of his own.
  void CheckSchedules();

  void NotifyWebhook(const std::string& name, const WebhookInfo& info);
  /// Called after each ServiceEvent.
  void SetOnChange(std::function<void()> callback);
  /// Replaces the notifier, which must outlive the manager.
  void SetNotifier(Notifier& notifier);
  /// Chat is ready (or has failed): services restarted at start-up may be announced. Idempotent.
  void SignalReady();
  /// Set after a successful deploy of a `self_deploy` service. One-shot: further ones change nothing.
  async::Event& ShutdownRequested();

  /// Ends every loop: running deploys are marked interrupted, state is saved. Services go on. Do answers "manager
  /// shutting down" from now on. Completes within a few seconds, whatever a backend does.
  Task<void> Stop();

 private:
  class Impl;
  explicit Manager(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shipmate::service
