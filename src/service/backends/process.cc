#include "service/backends/process.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <csignal>
#include <filesystem>
#include <utility>

#include "async/deadline.h"
#include "async/latch.h"
#include "base/log.h"
#include "base/time_text.h"
#include "os/child_process.h"
#include "os/exec_helper.h"
#include "os/files.h"
#include "service/backends/process_settings.h"
#include "service/environment.h"
#include "service/leftovers.h"
#include "service/logfile.h"

namespace shipmate::service::backends {

namespace {

constexpr int kStandardOutput = 1;
// A stop is mostly over within this; only for one that takes longer it is worth looking for strays at once.
constexpr std::chrono::milliseconds kQuickStop{100};
constexpr int kLooks = 5;

// Whether `path` looks like a log of ours: whatever a state file says, `logs` shows no other file.
bool IsLogName(const std::string& path, const std::string& name) {
  const std::size_t slash = path.rfind('/');
  std::string_view file = slash == std::string::npos ? path : std::string_view(path).substr(slash + 1);
  if (!file.starts_with(name + ".") || !file.ends_with(".log")) return false;
  file.remove_prefix(name.size() + 1);
  file.remove_suffix(std::min(file.size(), std::size_t{4}));
  return !file.empty() && file.find_first_not_of("0123456789-") == std::string_view::npos;
}

bool BelongsTo(const os::ProcessStat& process, pid_t pgid) {
  return process.pgid == pgid || process.session == pgid;
}

}  // namespace

struct ProcessBackend::Instance {
  explicit Instance(const Executor& executor) : launched(executor), leader_ended(executor), settled(executor) {}

  std::uint64_t generation = 0;
  os::ProcessState identity;
  std::string mark;
  os::UniqueFd pidfd;
  /// The leader has exited.
  bool ended = false;
  /// A Stop is under way and takes care of the end.
  bool stopping = false;
  /// The helper has not yet become the program, and this will be set once it has or has failed.
  bool launching = false;
  async::Event launched;
  /// It never became the program: there is no end to report.
  bool never_ran = false;
  Error failure;
  async::Event leader_ended;
  /// The end has been dealt with: reaped, and what it left behind is in `leftovers`.
  async::Event settled;
  std::vector<os::ProcessStat> leftovers;

  // The group's number is trusted only while a process that is known to be of it lives: it may be taken over later.
  Traces TracesIn(const CensusView& view, const std::string& group) const {
    const bool held = std::ranges::any_of(leftovers, [&](const os::ProcessStat& leftover) {
      return std::ranges::any_of(view.processes, [&](const os::ProcessStat& process) {
        return process.pid == leftover.pid && process.start_ticks == leftover.start_ticks &&
               BelongsTo(process, identity.pgid);
      });
    });
    return {.pgid = held ? identity.pgid : 0, .mark = mark, .group = group};
  }
};

// While the helper is at work. However that ends, the watcher goes on.
class ProcessBackend::LaunchScope {
 public:
  explicit LaunchScope(std::shared_ptr<Instance> instance) : instance_(std::move(instance)) {}
  ~LaunchScope() {
    instance_->launching = false;
    instance_->launched.Set();
  }
  LaunchScope(const LaunchScope&) = delete;
  LaunchScope& operator=(const LaunchScope&) = delete;

 private:
  std::shared_ptr<Instance> instance_;
};

// While a Stop is under way. However it ends, the leader's end is taken care of by somebody.
class ProcessBackend::StopScope {
 public:
  explicit StopScope(std::shared_ptr<Instance> instance) : instance_(std::move(instance)) {
    instance_->stopping = true;
  }
  ~StopScope() {
    instance_->stopping = false;
    if (!instance_->ended) return;
    os::ReapExited(instance_->pidfd.Get());
    os::ReleaseChild(instance_->identity.pid);
    instance_->settled.Set();
  }
  StopScope(const StopScope&) = delete;
  StopScope& operator=(const StopScope&) = delete;

 private:
  std::shared_ptr<Instance> instance_;
};

ProcessBackend::ProcessBackend(BackendContext context)
    : context_(std::move(context)), watchers_(context_.executor), keeper_(KeeperOptions(context_)) {}

std::uint64_t ProcessBackend::LogBound(const BackendContext& context) {
  return context.service->log_max_size.value_or(context.log_max_size);
}

LogKeeper::Options ProcessBackend::KeeperOptions(const BackendContext& context) {
  return {.executor = context.executor,
          .dir = context.log_dir,
          .name = context.service->name,
          .bound = LogBound(context),
          .pool = context.pool,
          .clock = context.clock,
          .watch = context.log_watch,
          .listing = context.log_listing};
}

std::chrono::milliseconds ProcessBackend::UptimeOf(const Instance& instance) {
  if (instance.identity.start_ticks == 0) return std::chrono::milliseconds(0);
  return os::UptimeOf(instance.identity.start_ticks);
}

bool ProcessBackend::Alive() const {
  return instance_ && !instance_->ended;
}

Result<std::vector<std::string>> ProcessBackend::Argv() const {
  const config::ServiceConfig& service = *context_.service;
  if (!service.entrypoint.empty()) return service.entrypoint;
  if (!service.process_cmd.empty()) return std::vector<std::string>{"sh", "-c", service.process_cmd};
  return Fail(Errc::kInvalid, "no entrypoint or cmd configured for " + service.name);
}

Task<Result<Change>> ProcessBackend::Start() {
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

std::string ProcessBackend::GroupName() const {
  return context_.census->Groups() ? context_.service->name : "";
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

// Whoever is in the control group while no instance runs was left by one that we do not know any more.
Task<Result<void>> ProcessBackend::EmptyGroup() {
  const EndOptions options{.signal = context_.service->stop_signal, .grace = context_.service->stop_timeout};
  const auto survivors = co_await EndMembers(*context_.census, {.group = GroupName()}, options);
  if (!survivors.empty()) co_return Fail(Errc::kTimeout, "did not die: " + Describe(survivors));
  co_return Result<void>();
}

Task<void> ProcessBackend::RemoveGroup() {
  const auto groups = context_.census->Groups();
  if (!groups) co_return;
  co_await context_.pool->Run([groups, name = context_.service->name] {
    groups->Remove(name);
    return true;
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
  const std::string name = context_.service->name + ": watching pid " + std::to_string(instance->identity.pid);
  watchers_.Spawn(name, Watch(std::move(instance)));
}

// Not given up when we are short of descriptors: a service nobody watches would be shown as running for ever.
Task<void> ProcessBackend::AwaitEnd(std::shared_ptr<Instance> instance) {
  constexpr std::chrono::seconds kRetry{1};
  while (true) {
    try {
      co_await os::WaitExitUnreaped(instance->pidfd.Get());
      co_return;
    } catch (const boost::system::system_error& error) {
      if (error.code() == boost::asio::error::operation_aborted) throw;
      LogWarn(fmt::format("{}: watching pid {}: {}", context_.service->name, instance->identity.pid, error.what()));
    }
    co_await async::Sleep(kRetry);
  }
}

// Apart from what follows, for which a service that runs needs no room.
Task<void> ProcessBackend::Watch(std::shared_ptr<Instance> instance) {
  co_await AwaitEnd(instance);
  co_await Conclude(std::move(instance));
}

Task<void> ProcessBackend::Conclude(std::shared_ptr<Instance> instance) {
  instance->ended = true;
  const auto uptime = UptimeOf(*instance);
  if (instance->launching) co_await instance->launched.Wait();
  if (instance->never_ran) {
    co_await os::WaitExit(instance->pidfd.Get());
    instance->settled.Set();
    co_return;
  }
  if (instance->stopping) {
    instance->leader_ended.Set();
    co_return;
  }
  // Before it is reaped: until then its group's number is its own.
  try {
    const Traces traces{.pgid = instance->identity.pgid, .mark = instance->mark, .group = GroupName()};
    // Again where a look missed somebody: one that was forked by another that ended meanwhile.
    for (int look = 0; look < kLooks; ++look) {
      const auto view = co_await context_.census->Look();
      instance->leftovers = Members(*view, traces);
      if (!instance->leftovers.empty() || !IsPopulated(*context_.census, traces.group)) break;
    }
  } catch (const std::exception& error) {
    LogWarn(context_.service->name + ": looking for what it left behind: " + error.what());
  }
  Exit exit;
  exit.generation = instance->generation;
  exit.uptime = uptime;
  exit.status = co_await os::WaitExit(instance->pidfd.Get());
  Mark(*instance,
       fmt::format("Exited at {}: {}", base::FormatRfc3339(context_.clock->WallNow()), exit.status.Describe()));
  if (instance->leftovers.empty() && instance == instance_) keeper_.RunEnded();
  instance->settled.Set();
  if (exit_sink_) {
    exit_sink_(std::move(exit));
  } else {
    early_exits_.push_back(std::move(exit));
  }
}

void ProcessBackend::Mark(const Instance& instance, const std::string& what) const {
  if (instance.identity.log_path.empty()) return;
  if (const auto marked = AppendMarker(instance.identity.log_path, "=== " + what + " ==="); !marked) {
    LogWarn(context_.service->name + ": " + marked.error().what);
  }
}

Task<Result<Change>> ProcessBackend::Stop() {
  const auto instance = instance_;
  if (instance && instance->ended) co_await instance->settled.Wait();
  // Nobody is known of; the control group may know better.
  if (!instance || (instance->ended && instance->leftovers.empty())) {
    if (GroupName().empty()) co_return Change::kAlready;
    const auto view = co_await context_.census->Look();
    if (Members(*view, {.group = GroupName()}).empty() && !IsPopulated(*context_.census, GroupName())) {
      co_return Change::kAlready;
    }
    if (const auto emptied = co_await EmptyGroup(); !emptied) co_return Fail(emptied.error());
    co_await RemoveGroup();
    co_return Change::kDone;
  }
  if (!instance->ended) {
    const auto stopped = co_await StopLiving(instance);
    if (stopped) co_await RemoveGroup();
    co_return stopped;
  }
  co_await instance->settled.Wait();
  const bool had_leftovers = !instance->leftovers.empty();
  if (const auto ended = co_await EndLeftovers(instance); !ended) co_return Fail(ended.error());
  co_return had_leftovers ? Change::kDone : Change::kAlready;
}

Task<Result<void>> ProcessBackend::EndLeftovers(std::shared_ptr<Instance> instance) {
  co_await instance->settled.Wait();
  if (instance->leftovers.empty()) co_return Result<void>();
  const auto view = co_await context_.census->Look();
  const EndOptions options{.signal = context_.service->stop_signal, .grace = context_.service->stop_timeout};
  instance->leftovers = co_await EndMembers(*context_.census, instance->TracesIn(*view, GroupName()), options);
  if (instance->leftovers.empty()) {
    keeper_.RunEnded();
    co_return Result<void>();
  }
  co_return Fail(Errc::kTimeout, "did not die: " + Describe(instance->leftovers));
}

Task<Result<Change>> ProcessBackend::StopLiving(std::shared_ptr<Instance> instance) {
  using Clock = std::chrono::steady_clock;
  const StopScope scope(instance);
  const os::ProcessState& identity = instance->identity;
  const int signal = context_.service->stop_signal;
  const auto deadline = Clock::now() + context_.service->stop_timeout;
  const auto left = [deadline] {
    return std::max(std::chrono::milliseconds(0),
                    std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()));
  };
  // Unreaped, or still the one recorded: then the group's number is its own.
  const auto send = [&](int number) -> Result<void> {
    const auto stat = os::ReadStat(identity.pid);
    if (!stat || (identity.start_ticks != 0 && stat->start_ticks != identity.start_ticks)) return {};
    if (stat->pgid != identity.pgid) {
      return Fail(Errc::kInvalid, fmt::format("pid {} is in process group {}, not in the recorded one ({})",
                                              identity.pid, stat->pgid, identity.pgid));
    }
    return os::SignalGroup(identity.pgid, number);
  };

  if (const auto sent = send(signal); !sent && sent.error().code != Errc::kNotFound) co_return Fail(sent.error());
  const Traces traces{.pgid = identity.pgid, .mark = instance->mark, .group = GroupName()};
  EndOptions options{.signal = signal, .spare = identity.pid, .signalled_group = identity.pgid};
  if (!co_await instance->leader_ended.WaitFor(std::min(left(), kQuickStop))) {
    // Those that left the group have heard nothing yet.
    const auto view = co_await context_.census->Look();
    for (const os::ProcessStat& member : Members(*view, traces)) {
      if (member.pgid == identity.pgid) continue;
      const auto pidfd = os::OpenPidfd(member.pid);
      const auto now = os::ReadStat(member.pid);
      // What cannot be signalled now is met again below.
      if (pidfd && now && now->start_ticks == member.start_ticks) (void)os::SignalPidfd(pidfd->Get(), signal);
    }
    if (!co_await instance->leader_ended.WaitFor(left())) {
      if (const auto killed = send(SIGKILL); !killed && killed.error().code != Errc::kNotFound) {
        co_return Fail(killed.error());
      }
      if (!co_await instance->leader_ended.WaitFor(kKillWait)) {
        const auto stat = os::ReadStat(identity.pid);
        co_return Fail(Errc::kTimeout,
                       "did not die: " + Describe({stat.value_or(os::ProcessStat{.pid = identity.pid})}));
      }
    }
  }
  options.grace = left();
  instance->leftovers = co_await EndMembers(*context_.census, traces, options);
  if (!instance->leftovers.empty()) co_return Fail(Errc::kTimeout, "did not die: " + Describe(instance->leftovers));
  Mark(*instance, "Stopped at " + base::FormatRfc3339(context_.clock->WallNow()));
  keeper_.RunEnded();
  co_return Change::kDone;
}

Task<Result<void>> ProcessBackend::Restart() {
  if (const auto stopped = co_await Stop(); !stopped) co_return Fail(stopped.error());
  if (const auto started = co_await Start(); !started) co_return Fail(started.error());
  co_return Result<void>();
}

Task<Result<std::string>> ProcessBackend::Status() {
  if (instance_ && instance_->stopping) co_return "stopping";
  if (starting_) co_return "starting";
  co_return Alive() ? "running" : "stopped";
}

Task<Result<std::string>> ProcessBackend::Logs(std::size_t bytes) {
  if (log_path_.empty()) log_path_ = FindNewestLog(context_.log_dir, context_.service->name).value_or("");
  if (log_path_.empty()) co_return std::string();
  std::string path = log_path_;
  co_return co_await context_.pool->Run([path = std::move(path), bytes] { return TailLogFile(path, bytes); });
}

Task<Result<LogAnswer>> ProcessBackend::ReadLog(LogQuery query) {
  if (log_path_.empty()) log_path_ = FindNewestLog(context_.log_dir, context_.service->name).value_or("");
  LogSource source;
  source.dir = context_.log_dir;
  source.name = context_.service->name;
  source.current = log_path_;
  source.now = context_.clock->WallNow();
  if (query.since) source.since_offset = keeper_.SizeAt(log_path_, source.now - *query.since);
  co_return co_await context_.pool->Run(
      [source = std::move(source), query = std::move(query)] { return service::ReadLog(source, query); });
}

// The order of the checks and their texts are the reference program's.
Adoption ProcessBackend::TryAdopt(const State& saved) {
  generation_ = std::max(generation_, saved.generation);
  if (IsLogName(saved.log_path, context_.service->name)) log_path_ = saved.log_path;
  const bool wanted = context_.service->ShouldAdopt();
  const auto refuse = [&](std::string text) {
    return Adoption{.text = wanted ? std::move(text) : "adoption disabled"};
  };

  if (saved.status == "stopped") return refuse("stopped (preserved from previous session)");
  if (!saved.backend) return refuse("no state to adopt");
  const os::ProcessState& recorded = *saved.backend;
  if (recorded.pid <= 1) return refuse(fmt::format("recorded pid {} is no service's process", recorded.pid));
  if (!os::MaySignalGroup(recorded.pgid)) {
    return refuse(fmt::format("recorded process group {} is no service's group", recorded.pgid));
  }
  const auto stale = [&] { return refuse(fmt::format("stale pid {} (process dead)", recorded.pid)); };
  if (const auto first = os::ReadStat(recorded.pid); !first || !first->Lives()) return stale();
  if (!os::HasIdentity(recorded)) {
    return refuse(fmt::format("pid {} cannot be verified: its start time is not recorded", recorded.pid));
  }
  auto pidfd = os::OpenRecorded(recorded);
  if (!pidfd && pidfd.error().code == Errc::kNotFound) return stale();
  if (!pidfd && pidfd.error().code == Errc::kRefused) return refuse(pidfd.error().what);
  if (!pidfd) return refuse(fmt::format("pid {} cannot be watched: {}", recorded.pid, pidfd.error().what));
  const auto stat = os::ReadStat(recorded.pid);
  if (!stat) return stale();
  if (stat->pgid != recorded.pgid) {
    return refuse(fmt::format("pid {} is in process group {}, not in the recorded one ({})", recorded.pid, stat->pgid,
                              recorded.pgid));
  }

  auto instance = std::make_shared<Instance>(context_.executor);
  instance->generation = generation_;
  instance->identity = os::Identify(recorded.pid).value_or(recorded);
  instance->identity.log_path = AdoptedLog(recorded, saved.log_path);
  if (generation_ > 0) instance->mark = InstanceMark(context_.state_id, context_.service->name, generation_);
  instance->pidfd = *std::move(pidfd);
  log_path_ = instance->identity.log_path;
  Hold(std::move(instance), LogKeeper::Log::kAdopted);
  if (!wanted) return {.replace = true, .text = "adoption disabled"};
  return {.adopted = true, .text = fmt::format("adopted (pid {})", recorded.pid)};
}

// Its recorded log; or the file its output goes to, where that can be no other; a start of which we know no more is
// given its name now.
std::string ProcessBackend::AdoptedLog(const os::ProcessState& recorded, const std::string& state_path) const {
  const std::string& name = context_.service->name;
  std::string output = os::ReadFdTarget(recorded.pid, kStandardOutput).value_or("");
  if (!output.empty() && (output == recorded.log_path || IsLogName(output, name))) return output;
  if (output.starts_with(os::AbsolutePath(context_.log_dir) + "/" + name + ".")) {
    if (auto renamed = AdoptStartingLog(output, context_.log_dir, name, recorded.pid)) return *std::move(renamed);
  }
  for (const std::string& path : {recorded.log_path, state_path}) {
    if (IsLogName(path, name)) return path;
  }
  return FindNewestLog(context_.log_dir, name).value_or("");
}

void ProcessBackend::WatchExits(ExitSink seen) {
  exit_sink_ = std::move(seen);
  for (Exit& exit : std::exchange(early_exits_, {})) exit_sink_(std::move(exit));
}

std::optional<os::ProcessState> ProcessBackend::SaveBackendState() {
  if (!Alive()) return std::nullopt;
  return instance_->identity;
}

int ProcessBackend::Pid() const {
  return Alive() ? instance_->identity.pid : 0;
}

std::chrono::milliseconds ProcessBackend::Uptime() const {
  return Alive() ? UptimeOf(*instance_) : std::chrono::milliseconds(0);
}

std::string ProcessBackend::LogFile() const {
  return log_path_;
}

void ProcessBackend::Configure(std::shared_ptr<const config::ServiceConfig> config) {
  context_.service = std::move(config);
  keeper_.SetBound(LogBound(context_));
}

Task<void> ProcessBackend::Close() {
  watchers_.Cancel();
  if (!co_await watchers_.Join(std::chrono::seconds(5))) LogError(context_.service->name + ": a watcher did not end");
  co_await keeper_.Close();
  if (instance_) os::ReleaseChild(instance_->identity.pid);
}

}  // namespace shipmate::service::backends
