#include "service/backends/process.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "base/log.h"
#include "os/files.h"
#include "service/backends/process_instance.h"
#include "service/environment.h"
#include "service/logfile.h"

namespace shipmate::service::backends {

namespace {

constexpr int kStandardOutput = 1;

// Whether `path` looks like a log of ours: whatever a state file says, `logs` shows no other file.
bool IsLogName(const std::string& path, const std::string& name) {
  const std::size_t slash = path.rfind('/');
  std::string_view file = slash == std::string::npos ? path : std::string_view(path).substr(slash + 1);
  if (!file.starts_with(name + ".") || !file.ends_with(".log")) return false;
  file.remove_prefix(name.size() + 1);
  file.remove_suffix(std::min(file.size(), std::size_t{4}));
  return !file.empty() && file.find_first_not_of("0123456789-") == std::string_view::npos;
}

// That processes could not be looked at is an answer like any other failure.
Task<Result<Change>> Answered(Task<Result<Change>> task) {
  try {
    co_return co_await std::move(task);
  } catch (const boost::system::system_error& error) {
    if (error.code() == boost::asio::error::operation_aborted) throw;
    co_return Fail(Errc::kIo, error.what());
  } catch (const std::exception& error) {
    co_return Fail(Errc::kIo, error.what());
  }
}

}  // namespace

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

std::string ProcessBackend::GroupName() const {
  return context_.census->Groups() ? context_.service->name : "";
}

Task<Result<Change>> ProcessBackend::Start() {
  co_return co_await Answered(StartNew());
}

Task<Result<Change>> ProcessBackend::Stop() {
  co_return co_await Answered(StopWhole());
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
  if (instance_) instance_->watch.reset();
  watchers_.Cancel();
  if (!co_await watchers_.Join(std::chrono::seconds(5))) LogError(context_.service->name + ": a watcher did not end");
  co_await keeper_.Close();
  if (instance_) os::ReleaseChild(instance_->identity.pid);
}

}  // namespace shipmate::service::backends
