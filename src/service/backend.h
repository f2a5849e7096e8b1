#pragma once

// Backend: what runs a service. One instance a service, owned by it, called from its loop only; the reading calls
// (Status, Logs) may come at any moment, while a changing one is under way.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/offload.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "os/exit_watch.h"
#include "os/modify_watch.h"
#include "service/log_keeper.h"
#include "service/log_reader.h"
#include "service/state.h"

namespace shipmate::service {

class Census;

/// What a start or stop found.
enum class Change {
  kDone,     ///< it was done
  kAlready,  ///< it was so already; nothing was touched
};

/// The end of one process instance; of a unit also what else happened to it without our doing.
struct Exit {
  std::uint64_t generation = 0;
  /// Process services only.
  int pid = 0;
  os::ExitStatus status;
  std::chrono::milliseconds uptime{0};
  /// exited; for units also failed, started, restarted.
  std::string event = "exited";
  /// The unit manager's word for an end: "exit-code", "oom-kill".
  std::string reason;

  bool IsEnd() const { return event == "exited" || event == "failed"; }
};

using ExitSink = std::function<void(Exit)>;

/// What a look at the recorded process gave.
struct Adoption {
  bool adopted = false;
  /// A verified process is held that must not go on (`adopt: false`): the owner calls Stop, then Start if it is wanted.
  bool replace = false;
  /// "adopted (pid 12)", "no state to adopt", "stale pid 12 (process dead)", ...
  std::string text;
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual Task<Result<Change>> Start() = 0;
  virtual Task<Result<Change>> Stop() = 0;
  /// Stop, then Start; where the manager of the unit has a restart of its own, that.
  virtual Task<Result<void>> Restart() = 0;
  /// running, stopped, starting, stopping, failed, or the unit manager's own word. Never waits for a changing call.
  virtual Task<Result<std::string>> Status() = 0;
  /// The end of the log: at most `bytes` bytes. "" when there is none.
  virtual Task<Result<std::string>> Logs(std::size_t bytes) = 0;
  /// What `query` asks for of the log. Where there are no log files of ours: chosen from what Logs gives, and kInvalid
  /// for what that cannot tell.
  virtual Task<Result<LogAnswer>> ReadLog(LogQuery query);

  /// Takes over the process that `saved` records, when it lives and is verified to be the same. `raw` is the whole
  /// state file. Backends without processes of their own answer "no state to adopt".
  virtual Adoption TryAdopt(const State& saved) = 0;
  /// Calls `seen`, from the loop, once for the end of each instance, of one that has ended by now too; not for one that
  /// Stop or Restart ended. For a unit likewise for what happens to it without our doing. Backends that do not watch
  /// never call. Called once, before anything is started; `seen` is not called after Close.
  virtual void WatchExits([[maybe_unused]] ExitSink seen) {}
  /// The process to record; nullopt when there is none.
  virtual std::optional<os::ProcessState> SaveBackendState() = 0;

  /// Pid of the running process; 0 when not known.
  virtual int Pid() const = 0;
  /// Time since the current instance started; zero when there is none.
  virtual std::chrono::milliseconds Uptime() const = 0;
  /// The log file in use or last used; "" when there is none.
  virtual std::string LogFile() const = 0;

  /// This is what the program itself runs as: its Stop refuses, its Restart only begins one, and nothing else may end
  /// it either.
  virtual bool IsOurselves() const { return false; }

  /// Takes over settings that need no restart (stop signal and limit, `adopt`); see ServiceConfig::RunsAlike.
  virtual void Configure(std::shared_ptr<const config::ServiceConfig>) {}
  /// Ends what the backend has running on the loop; processes go on. Called once, as the last, after every changing
  /// call has ended; reading calls may still be under way.
  virtual Task<void> Close() { co_return; }
};

/// Persists the fact that a start of `generation` begins; called by a process backend before it spawns. A failure keeps
/// the process from being started.
using BeginStart = std::function<Task<Result<void>>(std::uint64_t generation)>;

struct BackendContext {
  Executor executor;
  /// Never null.
  std::shared_ptr<const config::ServiceConfig> service = std::make_shared<const config::ServiceConfig>();
  std::string log_dir;
  std::string base_dir;
  /// Identifies the state directory in SHIPMATE_INSTANCE=<state_id>/<service>/<generation>.
  std::string state_id;
  /// The environment that children inherit, secrets already stripped; one for all services. Never null.
  std::shared_ptr<const std::vector<std::string>> environment = std::make_shared<const std::vector<std::string>>();
  const base::Clock* clock = nullptr;
  BeginStart begin_start;
  /// For work that would block the loop.
  async::WorkerPool* pool = nullptr;
  Census* census = nullptr;
  /// The program that applies what a service's process is started with; see os::SpawnOptions. "" = none: services that
  /// need it are not started, and control groups are not used.
  std::string exec_helper;
  /// What the log files of a service may take up, where its own settings do not say.
  std::uint64_t log_max_size = std::uint64_t{64} << 20U;
  /// Null where files cannot be watched.
  os::ModifyWatch* log_watch = nullptr;
  /// Of `log_dir`; may be null.
  LogListing* log_listing = nullptr;
};

/// Makes the backend for a service; the manager is given one and names no backend itself.
using BackendFactory = std::function<std::unique_ptr<Backend>(BackendContext)>;

}  // namespace shipmate::service
