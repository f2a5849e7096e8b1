#include "service/manager.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "os/files.h"
#include "service/manager_impl.h"
#include "service/repo_name.h"
#include "service/schedule.h"

namespace shipmate::service {

namespace {

constexpr std::size_t kAtOnce = 32;
constexpr std::size_t kShownLog = 1500;

std::string NotFound(const std::string& name) {
  return fmt::format("service {} not found", base::Quote(name));
}

std::optional<Op> ParseOp(const std::string& word) {
  if (word == "start") return Op::kStart;
  if (word == "stop") return Op::kStop;
  if (word == "restart") return Op::kRestart;
  if (word == "pull") return Op::kPull;
  return std::nullopt;
}

struct Viewed {
  std::vector<std::shared_ptr<Service>> services;
  std::vector<ServiceView> views;
};
Task<void> ViewOne(std::shared_ptr<Viewed> viewed, std::size_t index) {
  viewed->views[index] = co_await viewed->services[index]->View();
}

Task<void> CloseOne(std::shared_ptr<Service> service) {
  co_await service->FinishClose();
  co_await service->SaveLast();
}

}  // namespace

std::shared_ptr<Service> Manager::Impl::Find(const std::string& name) const {
  const auto found = services.find(name);
  return found == services.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<Service>> Manager::Impl::All() const {
  std::vector<std::shared_ptr<Service>> all;
  for (const auto& [name, service] : services) all.push_back(service);
  return all;
}

Task<void> Manager::Impl::SyncStateDir() {
  std::string dir = context.config.state_dir;
  const auto synced = co_await Pool().Run([dir = std::move(dir)] { return os::SyncFileSystem(dir); });
  if (!synced) LogError("saving states: " + synced.error().what);
}

Manager::Manager(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Manager::~Manager() {
  if (impl_->stopped) return;
  // Coroutines still refer to it: a leak is the lesser evil.
  LogError("manager: destroyed before it was stopped");
  [[maybe_unused]] const Impl* leaked = impl_.release();
}

Task<Result<std::unique_ptr<Manager>>> Manager::Create(Executor executor, ManagerOptions options, Notifier& notifier) {
  std::vector<config::ServiceConfig> services = std::move(options.services);
  std::unique_ptr<Manager> manager(new Manager(std::make_unique<Impl>(executor, std::move(options), notifier)));
  Result<void> started;
  try {
    started = co_await manager->impl_->StartUp(std::move(services));
  } catch (const std::exception& error) {
    started = Fail(Errc::kIo, std::string("starting up: ") + error.what());
  }
  if (!started) {
    manager->impl_->stopped = true;
    co_return Fail(started.error());
  }
  co_return manager;
}

Task<Reply> Manager::Do(std::string name, std::string op) {
  if (impl_->stopped) co_return Reply{.text = "manager shutting down"};
  const auto service = impl_->Find(name);
  if (!service) co_return Reply{.text = NotFound(name)};
  if (op == "status") {
    auto status = co_await service->Status();
    if (!status) co_return Reply{.text = "status error: " + status.error().what};
    if (*status == "running" && service->IsStarting()) *status = "starting";
    co_return Reply{.text = *std::move(status), .ok = true};
  }
  if (op == "logs") {
    auto logs = co_await service->Logs(kShownLog);
    if (!logs) co_return Reply{.text = "logs error: " + logs.error().what};
    co_return Reply{.text = logs->empty() ? "no logs" : *std::move(logs), .ok = true};
  }
  const auto known = ParseOp(op);
  if (!known) co_return Reply{.text = "unknown command: " + op};
  if (*known == Op::kStop) {
    const OpResult stopped = co_await impl_->StopAndTell(service);
    co_return stopped.reply;
  }
  const bool starts = *known == Op::kStart || *known == Op::kRestart;
  if (starts && !service->Config().requires_services.empty()) {
    const OpResult started = co_await impl_->StartWithRequired(std::move(name), *known);
    co_return started.reply;
  }
  const OpResult result = co_await service->Do(*known, Saving::kSynced);
  co_return result.reply;
}

Task<Result<std::string>> Manager::Logs(std::string name, std::size_t bytes) {
  const auto service = impl_->Find(name);
  if (!service) co_return Fail(Errc::kNotFound, NotFound(name));
  co_return co_await service->Logs(bytes);
}

Task<Result<LogAnswer>> Manager::ReadLog(std::string name, LogQuery query) {
  const auto service = impl_->Find(name);
  if (!service) co_return Fail(Errc::kNotFound, NotFound(name));
  co_return co_await service->ReadLog(std::move(query));
}

Result<DeployTicket> Manager::RequestDeploy(const std::string& name, DeployRequest request) {
  if (impl_->stopped) return Fail(Errc::kClosed, "manager shutting down");
  const auto service = impl_->Find(name);
  if (!service) return Fail(Errc::kNotFound, NotFound(name));
  return service->RequestDeploy(std::move(request));
}

Result<void> Manager::CancelDeploy(const std::string& name) {
  const auto service = impl_->Find(name);
  if (!service) return Fail(Errc::kNotFound, NotFound(name));
  return service->CancelDeploy();
}

Task<Result<CommitInfo>> Manager::ResolveCommit(std::string name, std::string ref, std::string commit) {
  const auto service = impl_->Find(name);
  if (!service) co_return Fail(Errc::kNotFound, NotFound(name));
  co_return co_await service->ResolveCommit(std::move(ref), std::move(commit));
}

std::uint64_t Manager::TakeDeployId() {
  return impl_->NextDeployId();
}

void Manager::SetDeployListener(DeployListener* listener) {
  impl_->context.deploy_listener = listener;
}

std::vector<std::string> Manager::ServiceNames() const {
  std::vector<std::string> names;
  for (const auto& [name, service] : impl_->services) names.push_back(name);
  return names;
}

Task<std::pair<std::size_t, std::size_t>> Manager::CountRunning() {
  std::size_t running = 0;
  std::size_t total = 0;
  for (const ServiceView& view : co_await Views()) {
    if (view.kind == config::ServiceKind::kNone) continue;
    ++total;
    if (view.state.status == "running") ++running;
  }
  co_return std::pair(running, total);
}

Task<BulkResult> Manager::StartAll() {
  co_return co_await impl_->DoAll(Op::kStart);
}

Task<BulkResult> Manager::StopAll() {
  co_return co_await impl_->DoAll(Op::kStop);
}

Task<BulkResult> Manager::StartMany(std::vector<std::string> names) {
  return impl_->StartMany(std::move(names));
}

Task<BulkResult> Manager::StopMany(std::vector<std::string> names) {
  auto configs = impl_->Configs();
  std::erase_if(configs, [&](const auto& config) { return std::ranges::find(names, config.name) == names.end(); });
  return impl_->DoMany(Op::kStop, std::move(configs));
}

Task<void> Manager::HaltAll() {
  return impl_->HaltAll();
}

bool Manager::Deploying() const {
  return std::ranges::any_of(impl_->services, [](const auto& entry) { return entry.second->Deploying(); });
}

void Manager::CheckSchedules() {
  impl_->CheckSchedules();
}

Task<void> Manager::StartWanted() {
  if (impl_->stopped) co_return;
  impl_->schedules_on = true;
  impl_->CheckSchedules();
  const BulkResult result = co_await impl_->StartWanted(ServiceNames());
  for (const auto& [name, why] : result.failed) LogError(name + ": " + why);
}

std::vector<std::string> Manager::FindServicesByRepo(std::string_view repo, std::string_view branch) const {
  std::vector<std::string> names;
  if (branch.empty()) return names;
  for (const auto& [name, service] : impl_->services) {
    const config::ServiceConfig& config = service->Config();
    if (config.branch == branch && SameRepo(config.repo, repo)) names.push_back(name);
  }
  return names;
}

std::optional<std::string> Manager::FindServiceByRepo(std::string_view repo, std::string_view branch) const {
  auto names = FindServicesByRepo(repo, branch);
  if (names.empty()) return std::nullopt;
  return std::move(names.front());
}

Task<std::string> Manager::GetServiceLogs(std::string name) {
  const Reply reply = co_await Do(std::move(name), "logs");
  co_return reply.text;
}

void Manager::ForEachConfig(const std::function<void(const config::ServiceConfig&)>& look) const {
  for (const auto& [name, service] : impl_->services) look(service->Config());
}

std::optional<config::ServiceConfig> Manager::GetServiceConfig(const std::string& name) const {
  const auto service = impl_->Find(name);
  if (!service) return std::nullopt;
  return service->Config();
}

Task<std::optional<ServiceState>> Manager::GetServiceState(std::string name) {
  auto view = co_await View(std::move(name));
  if (!view) co_return std::nullopt;
  co_return std::move(view->state);
}

Task<std::vector<std::pair<std::string, ServiceState>>> Manager::GetAllStates() {
  std::vector<std::pair<std::string, ServiceState>> states;
  for (ServiceView& view : co_await Views()) states.emplace_back(std::move(view.name), std::move(view.state));
  co_return states;
}

Task<std::vector<ServiceView>> Manager::Views() {
  const auto viewed = std::make_shared<Viewed>();
  viewed->services = impl_->All();
  viewed->views.resize(viewed->services.size());
  co_await RunBounded("views", viewed->services.size(), kAtOnce,
                      [viewed](std::size_t index) { return ViewOne(viewed, index); });
  co_return std::move(viewed->views);
}

Task<std::optional<ServiceView>> Manager::View(std::string name) {
  const auto service = impl_->Find(name);
  if (!service) co_return std::nullopt;
  co_return co_await service->View();
}

Task<std::optional<ServiceUse>> Manager::Use(std::string name) {
  const auto service = impl_->Find(name);
  if (!service || service->Config().kind != config::ServiceKind::kProcess) co_return std::nullopt;
  try {
    co_return co_await service->Use();
  } catch (const boost::system::system_error& error) {
    if (error.code() == boost::asio::error::operation_aborted) throw;
    LogWarn(fmt::format("{}: what it takes up is not known: {}", name, error.what()));
  } catch (const std::exception& error) {
    LogWarn(fmt::format("{}: what it takes up is not known: {}", name, error.what()));
  }
  co_return std::nullopt;
}

void Manager::NotifyWebhook(const std::string& name, const WebhookInfo& info) {
  impl_->context.notifier->WebhookReceived(name, info);
}

void Manager::SetOnChange(std::function<void()> callback) {
  impl_->context.on_change = std::move(callback);
}

void Manager::SetNotifier(Notifier& notifier) {
  impl_->context.notifier = &notifier;
}

void Manager::SignalReady() {
  impl_->context.ready.Set();
}

async::Event& Manager::ShutdownRequested() {
  return impl_->context.shutdown_requested;
}

Task<void> Manager::Stop() {
  if (std::exchange(impl_->stopped, true)) co_return;
  const auto services = impl_->All();
  for (const auto& service : services) service->BeginClose();
  co_await RunBounded("shutdown", services.size(), services.size(),
                      [services](std::size_t index) { return CloseOne(services[index]); });
  impl_->background.Cancel();
  constexpr std::chrono::seconds kLimit{5};
  if (!co_await impl_->background.Join(kLimit)) LogError("manager: the clean-up did not end");
  if (impl_->context.log_watch) co_await impl_->context.log_watch->Close();
  co_await impl_->SyncStateDir();
}

}  // namespace shipmate::service
