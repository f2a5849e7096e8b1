// Manager: what is done to several services, in the order that they ask for.

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/text.h"
#include "os/heap.h"
#include "service/manager_impl.h"
#include "service/order.h"
#include "service/schedule.h"

namespace shipmate::service {

namespace {

// More would not be faster, and each takes memory.
constexpr std::size_t kStartsAtOnce = 32;
// Those that stop at the same time share their looks at all processes.
constexpr std::size_t kStopsAtOnce = 128;

struct Part {
  Part(const Executor& executor, Step its_step, std::shared_ptr<Service> its_service)
      : step(std::move(its_step)), service(std::move(its_service)), done(executor) {}
  Step step;
  std::shared_ptr<Service> service;
  Op op = Op::kStart;
  /// It is only needed by another: one that runs is left alone, whatever it is doing.
  bool needed = false;
  OpResult result;
  async::Event done;
};

// What the workers of an operation on many fill; it outlives the coroutine that waits for them.
struct Bulk {
  std::vector<std::unique_ptr<Part>> parts;
  Saving saving = Saving::kBatched;
};

// Why `part` cannot be done; "" when it can.
Task<std::string> Missing(Bulk& bulk, Part& part) {
  if (part.op == Op::kStop || part.op == Op::kHalt) co_return "";
  for (const std::size_t need : part.step.needs) {
    const Part& other = *bulk.parts[need];
    std::string why = other.result.reply.ok ? "" : other.result.reply.text;
    if (why.empty()) {
      if (const auto healthy = co_await other.service->AwaitHealthy(); !healthy) why = healthy.error().what;
    }
    if (!why.empty()) co_return fmt::format("requires {}, which failed: {}", other.step.name, why);
  }
  co_return "";
}

Task<void> DoPart(std::shared_ptr<Bulk> bulk, std::size_t index) {
  Part& part = *bulk->parts[index];
  const auto done = [](async::Event* event) { event->Set(); };
  const std::unique_ptr<async::Event, decltype(done)> scope(&part.done, done);
  part.result.reply.text = "failed";
  for (const std::size_t earlier : part.step.wait_for) co_await bulk->parts[earlier]->done.Wait();
  if (std::string why = co_await Missing(*bulk, part); !why.empty()) {
    part.result.reply.text = std::move(why);
    co_return;
  }
  if (part.needed && (co_await part.service->Status()).value_or("") == "running") {
    part.result = {.reply = {.text = "already running", .ok = true}, .already = true};
    co_return;
  }
  part.result = co_await part.service->Do(part.op, bulk->saving);
}

BulkResult Outcome(const Bulk& bulk) {
  BulkResult result;
  for (const auto& part : bulk.parts) {
    const OpResult& outcome = part->result;
    if (part->needed) continue;
    if (!outcome.reply.ok) {
      result.failed.emplace_back(part->step.name, outcome.reply.text);
    } else {
      (outcome.already ? result.already : result.done).push_back(part->step.name);
    }
  }
  std::ranges::sort(result.done);
  std::ranges::sort(result.already);
  std::ranges::sort(result.failed);
  return result;
}

std::shared_ptr<Bulk> Plan(const Executor& executor, const std::map<std::string, std::shared_ptr<Service>>& services,
                           std::vector<Step> steps, Op op) {
  auto bulk = std::make_shared<Bulk>();
  for (Step& step : steps) {
    auto service = services.at(step.name);
    bulk->parts.push_back(std::make_unique<Part>(executor, std::move(step), std::move(service)));
    bulk->parts.back()->op = op;
  }
  return bulk;
}

// A part that waits for another's health, or for its process to stay up, must not keep a third from its turn: only
// those that wait for nothing are counted. Places are taken in order, so that whoever is waited for has one already.
Task<void> RunPlan(std::shared_ptr<Bulk> bulk, std::size_t bound) {
  const auto waits = [](const std::unique_ptr<Part>& part) {
    const config::ServiceConfig& config = part->service->Config();
    return !part->step.wait_for.empty() || config.health.has_value() || config.min_uptime.count() > 0;
  };
  bound += static_cast<std::size_t>(std::ranges::count_if(bulk->parts, waits));
  co_await RunBounded("services", bulk->parts.size(), bound, [bulk](std::size_t index) { return DoPart(bulk, index); });
}

}  // namespace

std::vector<config::ServiceConfig> Manager::Impl::Configs() const {
  std::vector<config::ServiceConfig> configs;
  for (const auto& [name, service] : services) {
    if (service->Config().kind != config::ServiceKind::kNone) configs.push_back(service->Config());
  }
  return configs;
}

Task<BulkResult> Manager::Impl::DoAll(Op op) {
  auto configs = Configs();
  if (op == Op::kStart) std::erase_if(configs, [](const auto& config) { return config.schedule.has_value(); });
  co_return co_await DoMany(op, std::move(configs));
}

Task<BulkResult> Manager::Impl::DoMany(Op op, std::vector<config::ServiceConfig> configs) {
  const bool stops = op == Op::kStop || op == Op::kHalt;
  const auto bulk = Plan(context.executor, services, stops ? StopOrder(configs) : StartOrder(configs), op);
  co_await RunPlan(bulk, stops ? kStopsAtOnce : kStartsAtOnce);
  co_await SyncStateDir();
  // What hundreds of operations needed at once.
  os::GiveBackMemory();
  co_return Outcome(*bulk);
}

Task<BulkResult> Manager::Impl::StartMany(std::vector<std::string> names) {
  auto configs = Configs();
  std::set<std::string> wanted;
  for (const std::string& name : names) {
    for (std::string& with : WithRequired(configs, name)) wanted.insert(std::move(with));
  }
  std::erase_if(configs, [&](const config::ServiceConfig& config) { return !wanted.contains(config.name); });
  const auto bulk = Plan(context.executor, services, StartOrder(configs), Op::kStart);
  for (const auto& part : bulk->parts) part->needed = std::ranges::find(names, part->step.name) == names.end();
  co_await RunPlan(bulk, kStartsAtOnce);
  co_await SyncStateDir();
  co_return Outcome(*bulk);
}

Task<BulkResult> Manager::Impl::StartWanted(const std::vector<std::string>& names) {
  std::vector<config::ServiceConfig> wanted;
  for (const std::string& name : names) {
    const auto service = Find(name);
    if (service && service->ShouldStart()) wanted.push_back(service->Config());
  }
  return DoMany(Op::kStartUp, std::move(wanted));
}

// No deploy may bring up again what was stopped: all of them are ended before the first stop.
Task<void> Manager::Impl::HaltAll() {
  for (const auto& service : All()) service->EndDeploys();
  co_await DoMany(Op::kHalt, Configs());
}

Task<OpResult> Manager::Impl::StartWithRequired(std::string name, Op op) {
  const auto all = Configs();
  std::vector<config::ServiceConfig> wanted;
  const auto names = WithRequired(all, name);
  std::ranges::copy_if(all, std::back_inserter(wanted), [&](const config::ServiceConfig& config) {
    return std::ranges::find(names, config.name) != names.end();
  });
  const auto bulk = Plan(context.executor, services, StartOrder(wanted), Op::kStart);
  bulk->saving = Saving::kSynced;
  const auto part = std::ranges::find(bulk->parts, name, [](const auto& one) { return one->step.name; });
  if (part == bulk->parts.end()) co_return OpResult{.reply = {.text = "nothing to run"}};
  for (const auto& other : bulk->parts) other->needed = true;
  (*part)->needed = false;
  (*part)->op = op;
  co_await RunPlan(bulk, kStartsAtOnce);
  OpResult result = (*part)->result;
  std::vector<std::string> along;
  for (const auto& other : bulk->parts) {
    if (other->step.name != name && other->result.reply.ok && !other->result.already) along.push_back(other->step.name);
  }
  if (!along.empty()) {
    result.reply.text +=
        fmt::format(" ({} {} started for it)", base::Join(along, ", "), along.size() == 1 ? "was" : "were");
  }
  co_return result;
}

Task<OpResult> Manager::Impl::StopAndTell(std::shared_ptr<Service> service) {
  OpResult result = co_await service->Do(Op::kStop, Saving::kSynced);
  if (!result.reply.ok || result.already) co_return result;
  std::vector<std::string> left;
  for (const std::string& name : Dependants(Configs(), service->Name())) {
    const auto other = Find(name);
    if (other && (co_await other->Status()).value_or("") == "running") left.push_back(name);
  }
  if (left.size() == 1) result.reply.text += fmt::format(" ({} requires it and goes on running)", left[0]);
  if (left.size() > 1) result.reply.text += fmt::format(" ({} require it and go on running)", base::Join(left, ", "));
  co_return result;
}

}  // namespace shipmate::service
