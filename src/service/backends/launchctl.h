#pragma once

// LaunchctlBackend: a service that launchd runs on macOS, commanded through launchctl. What launchd's own list says is
// the truth: a label counts only as a whole, and a job that is loaded but has no process is stopped. It keeps no state,
// and WatchExits tells nothing. A job with KeepAlive cannot be stopped this way: launchd starts it again, and Stop
// says so when it sees it.

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "service/backend.h"

namespace shipmate::service::backends {

/// One row of `launchctl list`.
struct LaunchdJob {
  int pid = 0;  ///< 0 for a job that is loaded but does not run
  /// Of its last run: the exit status, or the signal's number negated.
  int last_exit = 0;

  bool operator==(const LaunchdJob&) const = default;
};

/// The row of `label` in what `launchctl list` printed (columns: pid or "-", last exit, label); nullopt when the job is
/// not loaded.
std::optional<LaunchdJob> FindLaunchdJob(std::string_view listed, std::string_view label);

/// The predicate for `log show`: messages of the process with this pid, of a process named like the label, or of a
/// subsystem named like it, which is what programs that log to a subsystem usually call it.
std::string LaunchdLogPredicate(std::string_view label, int pid);

struct LaunchctlOptions {
  std::string label;
  /// The whole environment of the commands; launchctl and log are found on its PATH.
  std::vector<std::string> environment;
  /// How often, and how many times, a stop looks whether the process is gone. launchd itself kills after 20 seconds
  /// (launchd.plist(5), ExitTimeOut).
  std::chrono::milliseconds stop_poll{250};
  int stop_polls = 100;
};

class LaunchctlBackend final : public Backend {
 public:
  /// A name that can be no label is told by every call.
  explicit LaunchctlBackend(LaunchctlOptions options);

  /// kNotFound when the job is not loaded.
  Task<Result<Change>> Start() override;
  /// Waits until the process is gone. kRefused when launchd started it again at once, kTimeout when it stays.
  Task<Result<Change>> Stop() override;
  /// launchctl has no restart but for jobs of its newer naming: stop, then start. Errors begin with "launchctl restart
  /// stop: " or "launchctl restart start: ".
  Task<Result<void>> Restart() override;
  /// running or stopped.
  Task<Result<std::string>> Status() override;
  /// From the unified log, of the last five minutes.
  Task<Result<std::string>> Logs(std::size_t bytes) override;

  Adoption TryAdopt(const State& saved) override;
  std::optional<os::ProcessState> SaveBackendState() override { return std::nullopt; }

  /// As of the last look, which each call takes.
  int Pid() const override { return pid_; }
  /// launchctl does not tell.
  std::chrono::milliseconds Uptime() const override { return std::chrono::milliseconds{0}; }
  std::string LogFile() const override { return ""; }

  const LaunchctlOptions& Options() const { return options_; }

 private:
  Task<Result<std::optional<LaunchdJob>>> Look();
  Task<Result<void>> Command(std::string verb);
  /// Runs `launchctl stop` and waits until the process `pid` is gone; the pid of the one that launchd has started in
  /// its place by then, or 0.
  Task<Result<int>> StopProcess(int pid);

  LaunchctlOptions options_;
  /// Why nothing can be done at all; holds a value when something can.
  Result<void> usable_;
  int pid_ = 0;
};

/// The backend for a service whose kind is kLaunchd.
std::unique_ptr<Backend> MakeLaunchctlBackend(const BackendContext& context);

}  // namespace shipmate::service::backends
