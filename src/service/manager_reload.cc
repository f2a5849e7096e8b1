// Manager: taking over a changed services_dir.

#include <fmt/format.h>

#include <set>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "service/manager_impl.h"
#include "service/schedule.h"

namespace shipmate::service {

namespace {

struct NewSettings {
  std::shared_ptr<Service> service;
  config::ServiceConfig config;
  OpResult result;
};
using Changes = std::vector<NewSettings>;

Task<void> ApplyOne(std::shared_ptr<Changes> changes, std::size_t index) {
  NewSettings& change = (*changes)[index];
  change.result = co_await change.service->Configure(change.config);
}

struct Retired {
  std::shared_ptr<Service> service;
  OpResult result;
};

Task<void> RetireOne(std::shared_ptr<std::vector<Retired>> retired, std::size_t index) {
  (*retired)[index].result = co_await (*retired)[index].service->Retire();
}

}  // namespace

Task<std::expected<ReloadResult, config::Problems>> Manager::Reload() {
  using Outcome = std::expected<ReloadResult, config::Problems>;
  // One at a time.
  while (impl_->reloading) {
    const auto other = impl_->reloading;
    co_await other->Wait();
  }
  if (impl_->stopped) co_return Outcome(std::unexpect, config::Problems{"manager shutting down"});
  impl_->reloading = std::make_shared<async::Event>(impl_->context.executor);
  const auto mine = impl_->reloading;
  const auto done = [impl = impl_.get()](async::Event* event) {
    impl->reloading.reset();
    event->Set();
  };
  const std::unique_ptr<async::Event, decltype(done)> scope(mine.get(), done);

  const std::string dir = impl_->context.config.services_dir;
  const std::string base_dir = impl_->context.config.base_dir;
  if (dir.empty()) co_return Outcome(std::unexpect, config::Problems{"no services_dir configured"});
  auto loaded = co_await impl_->Pool().Run([dir, base_dir] { return config::LoadServices(dir, base_dir); });
  if (!loaded) co_return Outcome(std::unexpect, std::move(loaded.error()));
  if (loaded->value.empty() && !impl_->services.empty()) {
    co_return Outcome(std::unexpect, config::Problems{fmt::format(
                                         "{}: no service file is there (is it mounted?); the {} services stay "
                                         "as they are. To end the last one, stop it and remove its file while "
                                         "shipmate does not run",
                                         dir, impl_->services.size())});
  }
  ReloadResult result = co_await impl_->Apply(std::move(loaded->value));
  result.warnings.insert(result.warnings.begin(), loaded->warnings.begin(), loaded->warnings.end());
  co_return result;
}

Task<ReloadResult> Manager::Impl::Apply(std::vector<config::ServiceConfig> configs) {
  ReloadResult result;
  std::set<std::string> configured;
  std::vector<config::ServiceConfig> added;
  const auto changes = std::make_shared<Changes>();
  for (config::ServiceConfig& config : configs) {
    configured.insert(config.name);
    const auto service = Find(config.name);
    if (!service) {
      result.added.push_back(config.name);
      added.push_back(std::move(config));
    } else if (!(service->Config() == config)) {
      result.changed.push_back(config.name);
      changes->push_back({.service = service, .config = std::move(config)});
    }
  }
  const auto removed = std::make_shared<std::vector<Retired>>();
  for (const auto& [name, service] : services) {
    if (configured.contains(name)) continue;
    result.removed.push_back(name);
    removed->push_back({.service = service});
  }
  std::vector<std::string> restarting;
  for (const NewSettings& change : *changes) {
    if (change.service->WouldRestart(change.config)) restarting.push_back(change.config.name);
  }
  LogInfo(fmt::format("reload: {} changed, {} new, {} removed{}", result.changed.size(), result.added.size(),
                      result.removed.size(),
                      restarting.empty() ? "" : "; will restart: " + base::Join(restarting, ", ")));
  for (const std::string& name : result.removed) services.erase(name);

  constexpr std::size_t kAtOnce = 32;
  co_await RunBounded("reload", removed->size(), kAtOnce,
                      [removed](std::size_t index) { return RetireOne(removed, index); });
  for (const Retired& retired : *removed) {
    const std::string& name = retired.service->Name();
    if (!retired.result.reply.ok) result.warnings.push_back(name + ": " + retired.result.reply.text);
    if (retired.result.reply.ok && !retired.result.already) result.stopped.push_back(name);
  }
  co_await RunBounded("reload", changes->size(), kAtOnce,
                      [changes](std::size_t index) { return ApplyOne(changes, index); });
  for (const NewSettings& change : *changes) {
    const Reply& reply = change.result.reply;
    const std::string& name = change.service->Name();
    if (!reply.ok) {
      result.warnings.push_back(name + ": " + reply.text);
    } else if (!change.result.already) {
      result.restarted.push_back(name);
    } else if (!reply.text.empty()) {
      result.warnings.push_back(name + ": " + reply.text);
    }
  }
  try {
    co_await AddServices(std::move(added));
    co_await CleanOrphans();
  } catch (const std::exception& error) {
    // Those that are not taken up are new to the next reload too.
    std::erase_if(result.added, [this](const std::string& name) { return !services.contains(name); });
    result.warnings.push_back(std::string("new services and removed ones are left for the next reload: ") +
                              error.what());
    LogError("reload: " + result.warnings.back());
  }
  BulkResult begun = co_await StartWanted(result.added);
  result.started = std::move(begun.done);
  for (const auto& [name, why] : begun.failed) result.warnings.push_back(fmt::format("{}: {}", name, why));
  CheckSchedules();
  co_return result;
}

}  // namespace shipmate::service
