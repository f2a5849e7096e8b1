// DeployGate: what is decided about a push, a command and an answer.

#include "gate/deploy_gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "gate/texts.h"

namespace shipmate::gate {

namespace {

using service::DeployNews;

// Of a commit, for a token: shorter ones are guessed too easily by slips of the hand.
constexpr std::size_t kShortestToken = 4;

std::optional<PushDecision> Decided(const std::string& service, PushDecision::Kind kind, std::string why) {
  return PushDecision{.service = service, .kind = kind, .why = std::move(why), .deploy_id = 0};
}

bool SameName(const std::string& a, const std::string& b) {
  return !a.empty() && base::ToLowerAscii(a) == base::ToLowerAscii(b);
}

}  // namespace

std::string_view ToString(PushDecision::Kind kind) {
  switch (kind) {
    case PushDecision::Kind::kQueued:
      return "queued";
    case PushDecision::Kind::kSuperseded:
      return "superseded";
    case PushDecision::Kind::kAwaitsConfirmation:
      return "awaits confirmation";
    case PushDecision::Kind::kHeld:
      return "held";
    case PushDecision::Kind::kIgnored:
      return "ignored";
    case PushDecision::Kind::kRefused:
      return "refused";
    case PushDecision::Kind::kReplay:
      return "replay";
  }
  return "refused";
}

Result<std::vector<PushDecision>> DeployGate::HandlePush(const PushRequest& push) {
  Change change;
  std::vector<PushDecision> decisions;
  bool decided = false;
  for (const PushTarget& target : push.targets) {
    auto decision = DecidePush(target, push, change);
    if (!decision) return Fail(decision.error());
    std::string text = fmt::format("{}: {}{}{}", DescribePush(push), ToString(decision->kind),
                                   decision->why.empty() ? "" : ": ", decision->why);
    if (decision->kind == PushDecision::Kind::kIgnored) {
      NoteIgnored(target.service, std::move(text));
    } else {
      decided = true;
      Judge(change, target.service, std::move(text));
    }
    decisions.push_back(*std::move(decision));
  }
  if (!decided) return decisions;
  if (auto applied = Apply(change); !applied) return Fail(applied.error());
  Pump();
  return decisions;
}

void DeployGate::NoteIgnored(const std::string& service, std::string text) {
  constexpr std::size_t kKept = 10;
  std::deque<Verdict>& ignored = ignored_[service];
  ignored.push_back({.service = service, .text = std::move(text), .at = clock_.WallNow()});
  if (ignored.size() > kKept) ignored.pop_front();
}

// Why nothing is to be done for `target`, where that is so.
Result<std::optional<PushDecision>> DeployGate::FindReason(const PushTarget& target, const PushRequest& push) {
  using Kind = PushDecision::Kind;
  const std::string& name = target.service;
  const std::string& commit = push.info.commit_id;
  if (push.deleted) return Decided(name, Kind::kIgnored, push.ref + " was deleted");
  if (!target.ignored.empty()) return Decided(name, Kind::kIgnored, target.ignored);
  if (!push.body_sha256.empty()) {
    const auto known = store_->FindDelivery(push.forge, push.body_sha256, name);
    if (!known) return Fail(known.error());
    if (*known) {
      return Decided(name, Kind::kReplay,
                     fmt::format("this delivery was acted upon {} (deploy {})", Ago((*known)->at, clock_.WallNow()),
                                 (*known)->deploy_id));
    }
  }
  // Without its settings nobody can say whether it must be asked for: then it is not deployed.
  if (!manager_.GetServiceConfig(name)) {
    return Decided(name, Kind::kRefused, "service " + base::Quote(name) + " is not configured any more");
  }
  if (commit.empty()) return std::optional<PushDecision>();
  const auto head = store_->FindRefHead(name, push.ref);
  if (!head) return Fail(head.error());
  // Deliveries may overtake each other. What the newest push started from is older than it, unless this one goes back
  // from it, which not every forge calls forced.
  if (*head && !push.forced && (*head)->before == commit && (*head)->after != commit && (*head)->after != push.before) {
    return Decided(name, Kind::kSuperseded,
                   fmt::format("{} came later and is newer: it followed {}", Short((*head)->after), Short(commit)));
  }
  bool changing = false;
  for (const auto& [id, wish] : wishes_) {
    if (wish.service != name) continue;
    if (wish.info.commit_id != commit || wish.ref != push.ref) {
      changing = true;
      continue;
    }
    const char* state = wish.state == Wish::State::kBegun    ? "is being deployed"
                        : wish.state == Wish::State::kAsking ? "waits for a confirmation"
                        : wish.state == Wish::State::kHeld   ? "is held"
                                                             : "is queued";
    return Decided(name, Kind::kIgnored, fmt::format("{} {} already (deploy {})", Short(commit), state, id));
  }
  const auto ended = store_->Ended(name);
  if (!ended) return Fail(ended.error());
  // What was deployed last is not what there will be while something else is on its way.
  if (!push.forced && !changing && !ended->empty() && ended->front().success && ended->front().commit == commit) {
    return Decided(name, Kind::kIgnored,
                   fmt::format("{} is deployed already (deploy {})", Short(commit), ended->front().id));
  }
  return std::optional<PushDecision>();
}

Result<PushDecision> DeployGate::DecidePush(const PushTarget& target, const PushRequest& push, Change& change) {
  using Kind = PushDecision::Kind;
  const std::string& name = target.service;
  auto reason = FindReason(target, push);
  if (!reason) return Fail(reason.error());
  if (*reason) return **std::move(reason);
  const auto config = manager_.GetServiceConfig(name);

  Wish wish;
  wish.id = manager_.TakeDeployId();
  wish.service = name;
  wish.trigger = "push";
  wish.actor = PushActor(push.info);
  wish.ref = push.ref;
  wish.info = push.info;
  wish.requested = clock_.WallNow();
  if (!push.body_sha256.empty()) {
    change.deliveries.push_back({.forge = push.forge,
                                 .delivery_id = push.delivery_id,
                                 .body_sha256 = push.body_sha256,
                                 .service = name,
                                 .deploy_id = wish.id,
                                 .at = wish.requested});
  }
  if (!push.info.commit_id.empty()) {
    change.heads.push_back({.service = name, .ref = push.ref, .before = push.before, .after = push.info.commit_id});
  }
  change.webhooks.push_back(wish);

  PushDecision decision{.service = name, .kind = Kind::kQueued, .why = "", .deploy_id = wish.id};
  if (std::string frozen = FrozenText(name); !frozen.empty()) {
    Hold(wish, change);
    DeployNews news = News(DeployNews::Kind::kHeld, wish);
    news.why = frozen;
    change.news.emplace_back(name, std::move(news));
    decision.kind = Kind::kHeld;
    decision.why = std::move(frozen);
    return decision;
  }
  if (config->Confirmation() != config::Confirm::kNever) {
    Ask(wish, *config, change);
    decision.kind = Kind::kAwaitsConfirmation;
    decision.why = "a person must confirm it";
    return decision;
  }
  const bool joined = Enqueue(wish, change);
  decision.deploy_id = wish.id;
  decision.why = joined ? "joined the deploy that waits already" : Obstacle(wish);
  return decision;
}

void DeployGate::Ask(Wish& wish, const config::ServiceConfig& config, Change& change) const {
  wish.state = Wish::State::kAsking;
  wish.expires = wish.requested + config.confirm_ttl;
  if (const Wish* older = tracker_.Find(wish.service)) {
    wish.replaces_question = true;
    change.remove.push_back(older->id);
    DeployNews news = News(DeployNews::Kind::kSuperseded, *older);
    news.why = "superseded by " + DescribeTarget(wish);
    change.news.emplace_back(wish.service, std::move(news));
  }
  change.put.push_back(wish);
}

bool DeployGate::Enqueue(Wish& wish, Change& change) const {
  wish.state = Wish::State::kWaiting;
  const Wish* older = FindWish(wish.service, Wish::State::kWaiting);
  const auto running = running_.find(wish.service);
  // What was handed over to its service begins in the next moment.
  if (older != nullptr && (running == running_.end() || running->second.id != older->id)) {
    change.remove.push_back(older->id);
    if (older->kind == wish.kind && older->info.commit_id == wish.info.commit_id) {
      change.remove.push_back(wish.id);
      if (older->actor != wish.actor) wish.actor = older->actor + ", " + wish.actor;
      wish.id = older->id;
      change.put.push_back(wish);
      return true;
    }
    DeployNews news = News(DeployNews::Kind::kSuperseded, *older);
    news.why = "superseded by " + DescribeTarget(wish);
    Judge(change, wish.service, fmt::format("deploy {} of {}: {}", older->id, DescribeTarget(*older), news.why));
    change.news.emplace_back(wish.service, std::move(news));
  }
  change.put.push_back(wish);
  if (std::string why = Obstacle(wish); !why.empty()) {
    DeployNews news = News(DeployNews::Kind::kQueued, wish);
    news.why = std::move(why);
    change.news.emplace_back(wish.service, std::move(news));
  }
  return false;
}

Task<Result<DeployAnswer>> DeployGate::RequestDeploy(DeployOrder order) {
  if (closed_) co_return Fail(Errc::kClosed, "manager shutting down");
  const auto config = manager_.GetServiceConfig(order.service);
  if (!config) co_return Fail(Errc::kNotFound, fmt::format("service {} not found", base::Quote(order.service)));
  if (config->dir.empty() && !config->deploy.empty()) {
    co_return Fail(Errc::kInvalid,
                   order.service + " has deploy steps but no directory to run them in; set `dir:` for it");
  }
  if (const std::string frozen = FrozenText(order.service); !frozen.empty()) {
    co_return Fail(Errc::kRefused, fmt::format("{}; `unfreeze{}` ends that", frozen,
                                               FindFreeze(order.service)->service.empty() ? "" : " " + order.service));
  }
  const Asking asking = order.asking;
  auto wish = co_await MakeWish(std::move(order), *config);
  if (!wish) co_return Fail(wish.error());
  Change change;
  co_return TakeOn(*std::move(wish), *config, asking, change);
}

Task<Result<Wish>> DeployGate::MakeWish(DeployOrder order, config::ServiceConfig config) {
  Wish wish;
  wish.id = manager_.TakeDeployId();
  wish.service = order.service;
  wish.trigger = "command";
  wish.actor = order.person.Shown();
  wish.actor_id = order.person.Key();
  wish.info.repo = config.repo;
  wish.info.branch = order.branch.empty() ? config.branch : order.branch;
  wish.requested = clock_.WallNow();
  wish.exact = !order.commit.empty();
  // Without a repository there is nothing to be at a commit.
  const bool known = !config.repo.empty() && !config.dir.empty() && !wish.info.branch.empty();
  if (!known && order.commit.empty()) co_return wish;
  const std::string ref = order.commit.empty() ? "refs/heads/" + wish.info.branch : "";
  const auto commit = co_await manager_.ResolveCommit(order.service, ref, order.commit);
  if (commit) {
    wish.ref = ref;
    wish.info.commit_id = commit->id;
    wish.info.commit_msg = commit->subject;
    co_return wish;
  }
  const bool named = !order.commit.empty() || !order.branch.empty();
  if (named || commit.error().code == Errc::kInvalid) co_return Fail(commit.error());
  // The steps will tell whether the repository can be reached.
  LogInfo(fmt::format("{}: the commit to deploy is not known: {}", order.service, commit.error().what));
  co_return wish;
}

Result<DeployAnswer> DeployGate::TakeOn(Wish wish, const config::ServiceConfig& config, Asking asking, Change& change) {
  if (closed_) return Fail(Errc::kClosed, "manager shutting down");
  if (config.Confirmation() == config::Confirm::kAlways && asking == Asking::kAsUsual) {
    Ask(wish, config, change);
    Judge(change, wish.service,
          fmt::format("{} asked for by {}: awaits confirmation",
                      wish.kind == Wish::Kind::kRollback ? "rollback" : "deploy", wish.actor));
    if (auto applied = Apply(change); !applied) return Fail(applied.error());
    return DeployAnswer{
        .kind = DeployAnswer::Kind::kAwaitsConfirmation, .id = wish.id, .behind = "", .wish = std::move(wish)};
  }
  const std::string who = wish.actor;
  const bool joined = Enqueue(wish, change);
  Judge(change, wish.service,
        fmt::format("{} of {} asked for by {}: {} (deploy {})",
                    wish.kind == Wish::Kind::kRollback ? "rollback" : "deploy", DescribeTarget(wish), who,
                    joined ? "joined" : "queued", wish.id));
  if (auto applied = Apply(change); !applied) return Fail(applied.error());
  DeployAnswer answer = Queued(wish);
  if (joined) answer.kind = DeployAnswer::Kind::kJoined;
  Pump();
  return answer;
}

DeployAnswer DeployGate::Queued(const Wish& wish) const {
  return {.kind = DeployAnswer::Kind::kQueued, .id = wish.id, .behind = Obstacle(wish), .wish = wish};
}

Result<Wish> DeployGate::FindQuestion(const std::string& service, const std::string& token) const {
  const Wish* open = tracker_.Find(service);
  if (open == nullptr) return Fail(Errc::kNotFound, "no deploy of " + base::Quote(service) + " waits for confirmation");
  const std::string& commit = open->info.commit_id;
  if (token.empty()) {
    // Whoever answers may still look at the question before this one.
    if (!open->replaces_question) return *open;
    return Fail(Errc::kRefused, fmt::format("the question changed: it is about {} now; add {} if that is what you mean",
                                            DescribeTarget(*open), TokenOf(*open)));
  }
  const bool names_commit =
      token.size() >= kShortestToken && !commit.empty() && commit.starts_with(base::ToLowerAscii(token));
  if (names_commit || token == fmt::format("#{}", open->id)) return *open;
  return Fail(Errc::kRefused, fmt::format("{} is not what waits: that is {}", base::Quote(base::FirstRunes(token, 50)),
                                          DescribeTarget(*open)));
}

Result<void> DeployGate::CheckMayConfirm(const Wish& wish, const config::ServiceConfig& config,
                                         const Person& person) const {
  if (!config.approvers.empty() && std::ranges::find(config.approvers, person.Key()) == config.approvers.end()) {
    return Fail(Errc::kRefused, fmt::format("only {} can confirm deploys of {}; you are {}",
                                            base::Join(config.approvers, ", "), wish.service, person.Key()));
  }
  if (!config.confirm_by_other) return {};
  // A pusher is known by the name that the forge has for him, and by no id of a chat.
  const bool own = wish.actor_id == person.Key() || SameName(wish.info.pusher, person.name) ||
                   SameName(wish.info.author, person.name);
  if (!own) return {};
  return Fail(Errc::kRefused, fmt::format("somebody else must confirm deploys of {}: this one is yours", wish.service));
}

Result<DeployAnswer> DeployGate::Confirm(const std::string& service, const Person& person, const std::string& token) {
  if (closed_) return Fail(Errc::kClosed, "manager shutting down");
  auto question = FindQuestion(service, token);
  if (!question) return Fail(question.error());
  Wish wish = *std::move(question);
  const auto config = manager_.GetServiceConfig(service);
  if (!config) return Fail(Errc::kNotFound, "service " + base::Quote(service) + " not found");
  if (auto may = CheckMayConfirm(wish, *config, person); !may) return Fail(may.error());
  if (const std::string frozen = FrozenText(service); !frozen.empty() && wish.kind != Wish::Kind::kRollback) {
    return Fail(Errc::kRefused, frozen);
  }

  wish.confirmer = person.Shown();
  Change change;
  DeployNews news = News(DeployNews::Kind::kConfirmed, wish);
  news.actor = person.Shown();
  const bool joined = Enqueue(wish, change);
  change.news.emplace(change.news.begin(), service, std::move(news));
  Judge(change, service,
        fmt::format("deploy {} of {}: confirmed by {}", wish.id, DescribeTarget(wish), person.Shown()));
  // From here on the answer is given, or nothing has happened.
  if (auto applied = Apply(change); !applied) return Fail(applied.error());
  tracker_.Confirm(service);
  DeployAnswer answer = Queued(wish);
  if (joined) answer.kind = DeployAnswer::Kind::kJoined;
  Pump();
  return answer;
}

Result<Wish> DeployGate::Decline(const std::string& service, const Person& person, const std::string& token) {
  const auto question = FindQuestion(service, token);
  if (!question) return Fail(question.error());
  Change change;
  change.remove.push_back(question->id);
  change.forget.push_back(question->id);
  DeployNews news = News(DeployNews::Kind::kDeclined, *question);
  news.actor = person.Shown();
  change.news.emplace_back(service, std::move(news));
  Judge(change, service,
        fmt::format("deploy {} of {}: declined by {}", question->id, DescribeTarget(*question), person.Shown()));
  if (auto applied = Apply(change); !applied) return Fail(applied.error());
  tracker_.Confirm(service);
  return *question;
}

Result<std::string> DeployGate::Cancel(const std::string& service, const Person& person) {
  const auto running = running_.find(service);
  if (running != running_.end()) {
    if (auto cancelled = manager_.CancelDeploy(service); !cancelled) return Fail(cancelled.error());
    running->second.canceller = person.Shown();
    return std::string("Cancelling the deploy of ");
  }
  const Wish* waiting = FindWish(service, Wish::State::kWaiting);
  if (waiting == nullptr) {
    // One that the gate knows nothing of: there is none, or it says why it cannot be ended.
    if (auto cancelled = manager_.CancelDeploy(service); !cancelled) return Fail(cancelled.error());
    return std::string("Cancelling the deploy of ");
  }
  Change change;
  change.remove.push_back(waiting->id);
  change.forget.push_back(waiting->id);
  DeployNews news = News(DeployNews::Kind::kCancelled, *waiting);
  news.actor = person.Shown();
  change.news.emplace_back(service, std::move(news));
  Judge(change, service, fmt::format("deploy {}: cancelled by {} before it began", waiting->id, person.Shown()));
  if (auto applied = Apply(change); !applied) return Fail(applied.error());
  return std::string("Took out of the queue the deploy of ");
}

std::vector<Verdict> DeployGate::Why(const std::string& service) {
  std::vector<Verdict> verdicts = store_->Verdicts(service).value_or(std::vector<Verdict>());
  const auto ignored = ignored_.find(service);
  if (ignored != ignored_.end()) verdicts.insert(verdicts.end(), ignored->second.rbegin(), ignored->second.rend());
  std::ranges::sort(verdicts, std::ranges::greater{}, &Verdict::at);
  return verdicts;
}

}  // namespace shipmate::gate
