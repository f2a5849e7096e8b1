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
  explicit IdleBackend(const Executor& executor) : never_(executor) {}

  Task<Result<service::Change>> Start() override { co_return service::Change::kDone; }
  Task<Result<service::Change>> Stop() override { co_return service::Change::kDone; }
  Task<Result<void>> Restart() override { co_return Result<void>{}; }
  Task<Result<std::string>> Status() override { co_return std::string("running"); }
  Task<Result<std::string>> Logs(std::size_t) override { co_return std::string(); }
  service::Adoption TryAdopt(const service::State&) override { return {.adopted = false, .text = "no state to adopt"}; }
  Task<service::Exit> WaitForExit() override {
    co_await never_.Wait();
    co_return service::Exit{};
  }
  std::optional<os::ProcessState> SaveBackendState() override { return std::nullopt; }
  int Pid() const override { return 0; }
  std::chrono::milliseconds Uptime() const override { return 0ms; }
  std::string LogFile() const override { return ""; }

 private:
  async::Event never_;
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

service::WebhookInfo Push() {
  service::WebhookInfo info;
  info.repo = "acme/app";
  info.branch = "main";
  info.pusher = "bob";
  info.commit_id = "deadbeefcafe";
  info.commit_msg = "fix it";
  return info;
}

// A manager with a gate before it.
class House {
 public:
  explicit House(std::vector<config::ServiceConfig> services) {
    service::ManagerOptions options;
    options.config.base_dir = dir_.Path();
    options.config.log_dir = dir_ / "logs";
    options.config.state_dir = dir_ / "state";
    options.services = std::move(services);
    for (config::ServiceConfig& service : options.services) {
      if (service.dir.empty()) service.dir = dir_.Path();
    }
    options.backends = [](const service::BackendContext& context) {
      return std::make_unique<IdleBackend>(context.executor);
    };
    options.environment = os::InheritedEnvironment({});
    options.clock = &system_clock_;
    options.pool = &pool_;
    auto manager = RunTask(loop_, Manager::Create(loop_.get_executor(), std::move(options), events));
    REQUIRE(manager.has_value());
    manager_ = *std::move(manager);
    gate_ = std::make_unique<DeployGate>(*manager_, events, confirmations);
  }
  ~House() { Stop(); }
  House(const House&) = delete;
  House& operator=(const House&) = delete;

  void Stop() { RunTask(loop_, manager_->Stop()); }
  DeployGate& Gate() { return *gate_; }
  /// What the gate decides about a push of `info`, by a webhook server that only looks at repository and branch.
  std::vector<PushDecision> Pushed(const service::WebhookInfo& info) {
    gate::PushRequest push;
    push.forge = "github";
    push.info = info;
    push.ref = "refs/heads/" + info.branch;
    for (const std::string& name : manager_->FindServicesByRepo(info.repo, info.branch)) {
      push.targets.push_back({.service = name, .ignored = ""});
    }
    auto decisions = gate_->HandlePush(push);
    REQUIRE(decisions.has_value());
    return *std::move(decisions);
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
  gate::ConfirmationTracker confirmations{clock, 10min};

 private:
  const tests::TempDir dir_;
  boost::asio::io_context loop_;
  async::WorkerPool pool_{1};
  base::SystemClock system_clock_;
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
  CHECK(decisions[0].why == "queued");
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
  CHECK(house.events.Find("web confirmation")->ttl == 10min);
  CHECK(house.confirmations.IsPending("web"));
  REQUIRE(house.Gate().ListPending().size() == 1);
  CHECK(house.Gate().ListPending()[0].service == "web");
  for (int i = 0; i < 5; ++i) house.Turn();
  CHECK(house.events.Count("web deploy-started") == 0);

  REQUIRE(house.Gate().Confirm("web", "alice").has_value());
  CHECK(!house.confirmations.IsPending("web"));
  REQUIRE(house.Await("web deploy-succeeded"));
  CHECK(house.events.Find("web deploy-started")->deploy.actor == "alice");
  const auto again = house.Gate().Confirm("web", "alice");
  REQUIRE(!again.has_value());
  CHECK(again.error().code == Errc::kNotFound);
  CHECK(again.error().what == "no deploy of \"web\" waits for confirmation");
}

TEST_CASE("a question whose time ran out deploys nothing") {
  House house({Asking("web")});
  house.Pushed(Push());
  house.clock.Advance(10min + 1ms);
  CHECK(house.Gate().Confirm("web", "alice").error().code == Errc::kNotFound);
  CHECK(house.Gate().ListPending().empty());
}

TEST_CASE("a confirmation tells the failure of its deploy") {
  House house({Service("web", "")});
  house.confirmations.AddPending("ghost", Push());
  const auto ticket = house.Gate().Confirm("ghost", "alice");
  REQUIRE(!ticket.has_value());
  CHECK(ticket.error().code == Errc::kNotFound);
  CHECK(ticket.error().what == "service \"ghost\" not found");
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

TEST_CASE("pushes during a deploy are folded into one that follows") {
  config::ServiceConfig slow = Service("web", "");
  slow.deploy = {"while [ ! -e go ]; do sleep 0.05; done"};
  House house({slow, Service("api", "")});
  CHECK(house.Pushed(Push()).size() == 2);
  REQUIRE(house.Await("web deploy-started"));
  REQUIRE(house.Await("api deploy-succeeded"));
  const auto second = house.Gate().RequestDeploy("web", "alice");
  REQUIRE(second.has_value());
  CHECK(!second->merged);
  const auto decisions = house.Pushed(Push());
  REQUIRE(decisions.size() == 2);
  CHECK(decisions[1].service == "web");
  CHECK(decisions[1].kind == Kind::kQueued);
  CHECK(decisions[1].why == "joined the deploy that waits already");
  REQUIRE(os::WriteFileAtomically(house.Path("go"), "", 0600, os::Sync::kNone).has_value());
  REQUIRE(house.Await("web deploy-succeeded", 2));
  REQUIRE(house.Await("api deploy-succeeded", 2));
  for (int i = 0; i < 5; ++i) house.Turn();
  CHECK(house.events.Count("web deploy-started") == 2);
}

TEST_CASE("a person's deploy does not ask, and an unknown service is named") {
  House house({Asking("web")});
  REQUIRE(house.Gate().RequestDeploy("web", "alice").has_value());
  REQUIRE(house.Await("web deploy-succeeded"));
  CHECK(house.events.Count("web confirmation") == 0);
  const auto unknown = house.Gate().RequestDeploy("ghost", "alice");
  REQUIRE(!unknown.has_value());
  CHECK(unknown.error().code == Errc::kNotFound);
}

TEST_CASE("a push that arrives when all is ending is refused in words") {
  House house({Service("web", "")});
  house.Stop();
  for (const PushDecision& decision : house.Pushed(Push())) {
    CHECK(decision.kind == Kind::kRefused);
    CHECK(!decision.why.empty());
  }
  CHECK(!house.Gate().RequestDeploy("web", "alice").has_value());
  CHECK(house.events.Count("web deploy-started") == 0);
}
