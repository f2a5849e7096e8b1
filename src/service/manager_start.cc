// Manager: from directories and state files to running loops.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <random>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "os/files.h"
#include "os/guarded_files.h"
#include "service/environment.h"
#include "service/logfile.h"
#include "service/manager_impl.h"
#include "service/orphans.h"
#include "service/schedule.h"

namespace shipmate::service {

namespace {

constexpr unsigned kDirectoryMode = 0750;
constexpr unsigned kFileMode = 0640;

struct LoadedService {
  config::ServiceConfig config;
  State state;
};

// For the pool.
std::vector<LoadedService> LoadStates(const std::string& dir, std::vector<config::ServiceConfig> configs) {
  std::vector<LoadedService> result;
  for (config::ServiceConfig& config : configs) {
    LoadedService service{.config = std::move(config)};
    const std::string& name = service.config.name;
    auto loaded = LoadState(dir, name);
    // A single call that fails (a disk in trouble, no descriptor left for a moment) must not cost a service its record.
    for (int more = 2; !loaded && loaded.error().code == Errc::kIo && more > 0; --more) loaded = LoadState(dir, name);
    if (loaded) {
      service.state = std::move(loaded->state);
    } else if (loaded.error().code == Errc::kIo) {
      LogError(fmt::format("{}: its state is not known: {}; it is taken as new", name, loaded.error().what));
    } else if (loaded.error().code != Errc::kNotFound) {
      LogWarn(fmt::format("{}: its state is not known: {}", name, loaded.error().what));
      const auto aside = SetAsideCorruptState(dir, name);
      LogWarn(fmt::format("{}: {}", name, aside ? "the file is kept as " + *aside : aside.error().what));
    }
    result.push_back(std::move(service));
  }
  return result;
}

struct MarkedProcesses {
  std::map<std::string, std::vector<Marked>> instances;
  CensusView view;
};

// A service with a start that was begun and not recorded.
struct BegunStart {
  std::string name;
  std::uint64_t generation = 0;
};

// For starts whose process may not have come as far as its own environment, or has overwritten it: it is known by its
// output, which goes into a log file of the service from before its exec on. (Earlier still it holds the lock of the
// state directory, so that we would not be here.)
void FindByOutput(const std::string& log_dir, std::vector<BegunStart> begun, MarkedProcesses& found) {
  std::erase_if(begun, [&](const BegunStart& start) {
    return std::ranges::any_of(found.instances[start.name],
                               [&](const Marked& marked) { return marked.generation >= start.generation; });
  });
  if (begun.empty()) return;
  constexpr int kStandardOutput = 1;
  for (const os::ProcessStat& process : found.view.processes) {
    if (!process.Lives() || process.pid != process.session) continue;
    const std::string output = os::ReadFdTarget(process.pid, kStandardOutput).value_or("");
    for (const BegunStart& start : begun) {
      if (!output.starts_with(log_dir + "/" + start.name + ".starting")) continue;
      found.instances[start.name].push_back({.generation = start.generation, .process = process});
    }
  }
}

Result<MarkedProcesses> FindInstances(const std::string& state_id, const std::string& log_dir,
                                      std::vector<BegunStart> begun) {
  auto view = TakeCensus(state_id);
  if (!view) return Fail(view.error());
  MarkedProcesses found;
  found.view = *std::move(view);
  for (const os::ProcessStat& process : found.view.processes) {
    const auto value = found.view.instances.find(process.pid);
    Mark mark;
    if (value == found.view.instances.end() || process.pid == os::OwnPid() || !process.Lives()) continue;
    if (!ParseMark(value->second, state_id, mark)) continue;
    found.instances[mark.service].push_back({.generation = mark.number, .process = process});
  }
  FindByOutput(log_dir, std::move(begun), found);
  return found;
}

// Processes of the deploy of `name` that began at `began`.
Result<std::vector<os::ProcessStat>> FindDeployLeftovers(const std::string& state_id, const std::string& name,
                                                         base::WallTime began) {
  const std::string mark = InstanceMark(state_id, name, static_cast<std::uint64_t>(began.time_since_epoch().count()));
  std::vector<os::ProcessStat> found;
  const auto marked = os::FindByEnviron(kDeployMark, mark);
  if (!marked) return Fail(marked.error());
  for (const auto& [pid, value] : *marked) {
    if (value != mark || pid == os::OwnPid()) continue;
    if (auto stat = os::ReadStat(pid)) found.push_back(*std::move(stat));
  }
  return found;
}

}  // namespace

Manager::Impl::Impl(const Executor& executor, ManagerOptions options, Notifier& notifier)
    : context(executor), background(executor) {
  context.config = std::move(options.config);
  context.backends = std::move(options.backends);
  std::vector<std::string> hidden = config::SecretNames();
  hidden.emplace_back(kInstanceMark);
  hidden.emplace_back(kDeployMark);
  context.environment = std::make_shared<const std::vector<std::string>>(
      WithUsualVariables(WithoutVariables(options.environment, hidden)));
  context.exec_helper = std::move(options.exec_helper);
  context.clock = options.clock;
  context.pool = options.pool;
  context.notifier = &notifier;
  context.on_self_deploy = std::move(options.on_self_deploy);
  context.random = [engine = std::minstd_rand(std::random_device()())]() mutable {
    return std::uniform_real_distribution<double>()(engine);
  };
  context.next_deploy_id = [this] { return NextDeployId(); };
  context.on_plan = [this] { CheckSchedules(); };
}

Result<std::string> Manager::Impl::ReadStateId() const {
  const std::string path = context.config.state_dir + "/.id";
  constexpr std::size_t kLimit = 256;
  const auto content = os::ReadFile(path, kLimit);
  if (content) {
    std::string id(base::Trim(*content));
    if (!id.empty() && id.find_first_not_of("0123456789abcdef") == std::string::npos) return id;
    return Fail(Errc::kInvalid,
                path + " is damaged; services that run are known by it. Restore it, or stop them and delete it");
  }
  if (content.error().code != Errc::kNotFound) return Fail(content.error());
  std::string id = os::RandomHex();
  if (auto written = os::WriteFileAtomically(path, id + "\n", kFileMode, os::Sync::kData); !written) {
    return Fail(written.error());
  }
  return id;
}

std::uint64_t Manager::Impl::NextDeployId() {
  ++last_deploy_id;
  const std::string path = context.config.state_dir + "/.deploys";
  if (auto written = os::WriteFileAtomically(path, std::to_string(last_deploy_id) + "\n", kFileMode, os::Sync::kNone);
      !written) {
    LogError("counting deploys: " + written.error().what);
  }
  return last_deploy_id;
}

Task<Result<void>> Manager::Impl::StartUp(std::vector<config::ServiceConfig> configs) {
  if (auto made = os::MakeDirectories(context.config.log_dir, kDirectoryMode); !made) {
    co_return Fail(made.error().code, "create log dir: " + made.error().what);
  }
  if (auto made = os::MakeDirectories(context.config.state_dir, kDirectoryMode); !made) {
    co_return Fail(made.error().code, "create state dir: " + made.error().what);
  }
  // The directory is locked, and nothing has been saved yet by this process.
  os::RemoveTemporaries(context.config.state_dir);
  auto id = ReadStateId();
  if (!id) co_return Fail(id.error());
  context.state_id = *std::move(id);
  context.census = std::make_unique<Census>(context.executor, *context.pool, context.state_id, co_await DetectGroups());
  if (auto watch = os::ModifyWatch::Create(context.executor)) {
    context.log_watch = *std::move(watch);
  } else {
    LogWarn(fmt::format("{}; logs are looked at every 5 seconds instead", watch.error().what));
  }
  context.log_listing = std::make_unique<LogListing>(context.executor, *context.pool, "listing logs",
                                                     [dir = context.config.log_dir] { return ListLogDirectory(dir); });
  if (const auto count = os::ReadFile(context.config.state_dir + "/.deploys", 64)) {
    std::from_chars(count->data(), count->data() + count->size(), last_deploy_id);
  }
  co_await AddServices(std::move(configs));
  co_await CleanOrphans();
  co_return Result<void>();
}

// Null where processes cannot be followed by control groups.
Task<std::shared_ptr<const os::Cgroups>> Manager::Impl::DetectGroups() {
  // Only the helper can enter a group before the service's own code runs.
  if (context.exec_helper.empty()) co_return nullptr;
  auto groups = co_await Pool().Run(
      [id = context.state_id] { return std::make_shared<const os::Cgroups>(os::Cgroups::Detect(id)); });
  if (!groups->Usable()) {
    LogInfo("no control groups: " + groups->Why() +
            "; processes of services are followed by process group, session and environment alone");
    co_return nullptr;
  }
  co_return groups;
}

Task<void> Manager::Impl::AddServices(std::vector<config::ServiceConfig> configs) {
  if (configs.empty()) co_return;
  const std::string dir = context.config.state_dir;
  const std::string state_id = context.state_id;
  auto loaded = co_await Pool().Run(
      [dir, configs = std::move(configs)]() mutable { return LoadStates(dir, std::move(configs)); });

  std::vector<std::shared_ptr<Service>> added;
  std::vector<BegunStart> begun;
  for (LoadedService& entry : loaded) {
    const bool interrupted = entry.state.status == "deploying";
    const base::WallTime began = entry.state.last_deploy;
    const std::string name = entry.config.name;
    if (entry.state.starting) begun.push_back({.name = name, .generation = entry.state.generation});
    auto service = std::make_shared<Service>(context, std::move(entry.config), std::move(entry.state));
    const Adoption adoption = service->AdoptRecorded();
    LogInfo(fmt::format("{}: {}", name, adoption.text));
    if (interrupted) {
      service->NoteDeployLeftovers(co_await LookPatiently(
          Pool(), [state_id, name, began] { return FindDeployLeftovers(state_id, name, began); }));
    }
    added.push_back(std::move(service));
  }

  // What was started and not recorded before we died, and what older instances left behind. Once for all services, and
  // whatever their records say: the marks are the truth.
  const std::string log_dir = os::AbsolutePath(context.config.log_dir);
  auto found =
      co_await LookPatiently(Pool(), [state_id, log_dir, begun] { return FindInstances(state_id, log_dir, begun); });
  for (const auto& service : added) {
    const auto marked = found.instances.find(service->Name());
    if (marked != found.instances.end()) {
      const Adoption adoption = service->AdoptMarked(marked->second);
      if (!adoption.text.empty()) LogInfo(fmt::format("{}: found by its mark: {}", service->Name(), adoption.text));
    }
    services[service->Name()] = service;
    service->Run();
  }
}

Task<void> Manager::Impl::CleanOrphans() {
  std::set<std::string> configured;
  for (const auto& [name, service] : services) configured.insert(name);
  if (configured.empty()) co_return;
  const std::string dir = context.config.state_dir;
  const std::string state_id = context.state_id;
  const auto view = co_await context.census->Look();
  const auto orphans =
      co_await Pool().Run([dir, configured, view, state_id] { return FindOrphans(dir, configured, *view, state_id); });
  for (const Orphan& orphan : orphans) {
    background.Spawn(orphan.name + ": orphan", EndOrphanAndTell(orphan));
  }
}

Task<void> Manager::Impl::EndOrphanAndTell(Orphan orphan) {
  const std::string name = orphan.name;
  EventDetail detail;
  detail.pid = orphan.process ? orphan.process->pid : 0;
  if (orphan.process || !orphan.marks.empty() || orphan.grouped)
    LogWarn(name + ": is no longer configured: stopping it");
  const OrphanEnd end = co_await EndOrphan(*context.census, context.config.state_dir, std::move(orphan));
  if (!end.survivors.empty()) {
    LogError(fmt::format("{}: is no longer configured and could not be stopped: {} processes live on", name,
                         end.survivors.size()));
  }
  if (!end.stopped) co_return;
  context.notifier->ServiceEvent(name, "stopped", detail);
  if (context.on_change) context.on_change();
}

}  // namespace shipmate::service
