// DeployGate: freezes, and the way back to what was deployed before.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "base/time_text.h"
#include "gate/deploy_gate.h"
#include "gate/texts.h"

namespace shipmate::gate {

namespace {

using service::DeployNews;

constexpr base::WallTime kForGood{};

std::string Reasoned(const Freeze& freeze) {
  std::string text = freeze.until == kForGood ? "" : "until " + base::FormatRfc3339(freeze.until);
  if (!freeze.reason.empty()) text += (text.empty() ? "" : ": ") + freeze.reason;
  return text;
}

}  // namespace

const Freeze* DeployGate::FindFreeze(const std::string& service) const {
  for (const std::string& name : {service, std::string()}) {
    const auto found = freezes_.find(name);
    if (found == freezes_.end()) continue;
    if (found->second.until == kForGood || clock_.WallNow() < found->second.until) return &found->second;
  }
  return nullptr;
}

std::string DeployGate::FrozenText(const std::string& service) const {
  const Freeze* freeze = FindFreeze(service);
  if (freeze == nullptr) return "";
  const std::string reasoned = Reasoned(*freeze);
  return fmt::format("deploys of {} are frozen by {} ({}){}{}", freeze->service.empty() ? "all services" : service,
                     freeze->actor, Ago(freeze->since, clock_.WallNow()), reasoned.empty() ? "" : " ", reasoned);
}

std::vector<Freeze> DeployGate::ListFreezes() const {
  std::vector<Freeze> list;
  for (const auto& [service, freeze] : freezes_) list.push_back(freeze);
  return list;
}

// The newest is what somebody will want; what it replaces is overtaken.
void DeployGate::Hold(Wish& wish, Change& change) const {
  wish.state = Wish::State::kHeld;
  if (const Wish* older = FindWish(wish.service, Wish::State::kHeld)) change.remove.push_back(older->id);
  change.put.push_back(wish);
}

Result<void> DeployGate::SetFreeze(Freeze freeze) {
  freeze.since = clock_.WallNow();
  Change change;
  DeployNews news;
  news.kind = DeployNews::Kind::kFrozen;
  news.actor = freeze.actor;
  news.why = Reasoned(freeze);
  // What waits would begin in the middle of it.
  for (const auto& [id, wish] : wishes_) {
    const auto running = running_.find(wish.service);
    const bool handed_over = running != running_.end() && running->second.id == id;
    const bool concerned = freeze.service.empty() || freeze.service == wish.service;
    if (wish.state != Wish::State::kWaiting || wish.kind == Wish::Kind::kRollback || handed_over || !concerned)
      continue;
    Wish held = wish;
    Hold(held, change);
    DeployNews told = News(DeployNews::Kind::kHeld, held);
    told.why = "deploys are frozen by " + freeze.actor;
    change.news.emplace_back(held.service, std::move(told));
  }
  change.news.emplace(change.news.begin(), freeze.service, std::move(news));
  Judge(change, freeze.service, fmt::format("frozen by {} {}", freeze.actor, Reasoned(freeze)));
  change.freezes.push_back(freeze);
  if (auto applied = Apply(change); !applied) return applied;
  Wake();
  return {};
}

Result<void> DeployGate::EndFreeze(const std::string& service, const Person& person) {
  if (!freezes_.contains(service)) {
    const std::string whose = service.empty() ? "all services" : service;
    return Fail(Errc::kNotFound, fmt::format("deploys of {} are not frozen", whose));
  }
  Change change;
  DeployNews news;
  news.kind = DeployNews::Kind::kUnfrozen;
  news.actor = person.Shown();
  news.why = "by " + person.Shown();
  change.news.emplace_back(service, std::move(news));
  Judge(change, service, "unfrozen by " + person.Shown());
  Offer({service}, change);
  return Apply(change);
}

void DeployGate::Offer(const std::vector<std::string>& ended, Change& change) const {
  change.unfreeze.insert(change.unfreeze.end(), ended.begin(), ended.end());
  for (const auto& [id, wish] : wishes_) {
    if (wish.state != Wish::State::kHeld) continue;
    bool frozen = false;
    for (const std::string& name : {wish.service, std::string()}) {
      if (std::ranges::find(ended, name) == ended.end() && freezes_.contains(name)) frozen = true;
    }
    const auto config = manager_.GetServiceConfig(wish.service);
    if (frozen || !config) continue;
    Wish asked = wish;
    // Its time begins when it is offered.
    asked.requested = clock_.WallNow();
    Ask(asked, *config, change);
  }
}

Result<EndedDeploy> DeployGate::FindGood(const std::string& service, std::uint64_t to) {
  auto ended = store_->Ended(service);
  if (!ended) return Fail(ended.error());
  if (to != 0) {
    const auto found = std::ranges::find(*ended, to, &EndedDeploy::id);
    if (found == ended->end() || !found->success) {
      return Fail(Errc::kNotFound, fmt::format("there is no good deploy {} of {}", to, service));
    }
    return *found;
  }
  // After a failure the last good one; else the one before what is there now.
  const bool failed = !ended->empty() && !ended->front().success;
  const std::string current = ended->empty() ? "" : ended->front().commit;
  for (const EndedDeploy& deploy : *ended) {
    if (deploy.success && !deploy.commit.empty() && (failed || deploy.commit != current)) return deploy;
  }
  return Fail(Errc::kNotFound, fmt::format("no good deploy of {} with a known commit came before", service));
}

Task<Result<DeployAnswer>> DeployGate::RequestRollback(RollbackOrder order) {
  const auto config = manager_.GetServiceConfig(order.service);
  if (!config) co_return Fail(Errc::kNotFound, fmt::format("service {} not found", base::Quote(order.service)));
  if (config->dir.empty()) co_return Fail(Errc::kInvalid, order.service + " has no directory; set `dir:` for it");
  auto good = FindGood(order.service, order.to);
  if (!good) co_return Fail(good.error());
  if (good->commit.empty()) {
    co_return Fail(Errc::kNotFound, fmt::format("the commit of deploy {} is not known", good->id));
  }
  Wish wish;
  wish.id = manager_.TakeDeployId();
  wish.service = order.service;
  wish.kind = Wish::Kind::kRollback;
  wish.trigger = "rollback";
  wish.actor = order.person.Shown();
  wish.actor_id = order.person.Key();
  wish.exact = true;
  wish.info.repo = config->repo;
  wish.info.branch = good->branch;
  wish.info.commit_id = good->commit;
  wish.info.commit_msg = good->subject;
  wish.requested = clock_.WallNow();
  // Else the next push would undo it.
  if (!freezes_.contains(order.service)) {
    const auto frozen = SetFreeze({.service = order.service,
                                   .reason = "rolled back to " + Short(good->commit),
                                   .actor = wish.actor,
                                   .actor_id = wish.actor_id});
    if (!frozen) co_return Fail(frozen.error());
  }
  Change change;
  co_return TakeOn(std::move(wish), *config, order.asking, change);
}

}  // namespace shipmate::gate
