#pragma once

// DeployGate: the one place that decides what is deployed, and when: at once, in its turn, after a person's yes, or not
// at all. Pushes, commands and questions come together here, and only the gate calls Manager::RequestDeploy.
//
// What it has taken on is in gate.db before it is answered: what never began is requested again by the next run, what
// had begun is not. Of each service one deploy runs and one waits, the newest; deploys of different services run side
// by side up to a number, but never two in one directory.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/latch.h"
#include "async/spawn.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "gate/confirmation.h"
#include "gate/push.h"
#include "gate/store.h"
#include "gate/wish.h"
#include "service/manager.h"
#include "service/notifier.h"

namespace shipmate::gate {

/// REQUIRES: everything referred to outlives the gate.
struct GateSetup {
  Executor executor;
  service::Manager& manager;
  service::Notifier& notifier;
  const base::Clock& clock;
  std::unique_ptr<GateStore> store;
  unsigned max_parallel = 4;
};

/// Whether a person insists on being asked no further questions.
enum class Asking { kAsUsual, kSkipped };

/// A deploy that a person wishes.
struct DeployOrder {
  std::string service;
  Person person;
  Asking asking = Asking::kAsUsual;
  /// Another branch than the service's; "" = that one.
  std::string branch = {};
  /// One certain commit, or the start of its id; "" = the newest.
  std::string commit = {};
};

/// A wish to go back.
struct RollbackOrder {
  std::string service;
  Person person;
  /// The deploy to go back to; 0 = the last good one before what is there now.
  std::uint64_t to = 0;
  Asking asking = Asking::kAsUsual;
};

/// A wish that was taken.
struct DeployAnswer {
  enum class Kind {
    kQueued,
    kJoined,  ///< the same was waiting already
    kAwaitsConfirmation,
  };
  Kind kind = Kind::kQueued;
  std::uint64_t id = 0;
  /// Of kQueued: what it waits for; "" when it begins at once.
  std::string behind;
  Wish wish;
};

class DeployGate final : public service::DeployListener {
 public:
  explicit DeployGate(GateSetup setup);
  /// REQUIRES: Close has completed, or Start was never called.
  ~DeployGate() override;
  DeployGate(const DeployGate&) = delete;
  DeployGate& operator=(const DeployGate&) = delete;

  /// Takes up what the last run left: open questions, what waits, what was held. Called once, before anything else.
  Result<void> Start();
  /// Nothing begins any more. What waits is on disk.
  Task<void> Close();

  /// A verified push: for each target that does not ignore it, it is announced, then deployed or asked for. Returns at
  /// once, with a decision a target. One service's refusal does not keep the others from their deploy. An error means
  /// that nothing was decided: the forge must send it again.
  Result<std::vector<PushDecision>> HandlePush(const PushRequest& push);
  /// A person's deploy. kNotFound for an unknown service, kRefused with the reason.
  Task<Result<DeployAnswer>> RequestDeploy(DeployOrder order);

  /// A deploy of a commit that was deployed well before. Pushes to the service are frozen from then on, until a person
  /// says otherwise. kNotFound when there is nothing to go back to.
  Task<Result<DeployAnswer>> RequestRollback(RollbackOrder order);

  /// No deploys of `freeze.service` ("" = all) from now on; what is pushed is remembered. Rollbacks go on.
  Result<void> SetFreeze(Freeze freeze);
  /// Deploys again; what was pushed meanwhile is asked for. kNotFound when nothing was frozen.
  Result<void> EndFreeze(const std::string& service, const Person& person);
  std::vector<Freeze> ListFreezes() const;
  /// Why `service` is not deployed now; "" when it is: "frozen by alice 5m ago until ...: reason".
  std::string FrozenText(const std::string& service) const;

  /// Answers the open question of `service` with yes. `token` is what Question::token said, or empty. kNotFound when
  /// none is open; kRefused when that person cannot, or when it is another question than the one meant.
  Result<DeployAnswer> Confirm(const std::string& service, const Person& person, const std::string& token);
  /// Answers it with no; gives what was declined.
  Result<Wish> Decline(const std::string& service, const Person& person, const std::string& token);
  std::vector<Pending> ListPending() const { return tracker_.List(); }

  /// Ends the running deploy of the service, or takes the one that waits out of the queue; says which. kNotFound when
  /// there is none.
  Result<std::string> Cancel(const std::string& service, const Person& person);

  /// What was decided about `service` lately, the newest first.
  std::vector<Verdict> Why(const std::string& service);

  /// Does what time has brought. The gate calls it by itself; tests that move the clock call it too.
  void Tick();

  // DeployListener.
  Result<void> DeployBegan(const std::string& service, std::uint64_t id) override;
  void DeployEnded(const std::string& service, const service::DeployEnd& end) override;
  void DeployPutBack(const std::string& service, std::uint64_t id) override;

 private:
  struct Running {
    std::uint64_t id = 0;
    std::string dir;
    std::string canceller;
  };
  /// What one event changes: first on disk, in one transaction, then here, then it is told.
  struct Change {
    std::vector<Wish> put;
    std::vector<std::uint64_t> remove;
    /// Whose deliveries are forgotten, so that they can come again.
    std::vector<std::uint64_t> forget;
    std::vector<Delivery> deliveries;
    std::vector<RefHead> heads;
    std::vector<Verdict> verdicts;
    std::vector<EndedDeploy> ended;
    std::vector<Freeze> freezes;
    std::vector<std::string> unfreeze;
    /// Pushes to be announced.
    std::vector<Wish> webhooks;
    std::vector<std::pair<std::string, service::DeployNews>> news;
  };

  Result<void> Apply(const Change& change);
  /// Apply, where nobody is there to be told of a failure: it is logged.
  void ApplyOrLog(const Change& change);
  void Judge(Change& change, const std::string& service, std::string text) const;

  void NoteIgnored(const std::string& service, std::string text);
  Result<PushDecision> DecidePush(const PushTarget& target, const PushRequest& push, Change& change);
  Result<std::optional<PushDecision>> FindReason(const PushTarget& target, const PushRequest& push);
  /// Puts `wish` into the queue in the place of an older one of its service; true when it joined one instead.
  bool Enqueue(Wish& wish, Change& change) const;
  void Ask(Wish& wish, const config::ServiceConfig& config, Change& change) const;
  service::DeployNews News(service::DeployNews::Kind kind, const Wish& wish) const;
  Result<Wish> FindQuestion(const std::string& service, const std::string& token) const;
  Result<void> CheckMayConfirm(const Wish& wish, const config::ServiceConfig& config, const Person& person) const;

  /// The wish of a person, as far as it goes; its commit is looked up.
  Task<Result<Wish>> MakeWish(DeployOrder order, config::ServiceConfig config);
  /// Takes `wish` on: it waits for a yes or for its turn.
  Result<DeployAnswer> TakeOn(Wish wish, const config::ServiceConfig& config, Asking asking, Change& change);
  Result<EndedDeploy> FindGood(const std::string& service, std::uint64_t to);
  const Freeze* FindFreeze(const std::string& service) const;
  void Hold(Wish& wish, Change& change) const;
  /// What was held and is frozen no longer becomes a question; `ended` are the freezes that are over.
  void Offer(const std::vector<std::string>& ended, Change& change) const;
  const Wish* FindWish(const std::string& service, Wish::State state) const;
  /// What keeps `wish` from beginning now; "" = nothing.
  std::string Obstacle(const Wish& wish) const;
  void Pump();
  void Begin(const Wish& wish);
  DeployAnswer Queued(const Wish& wish) const;
  Task<void> KeepTime();
  void Wake();

  // Constant after construction.
  const Executor executor_;
  service::Manager& manager_;
  service::Notifier& notifier_;
  const base::Clock& clock_;
  const std::unique_ptr<GateStore> store_;
  const unsigned max_parallel_;

  std::map<std::uint64_t, Wish> wishes_;
  ConfirmationTracker tracker_;
  std::map<std::string, Running> running_;
  std::map<std::string, Freeze> freezes_;
  /// Pushes that were nothing for a service, the newest last: too many and too small for the disk.
  std::map<std::string, std::deque<Verdict>> ignored_;
  bool closed_ = false;
  bool pumping_ = false;
  std::shared_ptr<async::Event> wake_;
  async::TaskGroup background_;
};

}  // namespace shipmate::gate
