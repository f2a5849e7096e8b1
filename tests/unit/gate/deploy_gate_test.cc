#include "gate/deploy_gate.h"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include "async/deadline.h"
#include "async/offload.h"
#include "fakes/fake_clock.h"
#include "fakes/recording_notifier.h"
#include "fakes/temp_dir.h"
#include "os/child_process.h"
#include "os/files.h"
#include "run_task.h"

using namespace shipmate;
using namespace std::chrono_literals;
using gate::DeployGate;
using gate::PushDecision;
using service::Manager;
using tests::RecordedEvent;
using tests::RecordingNotifier;
using tests::RunTask;
using Kind = PushDecision::Kind;
using Names = std::vector<std::string>;

namespace {

// Runs nothing, and says that it does.
class IdleBackend final : public service::Backend {
 public:
  Task<Result<service::Change>> Start() override { co_return service::Change::kDone; }
  Task<Result<service::Change>> Stop() override { co_return service::Change::kDone; }
  Task<Result<void>> Restart() override { co_return Result<void>{}; }
  Task<Result<std::string>> Status() override { co_return std::string("running"); }
  Task<Result<std::string>> Logs(std::size_t) override { co_return std::string(); }
  service::Adoption TryAdopt(const service::State&) override { return {.adopted = false, .text = "no state to adopt"}; }
  std::optional<os::ProcessState> SaveBackendState() override { return std::nullopt; }
  int Pid() const override { return 0; }
  std::chrono::milliseconds Uptime() const override { return 0ms; }
  std::string LogFile() const override { return ""; }
};

config::ServiceConfig Service(const std::string& name, const std::string& dir) {
  config::ServiceConfig service;
  service.name = name;
  service.repo = "acme/app";
  service.branch = "main";
  service.dir = dir;
  service.deploy = {"echo deploying " + name};
  return service;
}

service::WebhookInfo Push(const std::string& commit = "deadbeefcafe") {
  service::WebhookInfo info;
  info.repo = "acme/app";
  info.branch = "main";
  info.pusher = "bob";
  info.commit_id = commit;
  info.commit_msg = "fix it";
  return info;
}

// A manager with a gate before it.
class House {
 public:
  explicit House(std::vector<config::ServiceConfig> services, unsigned most = 4) : parallel(most) {
    Open(std::move(services));
  }
  ~House() { Stop(); }
  House(const House&) = delete;
  House& operator=(const House&) = delete;

  void Open(std::vector<config::ServiceConfig> services) {
    services_ = services;
    service::ManagerOptions options;
    options.config.base_dir = dir_.Path();
    options.config.log_dir = dir_ / "logs";
    options.config.state_dir = dir_ / "state";
    options.services = std::move(services);
    for (config::ServiceConfig& service : options.services) {
      if (service.dir.empty()) service.dir = dir_.Path();
    }
    options.backends = [](const service::BackendContext&) { return std::make_unique<IdleBackend>(); };
    options.environment = os::InheritedEnvironment({});
    options.clock = &system_clock_;
    options.pool = &pool_;
    auto manager = RunTask(loop_, Manager::Create(loop_.get_executor(), std::move(options), events));
    REQUIRE(manager.has_value());
    manager_ = *std::move(manager);
    auto store = gate::GateStore::Open(dir_ / "gate.db");
    REQUIRE(store.has_value());
    gate_ = std::make_unique<DeployGate>(gate::GateSetup{.executor = loop_.get_executor(),
                                                         .manager = *manager_,
                                                         .notifier = events,
                                                         .clock = clock,
                                                         .store = *std::move(store),
                                                         .max_parallel = parallel});
    REQUIRE(gate_->Start().has_value());
  }
  void Stop() {
    RunTask(loop_, gate_->Close());
    RunTask(loop_, manager_->Stop());
  }
  /// The next run of the program.
  void Restart() {
    Stop();
    gate_.reset();
    manager_.reset();
    events.events.clear();
    Open(services_);
  }
  /// `alice` wishes a deploy of `service`.
  Result<gate::DeployAnswer> Wished(const std::string& service, const std::string& who = "alice") {
    return RunTask(loop_,
                   gate_->RequestDeploy({.service = service, .person = By(who), .asking = gate::Asking::kAsUsual}));
  }
  Result<gate::DeployAnswer> Back(const std::string& service) {
    return RunTask(loop_, gate_->RequestRollback({.service = service, .person = By("alice")}));
  }
  static gate::Person By(const std::string& name) { return {.platform = "discord", .id = name + "-id", .name = name}; }
  DeployGate& Gate() { return *gate_; }
  /// What the gate decides about a push of `info`, by a webhook server that only looks at repository and branch.
  std::vector<PushDecision> Pushed(const service::WebhookInfo& info) {
    auto decisions = gate_->HandlePush(Request(info));
    REQUIRE(decisions.has_value());
    return *std::move(decisions);
  }
  gate::PushRequest Request(const service::WebhookInfo& info) {
    gate::PushRequest push;
    push.forge = "github";
    push.info = info;
    push.ref = "refs/heads/" + info.branch;
    for (const std::string& name : manager_->FindServicesByRepo(info.repo, info.branch)) {
      push.targets.push_back({.service = name, .ignored = ""});
    }
    return push;
  }
  /// Lets the loop run until something like that was decided about `service`; whether it was.
  bool AwaitVerdict(const std::string& service, const std::string& part) {
    for (int tries = 0; tries < 3000; ++tries) {
      for (const gate::Verdict& verdict : gate_->Why(service)) {
        if (verdict.text.contains(part)) return true;
      }
      Turn();
    }
    return false;
  }
  std::string Path(std::string_view name) const { return dir_ / name; }

  /// Lets the loop run until `summary` was recorded `count` times; whether it was.
  bool Await(const std::string& summary, std::size_t count = 1) {
    for (int tries = 0; tries < 3000 && events.Count(summary) < count; ++tries) Turn();
    return events.Count(summary) >= count;
  }
  void Turn() { RunTask(loop_, async::Sleep(10ms)); }

  RecordingNotifier events;
  tests::FakeClock clock;
  const unsigned parallel;

 private:
  const tests::TempDir dir_;
  boost::asio::io_context loop_;
  async::WorkerPool pool_{1};
  base::SystemClock system_clock_;
  std::vector<config::ServiceConfig> services_;
  std::unique_ptr<Manager> manager_;
  std::unique_ptr<DeployGate> gate_;
};

config::ServiceConfig Asking(const std::string& name) {
  config::ServiceConfig service = Service(name, "");
  service.require_confirmation = true;
  return service;
}

}  // namespace

TEST_CASE("a push is announced first, then deployed in the pusher's name") {
  House house({Service("web", "")});
  const auto decisions = house.Pushed(Push());
  REQUIRE(decisions.size() == 1);
  CHECK(decisions[0].service == "web");
  CHECK(decisions[0].kind == Kind::kQueued);
  CHECK(decisions[0].why.empty());
  REQUIRE(house.Await("web deploy-succeeded"));
  const Names summaries = house.events.Summaries();
  REQUIRE(summaries.size() >= 3);
  CHECK(summaries[0] == "web webhook");
  CHECK(summaries[1] == "web deploy-started");
  CHECK(house.events.Find("web webhook")->info == Push());
  CHECK(house.events.Find("web deploy-started")->deploy.actor == "push by bob");
  CHECK(house.events.Find("web deploy-succeeded")->output.find("deploying web\n") != std::string::npos);
}

TEST_CASE("a push without a pusher is its author's, and names stay one line") {
  House house({Service("web", "")});
  service::WebhookInfo info = Push();
  info.pusher.clear();
  info.author = "Eve\n@everyone" + std::string(200, 'x');
  house.Pushed(info);
  REQUIRE(house.Await("web deploy-succeeded"));
  const std::string actor = house.events.Find("web deploy-started")->deploy.actor;
  CHECK(actor.starts_with("push by Eve\\n@everyonexxx"));
  CHECK(actor.size() < 100);

  info.author.clear();
  info.commit_id = "c0ffee1";
  house.Pushed(info);
  REQUIRE(house.Await("web deploy-succeeded", 2));
  CHECK(house.events.Find("web deploy-started")->deploy.actor == "push");
}

TEST_CASE("a push that fits no service does nothing") {
  House house({Service("web", "")});
  service::WebhookInfo info = Push();
  info.branch = "dev";
  CHECK(house.Pushed(info).empty());
  info.branch.clear();
  CHECK(house.Pushed(info).empty());
  info = Push();
  info.repo = "acme/other";
  CHECK(house.Pushed(info).empty());
  CHECK(house.events.events.empty());
}

TEST_CASE("what is nothing for a service is ignored with its reason") {
  House house({Service("web", "")});
  gate::PushRequest push;
  push.forge = "github";
  push.info = Push();
  push.ref = "refs/heads/main";
  push.targets = {{.service = "web", .ignored = "no file of its paths changed"}};
  auto decisions = house.Gate().HandlePush(push);
  REQUIRE(decisions.has_value());
  REQUIRE(decisions->size() == 1);
  CHECK(decisions->front().kind == Kind::kIgnored);
  CHECK(decisions->front().why == "no file of its paths changed");

  push.targets = {{.service = "web", .ignored = ""}};
  push.deleted = true;
  decisions = house.Gate().HandlePush(push);
  REQUIRE(decisions.has_value());
  CHECK(decisions->front().kind == Kind::kIgnored);
  CHECK(decisions->front().why == "refs/heads/main was deleted");
  CHECK(house.events.events.empty());
}

TEST_CASE("a service that must be asked for waits for a person") {
  House house({Asking("web")});
  const auto decisions = house.Pushed(Push());
  REQUIRE(decisions.size() == 1);
  CHECK(decisions[0].kind == Kind::kAwaitsConfirmation);
  CHECK(house.events.Summaries() == Names{"web webhook", "web confirmation"});
  CHECK(house.events.Find("web confirmation")->info == Push());
  CHECK(house.events.Find("web confirmation")->question.ttl == 10min);
  CHECK(house.events.Find("web confirmation")->question.token == "deadbee");
  CHECK((house.Gate().ListPending().size() == 1));
  REQUIRE(house.Gate().ListPending().size() == 1);
  CHECK(house.Gate().ListPending()[0].service == "web");
  for (int i = 0; i < 5; ++i) house.Turn();
  CHECK(house.events.Count("web deploy-started") == 0);

  REQUIRE(house.Gate().Confirm("web", House::By("alice"), "").has_value());
  CHECK(!(house.Gate().ListPending().size() == 1));
  REQUIRE(house.Await("web deploy-succeeded"));
  CHECK(house.events.Find("web deploy-started")->deploy.actor == "push by bob, confirmed by alice");
  const auto again = house.Gate().Confirm("web", House::By("alice"), "");
  REQUIRE(!again.has_value());
  CHECK(again.error().code == Errc::kNotFound);
  CHECK(again.error().what == "no deploy of \"web\" waits for confirmation");
}

TEST_CASE("every service of one repository is served, each by its own rule") {
  config::ServiceConfig other = Service("delta", "");
  other.branch = "dev";
  House house({Service("charlie", ""), Asking("bravo"), Service("alpha", ""), other});
  const auto decisions = house.Pushed(Push());
  REQUIRE(decisions.size() == 3);
  CHECK(decisions[0].service == "alpha");
  CHECK(decisions[0].kind == Kind::kQueued);
  CHECK(decisions[1].service == "bravo");
  CHECK(decisions[1].kind == Kind::kAwaitsConfirmation);
  CHECK(decisions[2].service == "charlie");
  CHECK(decisions[2].kind == Kind::kQueued);
  REQUIRE(house.Await("alpha deploy-succeeded"));
  REQUIRE(house.Await("charlie deploy-succeeded"));
  CHECK(house.events.Count("bravo deploy-started") == 0);
  CHECK(house.events.Count("delta webhook") == 0);
}

TEST_CASE("one deploy runs, and of those that wait the newest") {
  config::ServiceConfig slow = Service("web", "");
  slow.deploy = {"while [ ! -e go ]; do sleep 0.05; done"};
  House house({slow, Service("api", "")});
  const auto first = house.Pushed(Push());
  REQUIRE(first.size() == 2);
  CHECK(first[1].why.empty());
  REQUIRE(house.Await("web deploy-started"));
  REQUIRE(house.Await("api deploy-succeeded"));
  const auto second = house.Wished("web");
  REQUIRE(second.has_value());
  CHECK(second->kind == gate::DeployAnswer::Kind::kQueued);
  CHECK(second->behind == "deploy " + std::to_string(first[1].deploy_id) + " of web is running");
  const auto joined = house.Wished("web", "carol");
  REQUIRE(joined.has_value());
  CHECK(joined->kind == gate::DeployAnswer::Kind::kJoined);
  CHECK(joined->id == second->id);
  CHECK(joined->wish.actor == "alice, carol");

  const auto third = house.Pushed(Push("c0ffee1"));
  REQUIRE(third.size() == 2);
  CHECK(third[1].kind == Kind::kQueued);
  REQUIRE(house.events.Find("web superseded") != nullptr);
  CHECK(house.events.Find("web superseded")->news.id == second->id);
  CHECK(house.events.Find("web superseded")->news.why == "superseded by c0ffee1 (main)");
  os::WriteFileAtomically(house.Path("go"), "", 0600, os::Sync::kNone).value();
  REQUIRE(house.Await("web deploy-succeeded", 2));
  for (int i = 0; i < 5; ++i) house.Turn();
  CHECK(house.events.Count("web deploy-started") == 2);
  CHECK(house.events.Find("web deploy-succeeded")->deploy.id == third[1].deploy_id);
}

TEST_CASE("two services never deploy in one directory at once, and no more than allowed anywhere") {
  config::ServiceConfig one = Service("one", "");
  one.deploy = {"while [ ! -e go ]; do sleep 0.05; done"};
  config::ServiceConfig elsewhere = Service("three", "/");
  House house({one, Service("two", ""), elsewhere});
  REQUIRE(house.Wished("one").has_value());
  REQUIRE(house.Await("one deploy-started"));
  const auto two = house.Wished("two");
  REQUIRE(two.has_value());
  CHECK(two->behind.ends_with(" of one is running in the same directory"));
  REQUIRE(house.Wished("three").has_value());
  REQUIRE(house.Await("three deploy-succeeded"));
  CHECK(house.events.Count("two deploy-started") == 0);
  os::WriteFileAtomically(house.Path("go"), "", 0600, os::Sync::kNone).value();
  REQUIRE(house.Await("two deploy-succeeded"));
}

TEST_CASE("a limit holds for all services together") {
  config::ServiceConfig one = Service("one", "");
  one.deploy = {"while [ ! -e go ]; do sleep 0.05; done"};
  House house({one, Service("two", "/")}, 1);
  REQUIRE(house.Wished("one").has_value());
  REQUIRE(house.Await("one deploy-started"));
  CHECK(house.Wished("two")->behind == "1 deploys are running already");
  CHECK(house.Gate().Cancel("two", House::By("alice")).value() == "Took out of the queue the deploy of ");
  CHECK(house.events.Count("two deploy-cancelled") == 1);
  REQUIRE(house.Gate().Cancel("one", House::By("alice")).has_value());
  REQUIRE(house.AwaitVerdict("one", "cancelled by alice"));
  CHECK(house.events.Count("two deploy-started") == 0);
}

TEST_CASE("a delivery acts once, and again only after its deploy failed") {
  config::ServiceConfig web = Service("web", "");
  web.deploy = {"test -e good"};
  House house({web});
  gate::PushRequest push = house.Request(Push());
  push.body_sha256 = "aa";
  push.delivery_id = "first";
  CHECK(house.Gate().HandlePush(push)->front().kind == Kind::kQueued);
  REQUIRE(house.Await("web deploy-failed"));
  os::WriteFileAtomically(house.Path("good"), "", 0600, os::Sync::kNone).value();
  REQUIRE(house.AwaitVerdict("web", "failed at \"test -e good\""));
  CHECK(house.Gate().HandlePush(push)->front().kind == Kind::kQueued);
  REQUIRE(house.Await("web deploy-succeeded"));

  CHECK(house.Gate().HandlePush(push)->front().kind == Kind::kReplay);
  // The id is no part of what was signed.
  push.delivery_id = "second";
  CHECK(house.Gate().HandlePush(push)->front().kind == Kind::kReplay);
  house.clock.Advance(24h);
  house.Restart();
  CHECK(house.Gate().HandlePush(push)->front().kind == Kind::kReplay);
  for (int i = 0; i < 5; ++i) house.Turn();
  CHECK(house.events.Count("web deploy-started") == 0);
}

TEST_CASE("a commit that is deployed, or on its way, is not deployed once more, unless by force") {
  House house({Service("web", "")});
  REQUIRE(house.Pushed(Push()).front().kind == Kind::kQueued);
  CHECK(house.Pushed(Push()).front().kind == Kind::kIgnored);
  REQUIRE(house.AwaitVerdict("web", "succeeded"));
  const auto again = house.Pushed(Push());
  CHECK(again.front().kind == Kind::kIgnored);
  CHECK(again.front().why.starts_with("deadbee is deployed already (deploy "));
  gate::PushRequest forced = house.Request(Push());
  forced.forced = true;
  CHECK(house.Gate().HandlePush(forced)->front().kind == Kind::kQueued);
  REQUIRE(house.Await("web deploy-succeeded", 2));
}

TEST_CASE("a push that arrives after the one that followed it deploys nothing") {
  House house({Service("web", "")});
  gate::PushRequest newer = house.Request(Push("c0ffee1"));
  newer.before = "deadbeefcafe";
  REQUIRE(house.Gate().HandlePush(newer)->front().kind == Kind::kQueued);
  const auto late = house.Pushed(Push());
  CHECK(late.front().kind == Kind::kSuperseded);
  CHECK(late.front().why == "c0ffee1 came later and is newer: it followed deadbee");
  REQUIRE(house.Await("web deploy-succeeded"));
  for (int i = 0; i < 5; ++i) house.Turn();
  CHECK(house.events.Count("web deploy-started") == 1);
}

TEST_CASE("a push that goes back to the commit before deploys it, though nothing calls it forced") {
  House house({Service("web", "")});
  gate::PushRequest newer = house.Request(Push("c0ffee1"));
  newer.before = "deadbeefcafe";
  REQUIRE(house.Gate().HandlePush(newer)->front().kind == Kind::kQueued);
  REQUIRE(house.Await("web deploy-succeeded"));
  gate::PushRequest back = house.Request(Push());
  back.before = "c0ffee1";
  CHECK(house.Gate().HandlePush(back)->front().kind == Kind::kQueued);
  REQUIRE(house.Await("web deploy-succeeded", 2));
}

TEST_CASE("what was deployed before is deployed again when something else is on its way") {
  config::ServiceConfig slow = Service("web", "");
  House house({slow});
  REQUIRE(house.Pushed(Push()).front().kind == Kind::kQueued);
  REQUIRE(house.AwaitVerdict("web", "succeeded"));
  gate::PushRequest newer = house.Request(Push("c0ffee1"));
  newer.before = "deadbeefcafe";
  REQUIRE(house.Gate().HandlePush(newer)->front().kind == Kind::kQueued);
  gate::PushRequest back = house.Request(Push());
  back.before = "c0ffee1";
  CHECK(house.Gate().HandlePush(back)->front().kind == Kind::kQueued);
  REQUIRE(house.Await("web deploy-succeeded", 3));
}

TEST_CASE("what waits when all ends is deployed by the next run, and what is pushed meanwhile too") {
  config::ServiceConfig slow = Service("web", "");
  slow.deploy = {"while [ ! -e go ]; do sleep 0.05; done"};
  House house({slow, Service("api", "/")});
  REQUIRE(house.Wished("web").has_value());
  REQUIRE(house.Await("web deploy-started"));
  const auto waiting = house.Pushed(Push("c0ffee1"));
  REQUIRE(house.Await("api deploy-succeeded"));
  house.Stop();
  CHECK(house.Pushed(Push("c0ffee2"))[0].kind == Kind::kQueued);
  os::WriteFileAtomically(house.Path("go"), "", 0600, os::Sync::kNone).value();
  house.Restart();
  REQUIRE(house.Await("web deploy-succeeded"));
  REQUIRE(house.Await("api deploy-succeeded"));
  for (int i = 0; i < 5; ++i) house.Turn();
  // The one that ran was interrupted, and is not run again; the older of those that waited gave way.
  CHECK(house.events.Count("web deploy-started") == 1);
  CHECK(house.events.Find("web deploy-succeeded")->deploy.id > waiting[1].deploy_id);
}

TEST_CASE("what had begun when the program died is never run again by itself") {
  House house({Service("web", "")});
  house.Stop();
  {
    auto store = gate::GateStore::Open(house.Path("gate.db")).value();
    gate::Wish wish;
    wish.id = 77;
    wish.service = "web";
    wish.state = gate::Wish::State::kBegun;
    store->PutWish(wish).value();
    store
        ->AddDelivery(
            {.forge = "github", .delivery_id = "x", .body_sha256 = "aa", .service = "web", .deploy_id = 77, .at = {}})
        .value();
  }
  house.Restart();
  for (int i = 0; i < 5; ++i) house.Turn();
  CHECK(house.events.Count("web deploy-started") == 0);
  CHECK(house.AwaitVerdict("web", "interrupted"));
  // What led to it may be delivered again.
  gate::PushRequest push = house.Request(Push());
  push.body_sha256 = "aa";
  CHECK(house.Gate().HandlePush(push)->front().kind == Kind::kQueued);
  REQUIRE(house.Await("web deploy-succeeded"));
}

TEST_CASE("a question survives a restart, and keeps its time") {
  House house({Asking("web")});
  house.Pushed(Push());
  house.clock.Advance(4min);
  house.Restart();
  REQUIRE(house.Gate().ListPending().size() == 1);
  CHECK(house.Gate().ListPending()[0].left == 6min);
  CHECK(house.events.events.empty());
  REQUIRE(house.Gate().Confirm("web", House::By("alice"), "deadbee").has_value());
  REQUIRE(house.Await("web deploy-succeeded"));
  CHECK(house.events.Find("web confirmed")->news.actor == "alice");
}

TEST_CASE("a question whose time runs out says so, and its delivery may come again") {
  House house({Asking("web")});
  gate::PushRequest push = house.Request(Push());
  push.body_sha256 = "aa";
  REQUIRE(house.Gate().HandlePush(push).has_value());
  house.clock.Advance(10min + 1ms);
  house.Gate().Tick();
  CHECK(house.events.Count("web expired") == 1);
  CHECK(house.AwaitVerdict("web", "nobody confirmed it in time"));
  CHECK(house.Gate().HandlePush(push)->front().kind == Kind::kAwaitsConfirmation);
  house.Stop();
  house.clock.Advance(11min);
  house.Restart();
  CHECK(house.events.Count("web expired") == 1);
  CHECK(house.Gate().ListPending().empty());
}

TEST_CASE("a newer push asks anew, and a yes to the older question deploys nothing") {
  House house({Asking("web")});
  house.Pushed(Push());
  const auto first = house.events.Find("web confirmation")->question;
  house.Pushed(Push("c0ffee1"));
  CHECK(house.events.Summaries() ==
        Names{"web webhook", "web confirmation", "web webhook", "web superseded", "web confirmation"});
  CHECK(house.events.Find("web superseded")->news.id == first.id);
  const auto old = house.Gate().Confirm("web", House::By("alice"), first.token);
  REQUIRE(!old.has_value());
  CHECK(old.error().what == "\"deadbee\" is not what waits: that is c0ffee1 (main)");
  const auto blind = house.Gate().Confirm("web", House::By("alice"), "");
  REQUIRE(!blind.has_value());
  CHECK(blind.error().what ==
        "the question changed: it is about c0ffee1 (main) now; add c0ffee1 if that is what you mean");
  REQUIRE(house.Gate().Confirm("web", House::By("alice"), "c0ffee1").has_value());
  REQUIRE(house.Await("web deploy-succeeded"));
  CHECK(house.events.Count("web deploy-started") == 1);
}

TEST_CASE("a no ends the question") {
  House house({Asking("web")});
  house.Pushed(Push());
  REQUIRE(house.Gate().Decline("web", House::By("alice"), "").has_value());
  CHECK(house.events.Find("web declined")->news.actor == "alice");
  CHECK(house.Gate().Confirm("web", House::By("alice"), "").error().code == Errc::kNotFound);
  CHECK(house.Gate().Decline("web", House::By("alice"), "").error().code == Errc::kNotFound);
  for (int i = 0; i < 5; ++i) house.Turn();
  CHECK(house.events.Count("web deploy-started") == 0);
}

TEST_CASE("who may confirm is known by id; whoever wished it cannot where another must") {
  config::ServiceConfig web = Asking("web");
  web.confirm = config::Confirm::kAlways;
  web.confirm_by_other = true;
  web.approvers = {"discord:alice-id", "discord:bob-id"};
  House house({web});
  const auto asked = house.Wished("web");
  REQUIRE(asked.has_value());
  CHECK(asked->kind == gate::DeployAnswer::Kind::kAwaitsConfirmation);
  CHECK(house.Gate().Confirm("web", House::By("alice"), "").error().code == Errc::kRefused);
  const auto stranger = house.Gate().Confirm("web", House::By("eve"), "");
  REQUIRE(!stranger.has_value());
  CHECK(stranger.error().what ==
        "only discord:alice-id, discord:bob-id can confirm deploys of web; you are discord:eve-id");
  CHECK(house.Gate().ListPending().size() == 1);
  REQUIRE(house.Gate().Confirm("web", House::By("bob"), "").has_value());
  REQUIRE(house.Await("web deploy-succeeded"));
  CHECK(house.events.Find("web deploy-started")->deploy.actor == "alice, confirmed by bob");

  // A pusher is known by name alone.
  house.Pushed(Push());
  CHECK(house.Gate().Confirm("web", House::By("bob"), "").error().code == Errc::kRefused);
  CHECK(house.Gate().Confirm("web", House::By("alice"), "").has_value());
  REQUIRE(house.Await("web deploy-succeeded", 2));
}

TEST_CASE("a person's deploy does not ask, and an unknown service is named") {
  House house({Asking("web")});
  REQUIRE(house.Wished("web").has_value());
  REQUIRE(house.Await("web deploy-succeeded"));
  CHECK(house.events.Count("web confirmation") == 0);
  const auto unknown = house.Wished("ghost");
  REQUIRE(!unknown.has_value());
  CHECK(unknown.error().code == Errc::kNotFound);
}

TEST_CASE("what is pushed while deploys are frozen is held, over a restart too, and offered when they are not") {
  House house({Service("web", ""), Service("api", "/")});
  REQUIRE(house.Gate()
              .SetFreeze({.service = "web", .reason = "the fair", .actor = "alice", .actor_id = "discord:alice-id"})
              .has_value());
  auto decisions = house.Pushed(Push());
  CHECK(decisions[0].kind == Kind::kQueued);
  CHECK(decisions[1].kind == Kind::kHeld);
  CHECK(decisions[1].why == "deploys of web are frozen by alice (just now) the fair");
  const auto refused = house.Wished("web");
  REQUIRE(!refused.has_value());
  CHECK(refused.error().what == "deploys of web are frozen by alice (just now) the fair; `unfreeze web` ends that");
  REQUIRE(house.Await("api deploy-succeeded"));
  house.Restart();
  decisions = house.Pushed(Push("c0ffee1"));
  CHECK(decisions[1].kind == Kind::kHeld);
  CHECK(house.events.Count("web deploy-started") == 0);

  CHECK(house.Gate().EndFreeze("api", House::By("bob")).error().code == Errc::kNotFound);
  REQUIRE(house.Gate().EndFreeze("web", House::By("bob")).has_value());
  REQUIRE(house.Gate().ListPending().size() == 1);
  CHECK(house.Gate().ListPending()[0].wish.info.commit_id == "c0ffee1");
  REQUIRE(house.Gate().Confirm("web", House::By("alice"), "c0ffee1").has_value());
  REQUIRE(house.Await("web deploy-succeeded"));
}

TEST_CASE("a freeze of everything ends by itself when its time is over") {
  House house({Service("web", "")});
  REQUIRE(house.Gate()
              .SetFreeze({.service = "",
                          .reason = "",
                          .actor = "alice",
                          .actor_id = "discord:alice-id",
                          .since = {},
                          .until = house.clock.WallNow() + 1h})
              .has_value());
  CHECK(house.Pushed(Push())[0].kind == Kind::kHeld);
  house.clock.Advance(59min);
  house.Gate().Tick();
  CHECK(!house.Gate().FrozenText("web").empty());
  house.clock.Advance(1min);
  house.Gate().Tick();
  CHECK(house.Gate().FrozenText("web").empty());
  CHECK(house.events.Count(" unfrozen") == 1);
  CHECK(house.Gate().ListPending().size() == 1);
}

TEST_CASE("a freeze takes back what waits") {
  config::ServiceConfig slow = Service("web", "");
  slow.deploy = {"while [ ! -e go ]; do sleep 0.05; done"};
  House house({slow});
  house.Pushed(Push());
  REQUIRE(house.Await("web deploy-started"));
  house.Pushed(Push("c0ffee1"));
  REQUIRE(house.Gate()
              .SetFreeze({.service = "web", .reason = "", .actor = "alice", .actor_id = "discord:alice-id"})
              .has_value());
  CHECK(house.events.Count("web held") == 1);
  os::WriteFileAtomically(house.Path("go"), "", 0600, os::Sync::kNone).value();
  REQUIRE(house.Await("web deploy-succeeded"));
  for (int i = 0; i < 5; ++i) house.Turn();
  CHECK(house.events.Count("web deploy-started") == 1);
}

TEST_CASE("a rollback goes to the last good commit before, and freezes") {
  config::ServiceConfig web = Service("web", "");
  web.rollback = {"echo back to $SHIPMATE_COMMIT from $SHIPMATE_PREVIOUS_COMMIT; git init -q; true"};
  House house({web});
  const auto nothing = house.Back("web");
  REQUIRE(!nothing.has_value());
  CHECK(nothing.error().code == Errc::kNotFound);
  house.Pushed(Push());
  REQUIRE(house.AwaitVerdict("web", "succeeded"));
  house.Pushed(Push("c0ffee1"));
  REQUIRE(house.Await("web deploy-succeeded", 2));
  REQUIRE(house.AwaitVerdict("web", "of c0ffee1 (main): succeeded"));
  const auto back = house.Back("web");
  REQUIRE(back.has_value());
  CHECK(back->wish.info.commit_id == "deadbeefcafe");
  CHECK(house.Gate().FrozenText("web").contains("rolled back to deadbee"));
  CHECK(house.Pushed(Push("c0ffee2"))[0].kind == Kind::kHeld);
  // The steps did not bring the commit back: that is no success.
  REQUIRE(house.Await("web deploy-failed"));
  CHECK(house.events.Find("web deploy-failed")->step == "commit");
  CHECK(house.events.Find("web deploy-failed")->output.contains("back to deadbeefcafe from c0ffee1\n"));
}
