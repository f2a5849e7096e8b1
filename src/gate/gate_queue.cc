// DeployGate: the queue, and what time and the ends of deploys bring.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "async/deadline.h"
#include "base/log.h"
#include "base/text.h"
#include "gate/deploy_gate.h"
#include "gate/texts.h"

namespace shipmate::gate {

namespace {

using service::DeployNews;

constexpr std::chrono::seconds kCloseLimit{3};
// Nothing is due for longer; the wait is renewed.
constexpr std::chrono::hours kLongestWait{1};

}  // namespace

DeployGate::DeployGate(GateSetup setup)
    : executor_(std::move(setup.executor)),
      manager_(setup.manager),
      notifier_(setup.notifier),
      clock_(setup.clock),
      store_(std::move(setup.store)),
      max_parallel_(setup.max_parallel),
      tracker_(clock_),
      background_(executor_) {
  manager_.SetDeployListener(this);
}

DeployGate::~DeployGate() {
  manager_.SetDeployListener(nullptr);
}

Result<void> DeployGate::Start() {
  auto wishes = store_->Wishes();
  if (!wishes) return Fail(wishes.error());
  const auto freezes = store_->Freezes();
  if (!freezes) return Fail(freezes.error());
  for (const Freeze& freeze : *freezes) freezes_.emplace(freeze.service, freeze);
  Change change;
  for (Wish& wish : *wishes) {
    wishes_.emplace(wish.id, wish);
    if (wish.state == Wish::State::kBegun) {
      // Its service tells how far it came. It is not run again by itself; what led to it may be delivered again.
      change.remove.push_back(wish.id);
      change.forget.push_back(wish.id);
      change.ended.push_back({.id = wish.id,
                              .service = wish.service,
                              .branch = wish.info.branch,
                              .commit = wish.info.commit_id,
                              .subject = wish.info.ShortMessage(),
                              .success = false,
                              .at = clock_.WallNow()});
      Judge(change, wish.service, fmt::format("deploy {}: interrupted, Shipmate ended while it ran", wish.id));
    } else if (wish.state == Wish::State::kAsking) {
      tracker_.AddPending(wish, std::max(wish.expires - clock_.WallNow(), std::chrono::nanoseconds(-1)));
    }
  }
  if (auto applied = Apply(change); !applied) return applied;
  background_.Spawn("gate: time", KeepTime());
  Tick();
  Pump();
  return {};
}

Task<void> DeployGate::Close() {
  closed_ = true;
  background_.Cancel();
  if (!co_await background_.Join(kCloseLimit)) LogError("gate: did not end in time");
}

Task<void> DeployGate::KeepTime() {
  while (true) {
    wake_ = std::make_shared<async::Event>(executor_);
    const auto mine = wake_;
    std::chrono::nanoseconds next = tracker_.NextExpiry().value_or(kLongestWait);
    for (const auto& [service, freeze] : freezes_) {
      if (freeze.until != base::WallTime{}) next = std::min(next, freeze.until - clock_.WallNow());
    }
    // Strictly after: at the very end of its time a question is still open.
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next) + std::chrono::milliseconds(1);
    co_await mine->WaitFor(std::clamp<std::chrono::milliseconds>(wait, std::chrono::milliseconds(1), kLongestWait));
    Tick();
  }
}

void DeployGate::Wake() {
  if (wake_) wake_->Set();
}

void DeployGate::Tick() {
  for (const Wish& wish : tracker_.TakeExpired()) {
    Change change;
    change.remove.push_back(wish.id);
    change.forget.push_back(wish.id);
    change.news.emplace_back(wish.service, News(DeployNews::Kind::kExpired, wish));
    Judge(change, wish.service,
          fmt::format("deploy {} of {}: nobody confirmed it in time", wish.id, DescribeTarget(wish)));
    ApplyOrLog(change);
  }
  std::vector<std::string> over;
  Change change;
  for (const auto& [service, freeze] : freezes_) {
    if (freeze.until == base::WallTime{} || clock_.WallNow() < freeze.until) continue;
    over.push_back(service);
    DeployNews news;
    news.kind = DeployNews::Kind::kUnfrozen;
    news.why = "its time is over";
    change.news.emplace_back(service, std::move(news));
    Judge(change, service, "the freeze is over");
  }
  if (over.empty()) return;
  Offer(over, change);
  ApplyOrLog(change);
}

Result<void> DeployGate::Apply(const Change& change) {
  const auto write = [&]() -> Result<void> {
    for (const std::uint64_t id : change.remove) {
      if (auto done = store_->RemoveWish(id); !done) return done;
    }
    for (const Wish& wish : change.put) {
      if (auto done = store_->PutWish(wish); !done) return done;
    }
    for (const Delivery& delivery : change.deliveries) {
      if (auto done = store_->AddDelivery(delivery); !done) return done;
    }
    for (const std::uint64_t id : change.forget) {
      if (auto done = store_->ForgetDeliveries(id); !done) return done;
    }
    for (const RefHead& head : change.heads) {
      if (auto done = store_->PutRefHead(head); !done) return done;
    }
    for (const EndedDeploy& ended : change.ended) {
      if (auto done = store_->AddEnded(ended); !done) return done;
    }
    for (const Freeze& freeze : change.freezes) {
      if (auto done = store_->PutFreeze(freeze); !done) return done;
    }
    for (const std::string& service : change.unfreeze) {
      if (auto done = store_->RemoveFreeze(service); !done) return done;
    }
    for (const Verdict& verdict : change.verdicts) {
      if (auto done = store_->AddVerdict(verdict); !done) return done;
    }
    return {};
  };
  if (auto written = store_->Transaction(write); !written) return written;

  for (const std::uint64_t id : change.remove) wishes_.erase(id);
  for (const Freeze& freeze : change.freezes) freezes_.insert_or_assign(freeze.service, freeze);
  for (const std::string& service : change.unfreeze) freezes_.erase(service);
  for (const Wish& wish : change.webhooks) manager_.NotifyWebhook(wish.service, wish.info);
  for (const auto& [service, news] : change.news) notifier_.DeployNewsCame(service, news);
  for (const Wish& wish : change.put) {
    wishes_.insert_or_assign(wish.id, wish);
    if (wish.state != Wish::State::kAsking) continue;
    const std::chrono::nanoseconds ttl = wish.expires - wish.requested;
    tracker_.AddPending(wish, ttl);
    notifier_.ConfirmationRequested(wish.service, {.id = wish.id,
                                                   .info = wish.info,
                                                   .actor = wish.actor,
                                                   .ttl = std::chrono::ceil<std::chrono::seconds>(ttl),
                                                   .token = TokenOf(wish)});
    Wake();
  }
  return {};
}

void DeployGate::ApplyOrLog(const Change& change) {
  if (const auto applied = Apply(change); !applied) LogError("gate: " + applied.error().what);
}

void DeployGate::Judge(Change& change, const std::string& service, std::string text) const {
  change.verdicts.push_back({.service = service, .text = std::move(text), .at = clock_.WallNow()});
}

DeployNews DeployGate::News(DeployNews::Kind kind, const Wish& wish) const {
  DeployNews news;
  news.kind = kind;
  news.id = wish.id;
  news.actor = wish.actor;
  news.branch = wish.info.branch;
  news.commit = wish.info.commit_id;
  news.subject = wish.info.ShortMessage();
  return news;
}

const Wish* DeployGate::FindWish(const std::string& service, Wish::State state) const {
  for (const auto& [id, wish] : wishes_) {
    if (wish.service == service && wish.state == state) return &wish;
  }
  return nullptr;
}

std::string DeployGate::Obstacle(const Wish& wish) const {
  const auto own = running_.find(wish.service);
  if (own != running_.end()) return fmt::format("deploy {} of {} is running", own->second.id, wish.service);
  const auto config = manager_.GetServiceConfig(wish.service);
  for (const auto& [service, running] : running_) {
    if (!config || config->dir.empty() || running.dir != config->dir) continue;
    return fmt::format("deploy {} of {} is running in the same directory", running.id, service);
  }
  if (running_.size() >= max_parallel_) return fmt::format("{} deploys are running already", running_.size());
  return "";
}

void DeployGate::Pump() {
  // A service that refuses at once comes back here.
  if (closed_ || std::exchange(pumping_, true)) return;
  std::vector<std::uint64_t> waiting;
  for (const auto& [id, wish] : wishes_) {
    if (wish.state == Wish::State::kWaiting) waiting.push_back(id);
  }
  for (const std::uint64_t id : waiting) {
    const auto found = wishes_.find(id);
    if (found != wishes_.end() && Obstacle(found->second).empty()) Begin(Wish(found->second));
  }
  pumping_ = false;
}

void DeployGate::Begin(const Wish& wish) {
  const auto config = manager_.GetServiceConfig(wish.service);
  running_[wish.service] = {.id = wish.id, .dir = config ? config->dir : "", .canceller = ""};
  service::DeployRequest request;
  request.id = wish.id;
  request.actor = wish.actor;
  if (!wish.confirmer.empty()) request.actor += ", confirmed by " + wish.confirmer;
  if (wish.trigger == "push" || !wish.info.commit_id.empty()) request.push = wish.info;
  request.trigger = wish.trigger;
  request.ref = wish.ref;
  request.exact = wish.exact;
  if (wish.kind == Wish::Kind::kRollback) request.kind = service::DeployRequest::Kind::kRollback;
  const auto ended = store_->Ended(wish.service);
  if (ended) {
    const auto last = std::ranges::find(*ended, true, &EndedDeploy::success);
    if (last != ended->end()) request.previous_commit = last->commit;
  }
  const auto ticket = manager_.RequestDeploy(wish.service, std::move(request));
  if (ticket) return;
  running_.erase(wish.service);
  // All is ending: the next run does it.
  if (ticket.error().code == Errc::kClosed) return;
  Change change;
  change.remove.push_back(wish.id);
  change.forget.push_back(wish.id);
  DeployNews news = News(DeployNews::Kind::kRefused, wish);
  news.why = ticket.error().what;
  Judge(change, wish.service, fmt::format("deploy {}: refused: {}", wish.id, news.why));
  change.news.emplace_back(wish.service, std::move(news));
  ApplyOrLog(change);
}

Result<void> DeployGate::DeployBegan(const std::string& service, std::uint64_t id) {
  const auto found = wishes_.find(id);
  if (found == wishes_.end()) return Fail(Errc::kNotFound, fmt::format("deploy {} of {} is not known", id, service));
  Wish wish = found->second;
  wish.state = Wish::State::kBegun;
  Change change;
  change.put.push_back(std::move(wish));
  return Apply(change);
}

void DeployGate::DeployEnded(const std::string& service, const service::DeployEnd& end) {
  using Outcome = service::DeployEnd::Result;
  const auto running = running_.extract(service);
  const auto found = wishes_.find(end.id);
  if (found != wishes_.end()) {
    const Wish wish = found->second;
    Change change;
    change.remove.push_back(wish.id);
    if (end.result != Outcome::kSuccess) change.forget.push_back(wish.id);
    if (end.result != Outcome::kRefused) {
      change.ended.push_back({.id = wish.id,
                              .service = service,
                              .branch = wish.info.branch,
                              .commit = end.commit.empty() ? wish.info.commit_id : end.commit,
                              .subject = wish.info.ShortMessage(),
                              .success = end.result == Outcome::kSuccess,
                              .at = clock_.WallNow()});
    }
    std::string text = "succeeded";
    if (end.result == Outcome::kFailed) text = "failed at " + base::Quote(end.what);
    if (end.result == Outcome::kInterrupted) text = "interrupted";
    if (end.result == Outcome::kRefused) text = "refused: " + end.what;
    if (end.result == Outcome::kCancelled) {
      text = "cancelled";
      if (!running.empty() && !running.mapped().canceller.empty()) text += " by " + running.mapped().canceller;
    }
    Judge(change, service, fmt::format("deploy {} of {}: {}", wish.id, DescribeTarget(wish), text));
    ApplyOrLog(change);
  }
  Pump();
}

void DeployGate::DeployPutBack(const std::string& service, std::uint64_t id) {
  const auto running = running_.find(service);
  if (running != running_.end() && running->second.id == id) running_.erase(running);
}

}  // namespace shipmate::gate
