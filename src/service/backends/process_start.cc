// ProcessBackend: how a process begins.

#include <fmt/format.h>

#include <csignal>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "os/child_process.h"
#include "os/exec_helper.h"
#include "service/backends/process_instance.h"
#include "service/backends/process_settings.h"
#include "service/environment.h"
#include "service/leftovers.h"
#include "service/logfile.h"

namespace shipmate::service::backends {

namespace {

constexpr int kStandardOutput = 1;

}  // namespace

Result<std::vector<std::string>> ProcessBackend::Argv() const {
  const config::ServiceConfig& service = *context_.service;
  if (!service.entrypoint.empty()) return service.entrypoint;
  if (!service.process_cmd.empty()) return std::vector<std::string>{"sh", "-c", service.process_cmd};
  return Fail(Errc::kInvalid, "no entrypoint or cmd configured for " + service.name);
}

Task<Result<Change>> ProcessBackend::StartNew() {
  if (Alive()) co_return Change::kAlready;
  if (const auto argv = Argv(); !argv) co_return Fail(argv.error());
  starting_ = true;
  const auto done = [this](bool*) { starting_ = false; };
  const std::unique_ptr<bool, decltype(done)> scope(&starting_, done);

  if (instance_) {
    if (const auto cleared = co_await EndLeftovers(instance_); !cleared) {
      co_return Fail(cleared.error().code, "processes of the last run are in the way: " + cleared.error().what);
    }
  }
  const os::ServiceGroup group = co_await PrepareGroup();
  if (group.populated) {
    if (const auto emptied = co_await EmptyGroup(); !emptied) {
      co_return Fail(emptied.error().code, "processes of an earlier run are in the way: " + emptied.error().what);
    }
  }
  std::vector<std::string> warnings;
  const os::ExecSettings settings = SettingsOf(*context_.service, group, warnings);
  for (const std::string& warning : warnings) LogWarn(context_.service->name + ": " + warning);

  ++generation_;
  if (const auto recorded = co_await context_.begin_start(generation_); !recorded) co_return Fail(recorded.error());
  const std::string last_log = log_path_;
  auto report = Launch(settings);
  if (!report) co_return Fail(report.error());
  if (*report) {
    if (const auto begun = co_await Confirm(instance_, *std::move(report)); !begun) {
      log_path_ = last_log;
      co_return Fail(begun.error().code, "starting process: " + begun.error().what);
    }
  }
  co_return Change::kDone;
}

Task<os::ServiceGroup> ProcessBackend::PrepareGroup() {
  const config::ResourceLimits& limits = context_.service->limits;
  const auto groups = context_.census->Groups();
  if (!groups) {
    const std::string why = "no control group can be made";
    co_return os::ServiceGroup{
        .dirs = {}, .no_memory_limit = limits.memory ? why : "", .no_process_limit = limits.processes ? why : ""};
  }
  co_return co_await context_.pool->Run(
      [groups, name = context_.service->name,
       wanted = os::GroupLimits{.memory = limits.memory, .processes = limits.processes}] {
        return groups->Prepare(name, wanted);
      });
}

// Waits for the helper to become the program; when it cannot, nothing of the start is left.
Task<Result<void>> ProcessBackend::Confirm(std::shared_ptr<Instance> instance, os::UniqueFd report) {
  {
    const LaunchScope scope(instance);
    const auto begun = co_await os::WaitExec(std::move(report));
    if (begun) {
      for (const std::string& warning : *begun) LogWarn(context_.service->name + ": " + warning);
      co_return Result<void>();
    }
    instance->never_ran = true;
    // It ends by itself, unless it hangs.
    if (begun.error().code == Errc::kTimeout) static_cast<void>(os::SignalPidfd(instance->pidfd.Get(), SIGKILL));
    keeper_.RunEnded();
    std::error_code ignored;
    if (!instance->identity.log_path.empty()) std::filesystem::remove(instance->identity.log_path, ignored);
    instance->failure = begun.error();
  }
  co_await instance->settled.WaitFor(kKillWait);
  co_return Fail(instance->failure);
}

// Without a suspension between the spawn and the moment the process is held. Gives what Confirm waits for, where the
// helper was needed.
Result<os::UniqueFd> ProcessBackend::Launch(const os::ExecSettings& settings) {
  const config::ServiceConfig& service = *context_.service;
  const auto argv = Argv();
  if (!argv) return Fail(argv.error());
  auto log = StartingLog::Open(context_.log_dir, service.name, generation_, context_.clock->WallNow());
  if (!log) return Fail(log.error());

  os::SpawnOptions options;
  options.argv = *argv;
  options.dir = service.dir.empty() ? context_.base_dir : service.dir;
  options.output_fd = log->OutputFd();
  auto instance = std::make_shared<Instance>(context_.executor);
  instance->generation = generation_;
  instance->mark = InstanceMark(context_.state_id, service.name, generation_);
  options.env = EnvironmentOf(context_, instance->mark, options.dir);
  options.settings = settings;
  options.exec_helper = context_.exec_helper;
  options.mark = std::string(kInstanceMark) + "=" + instance->mark;

  auto child = os::Spawn(options);
  if (!child) {
    log->Discard();
    return Fail(child.error().code, "starting process: " + child.error().what);
  }
  const pid_t pid = child->pid;
  instance->pidfd = std::move(child->pidfd);
  instance->launching = static_cast<bool>(child->report);
  // A process that has ended by now is a zombie: there is no identity to record, and none is needed.
  instance->identity = os::Identify(pid).value_or(os::ProcessState{.pid = pid, .pgid = pid});
  instance->identity.pgid = pid;
  if (const auto path = log->Finish(pid)) {
    instance->identity.log_path = *path;
  } else {
    LogWarn(service.name + ": " + path.error().what);
    instance->identity.log_path = os::ReadFdTarget(pid, kStandardOutput).value_or("");
  }
  log_path_ = instance->identity.log_path;
  Hold(std::move(instance), LogKeeper::Log::kNew);
  return std::move(child->report);
}

void ProcessBackend::Hold(std::shared_ptr<Instance> instance, LogKeeper::Log log) {
  instance_ = instance;
  if (!log_path_.empty()) keeper_.Follow(log_path_, log);
  if (AwaitEnd(instance)) return;
  const std::string name = WatcherName(*instance);
  watchers_.Spawn(name, AwaitEndLater(std::move(instance)));
}

}  // namespace shipmate::service::backends
