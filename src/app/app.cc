#include "app/app.h"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/backend_registry.h"
#include "app/handover.h"
#include "app/manager_link.h"
#include "app/platform_registry.h"
#include "app/reload.h"
#include "app/renewal.h"
#include "app/settings.h"
#include "app/status_line.h"
#include "app/webhook_server.h"
#include "async/latch.h"
#include "async/offload.h"
#include "async/spawn.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mask.h"
#include "base/time_text.h"
#include "chat/access.h"
#include "chat/chat_notifier.h"
#include "chat/custom_commands.h"
#include "chat/dispatcher.h"
#include "chat/hub.h"
#include "chat/outbox.h"
#include "chat/verbs.h"
#include "gate/deploy_gate.h"
#include "gate/store.h"
#include "history/audit.h"
#include "history/deploys.h"
#include "history/schema.h"
#include "os/child_process.h"
#include "os/dir_lock.h"
#include "os/exit_watch.h"
#include "os/files.h"
#include "os/signals.h"
#include "platforms/console/console.h"
#include "service/backends/own_unit.h"
#include "service/environment.h"
#include "service/manager.h"
#include "service/notifier.h"
#include "store/database.h"

namespace shipmate::app {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kWorkers = 2;
constexpr auto kChatReadyLimit = 30s;
constexpr auto kHubLimit = 5s;
constexpr auto kOutboxLimit = 5s;
constexpr auto kDrainLimit = 5s;
constexpr auto kJoinLimit = 3s;

// Without it messages are posted all the same.
std::unique_ptr<store::Database> OpenOutbox(const std::string& state_dir) {
  auto opened = store::Database::Open(state_dir + "/outbox.db", chat::OutboxStore::Migrations());
  if (opened) return std::move(*opened);
  LogError("messages that wait to be posted will not survive a restart: " + opened.error().what);
  return nullptr;
}

enum class Ending {
  kExit,
  kRenewal,  ///< the program at our path is to take our place
};

struct AppSetup {
  Options options;
  Settings settings;
  std::shared_ptr<const base::Masker> masker;
  Program program;
  /// Said in every channel once they are there; may be empty.
  std::string news;
};

class App {
 public:
  explicit App(AppSetup setup)
      : options_(std::move(setup.options)),
        settings_(std::move(setup.settings)),
        masker_(std::move(setup.masker)),
        news_(std::move(setup.news)),
        loop_(1),
        pool_(kWorkers),
        verbs_(chat::Verbs::BuiltIn()),
        access_(settings_.config.access),
        custom_(service::WithUsualVariables(os::InheritedEnvironment(HiddenVariables())), clock_,
                settings_.config.prefix),
        outbox_database_(OpenOutbox(settings_.config.state_dir)),
        outbox_(loop_.get_executor(), {.masker = masker_, .clock = &clock_, .database = outbox_database_.get()}),
        signals_(loop_.get_executor(), {SIGINT, SIGTERM, SIGHUP}),
        stop_(loop_.get_executor()),
        renewal_({.executor = loop_.get_executor(),
                  .program = std::move(setup.program),
                  .version = SHIPMATE_VERSION,
                  .state_dir = settings_.config.state_dir,
                  .environment = os::InheritedEnvironment(HiddenVariables()),
                  .clock = clock_,
                  .deploying = [this] { return manager_ && manager_->Deploying(); },
                  .say = [this](const std::string& text) { Say(text); },
                  .become =
                      [this] {
                        if (!stop_.IsSet()) ending_ = Ending::kRenewal;
                        stop_.Set();
                      }}),
        background_(loop_.get_executor()),
        platforms_(loop_.get_executor()) {
    verbs_.SetCustom(settings_.commands);
  }

  int Run() {
    async::Spawn(loop_.get_executor(), "shipmate", MainOrWhy());
    loop_.run();
    return exit_status_;
  }
  /// After Run.
  Ending GetEnding() const { return ending_; }

 private:
  // Whatever ends it, it is said, and the loop ends with it.
  Task<void> MainOrWhy() {
    std::string why;
    try {
      co_await Main();
    } catch (const std::exception& error) {
      why = error.what();
    }
    if (!why.empty()) co_await GiveUp(why);
  }

  Task<void> GiveUp(std::string why) {
    std::fprintf(stderr, "shipmate: %s\n", why.c_str());
    exit_status_ = 1;
    co_await outbox_.Close(0ms);
    co_await EndBackground();
  }

  Task<void> Main() {
    background_.Spawn("reaper", os::ReapOrphans());
    background_.Spawn("signals", WatchSignals());
    chat_notifier_ = std::make_unique<chat::ChatNotifier>(outbox_, clock_, settings_.config.prefix);
    notifiers_.Add(*chat_notifier_);

    auto webhooks = WebhookServer::Listen(loop_.get_executor(), settings_.config, settings_.env, clock_);
    if (!webhooks) co_return co_await GiveUp(webhooks.error().what);
    webhooks_ = *std::move(webhooks);

    OpenHistory();
    // What is found on taking over is news, too.
    MakeFrontends();

    const auto unit = co_await FindUnit();
    renewal_.SetUnit(unit);
    const auto renew = [this](const std::string& why) { renewal_.Begin(why); };
    const auto began = clock_.Now();
    auto manager = co_await service::Manager::Create(
        loop_.get_executor(),
        {.config = settings_.config,
         .services = settings_.services,
         .backends = Backends({.unit = unit, .restart = [renew] { renew("asked for"); }}),
         .environment = os::InheritedEnvironment(HiddenVariables()),
         .clock = &clock_,
         .pool = &pool_,
         // What we run from, also after the file was replaced.
         .exec_helper = "/proc/self/exe",
         .on_self_deploy = [renew](const std::string& name) { renew("deploy of " + name); }},
        notifiers_);
    if (!manager) co_return co_await GiveUp(manager.error().what);
    manager_ = std::move(*manager);
    OpenGate();
    dispatcher_ = std::make_unique<chat::Dispatcher>(chat::Desk{.manager = *manager_,
                                                                .gate = *gate_,
                                                                .verbs = verbs_,
                                                                .access = access_,
                                                                .clock = clock_,
                                                                .prefix = settings_.config.prefix,
                                                                .frontends = [this] { return FrontendHealth(); },
                                                                .custom = &custom_,
                                                                .reload = [this] { return ReadAnew(); },
                                                                .audit = audit_.get(),
                                                                .unrecorded = unrecorded_,
                                                                .deploys = deploys_.get()});
    hub_ = std::make_unique<chat::Hub>(loop_.get_executor(), *dispatcher_, outbox_, settings_.config.prefix);

    const auto adoption = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Now() - began);
    // Before any frontend has run, so that no new command can be among them.
    hub_->AnswerInterrupted();
    StartFrontends();
    if (webhooks_) webhooks_->Serve(background_, *manager_, *gate_);
    co_await SayNews(adoption);
    link_.Ready(background_, [this] { return StatusLine(); });
    background_.Spawn("start-up", manager_->StartWanted());
    background_.Spawn("chat readiness", AnnounceWhenReady());
    background_.Spawn("times of deploys", chat_notifier_->KeepTime());
    co_await stop_.Wait();
    co_await Shutdown();
  }

  // Without it services run and obey all the same.
  void OpenHistory() {
    auto opened = store::Database::Open(settings_.config.state_dir + "/history.db", history::Migrations());
    if (!opened) {
      unrecorded_ = opened.error().what;
      LogError("commands are not recorded: " + unrecorded_);
      return;
    }
    history_ = std::move(*opened);
    audit_ = std::make_unique<history::Audit>(*history_, clock_, masker_);
    deploys_ = std::make_unique<history::Deploys>(*history_, clock_, masker_);
    if (const auto closed = deploys_->CloseUnfinished(); !closed) LogError("deploy records: " + closed.error().what);
    notifiers_.Add(*deploys_);
  }

  // Without it services are deployed all the same, and what waits is lost at the end of this run.
  void OpenGate() {
    auto store = gate::GateStore::Open(settings_.config.state_dir + "/gate.db");
    if (!store) {
      LogError("what waits to be deployed is not kept over a restart: " + store.error().what);
      store = gate::GateStore::Open(":memory:");
    }
    if (!store) throw std::runtime_error(store.error().what);
    gate_ = std::make_unique<gate::DeployGate>(gate::GateSetup{.executor = loop_.get_executor(),
                                                               .manager = *manager_,
                                                               .notifier = notifiers_,
                                                               .clock = clock_,
                                                               .store = *std::move(store),
                                                               .max_parallel = settings_.config.max_parallel_deploys});
    if (const auto started = gate_->Start(); !started)
      LogError("deploys left by the last run: " + started.error().what);
  }

  Task<std::optional<service::backends::OwnUnit>> FindUnit() {
    const auto unit = co_await service::backends::FindOwnUnit(os::InheritedEnvironment(HiddenVariables()));
    if (!unit) {
      LogWarn("which unit this program is, is not known: " + unit.error().what);
      co_return std::nullopt;
    }
    if (*unit && !(*unit)->SparesServices()) {
      LogWarn(
          fmt::format("unit {} has KillMode={}: systemd ends all services whenever it stops or restarts this program; "
                      "set KillMode=process in the unit, as docs/shipmate.service does",
                      (*unit)->id, (*unit)->kill_mode));
    }
    co_return *unit;
  }

  void Say(const std::string& text) {
    LogInfo("said in every channel: " + text);
    chat::Message message;
    message.headline.Bold("Shipmate").Plain(": " + text);
    outbox_.Announce(fmt::format("shipmate:{}", clock_.WallNow().time_since_epoch().count()), message);
  }

  // That the program before this one came back as this one, or why it did not.
  Task<void> SayNews(std::chrono::milliseconds adoption) {
    const auto mark = TakeRenewalMark(settings_.config.state_dir, clock_.WallNow());
    if (!news_.empty()) co_return Say(news_);
    if (!mark) co_return;
    std::size_t adopted = 0;
    for (const auto& view : co_await manager_->Views()) {
      if (view.kind == config::ServiceKind::kProcess && view.pid != 0) ++adopted;
    }
    Say(fmt::format("back online, version {} (before: {}); {} adopted in {} ms", SHIPMATE_VERSION, mark->version,
                    adopted == 1 ? "1 service" : fmt::format("{} services", adopted), adoption.count()));
  }

  Task<std::string> StatusLine() {
    const auto [running, total] = co_await manager_->CountRunning();
    co_return StatusLineOf(running, total, FrontendHealth());
  }

  std::vector<std::pair<std::string, chat::Health>> FrontendHealth() const {
    std::vector<std::pair<std::string, chat::Health>> health;
    for (const auto& frontend : frontends_) health.emplace_back(frontend->Name(), frontend->GetHealth());
    return health;
  }

  void MakeFrontends() {
    std::vector<std::string> warnings;
    frontends_ = CreateFrontends(
        {.executor = loop_.get_executor(), .config = settings_.config, .env = settings_.env, .clock = clock_},
        warnings);
    for (const std::string& warning : warnings) LogWarn(warning);
    if (frontends_.empty() && !options_.interactive) {
      LogWarn("no chat platform is set up: services run, but nobody can command them; set up a platform in " +
              options_.config + ", or start with --interactive");
    }
    if (options_.interactive) {
      frontends_.push_back(platforms::console::CreateConsole(loop_.get_executor(), masker_));
    }
    for (const auto& frontend : frontends_) outbox_.Add(*frontend);
  }

  void StartFrontends() {
    for (const auto& frontend : frontends_) {
      if (options_.interactive && frontend == frontends_.back()) {
        platforms_.Spawn("console", RunConsole(*frontend));
      } else {
        platforms_.Spawn(frontend->Name(), RunPlatform(*frontend));
      }
    }
  }

  Task<void> RunPlatform(chat::Frontend& frontend) {
    const auto ended = co_await frontend.Run(*hub_);
    if (!ended) LogError(frontend.Name() + ": " + ended.error().what);
  }

  Task<void> RunConsole(chat::Frontend& console) {
    const auto ended = co_await console.Run(*hub_);
    if (!ended) LogError("console: " + ended.error().what);
    stop_.Set();
  }

  // A chat server that is down holds nothing up for longer than this.
  Task<void> AnnounceWhenReady() {
    for (const auto& frontend : frontends_) {
      const auto ready = std::make_shared<async::Event>(loop_.get_executor());
      background_.Spawn(frontend->Name() + " ready", WaitReady(*frontend, ready));
      co_await ready->WaitFor(kChatReadyLimit);
    }
    manager_->SignalReady();
  }

  Task<void> WaitReady(chat::Frontend& frontend, std::shared_ptr<async::Event> ready) {
    co_await frontend.Ready();
    ready->Set();
  }

  Task<void> WatchSignals() {
    for (;;) {
      const int signal = co_await signals_.Next();
      if (signal == SIGHUP) {
        // Beside: while it stops what is no longer configured, a signal to end is heard all the same.
        if (manager_ && !stop_.IsSet()) background_.Spawn("reload", Reload());
      } else if (ending_ == Ending::kRenewal) {
        // A wish to end goes before one to begin anew; the next signal forces it.
        ending_ = Ending::kExit;
        TakeRenewalMark(settings_.config.state_dir, clock_.WallNow());
      } else if (stop_.IsSet()) {
        std::fputs("shipmate: second signal: ending at once; services go on running\n", stderr);
        _exit(1);
      } else {
        stop_.Set();
      }
    }
  }

  Task<void> Reload() {
    const auto result = co_await ReadAnew();
    if (!result) {
      for (const std::string& problem : result.error()) LogError("reload: nothing changed: " + problem);
      co_return;
    }
    for (const std::string& what : result->also) LogInfo("reload: " + what);
    for (const std::string& warning : result->services.warnings) LogWarn(warning);
  }

  Task<chat::ReloadOutcome> ReadAnew() {
    return app::Reload({.config_file = options_.config,
                        .running = settings_.config,
                        .manager = *manager_,
                        .verbs = verbs_,
                        .access = access_,
                        .custom = custom_,
                        .pool = pool_});
  }

  Task<void> Shutdown() {
    if (ending_ == Ending::kRenewal) {
      link_.Changing("making place for the new version");
    } else {
      link_.Stopping("ending; services go on");
    }
    // What was received is still decided about, and its answer sent.
    if (webhooks_) co_await webhooks_->Shutdown(kDrainLimit);
    co_await hub_->Close(kHubLimit);
    if (settings_.config.stop_on_exit && ending_ == Ending::kExit && !renewal_.AwaitsUnit()) {
      LogInfo("stopping every process service, as stop_on_exit says");
      co_await manager_->HaltAll();
    }
    renewal_.Cancel();
    if (!co_await renewal_.Join(kJoinLimit)) LogWarn("self-deploy: its helper did not end in time");
    const auto views = co_await manager_->Views();
    co_await gate_->Close();
    co_await manager_->Stop();
    co_await outbox_.Close(kOutboxLimit);
    platforms_.Cancel();
    if (!co_await platforms_.Join(kJoinLimit)) LogWarn("a chat platform did not end in time");
    if (ending_ == Ending::kExit) {
      const std::string line = WhatGoesOn(views);
      if (options_.interactive) std::fprintf(stdout, "%s\n", line.c_str());
      LogInfo(line);
    }
    co_await EndBackground();
  }

  Task<void> EndBackground() {
    background_.Cancel();
    co_await background_.Join(kJoinLimit);
    loop_.stop();
  }

  // Constant after construction.
  const Options options_;
  const Settings settings_;
  const std::shared_ptr<const base::Masker> masker_;
  const std::string news_;

  base::SystemClock clock_;
  boost::asio::io_context loop_;
  async::WorkerPool pool_;
  chat::Verbs verbs_;
  chat::Access access_;
  chat::CustomCommands custom_;
  std::unique_ptr<store::Database> outbox_database_;
  chat::Outbox outbox_;
  service::MultiNotifier notifiers_;
  os::SignalWatcher signals_;
  async::Event stop_;
  std::unique_ptr<chat::ChatNotifier> chat_notifier_;
  std::unique_ptr<service::Manager> manager_;
  Renewal renewal_;
  ManagerLink link_;
  std::unique_ptr<store::Database> history_;
  std::unique_ptr<history::Audit> audit_;
  std::unique_ptr<history::Deploys> deploys_;
  // Why there is no audit.
  std::string unrecorded_;
  std::unique_ptr<gate::DeployGate> gate_;
  std::unique_ptr<WebhookServer> webhooks_;
  std::unique_ptr<chat::Dispatcher> dispatcher_;
  std::unique_ptr<chat::Hub> hub_;
  std::vector<std::unique_ptr<chat::Frontend>> frontends_;
  async::TaskGroup background_;
  async::TaskGroup platforms_;
  Ending ending_ = Ending::kExit;
  int exit_status_ = 0;
};

}  // namespace

int Run(const Options& options) {
  Inherited inherited = TakeOver();
  auto settings = LoadSettings(options, inherited.secrets);
  if (!settings) {
    for (const std::string& problem : settings.error()) std::fprintf(stderr, "shipmate: %s\n", problem.c_str());
    return 2;
  }
  if (options.check_config) {
    for (const std::string& warning : settings->warnings) std::fprintf(stderr, "shipmate: %s\n", warning.c_str());
    std::printf("%s: good, %zu services\n", options.config.c_str(), settings->services.size());
    return 0;
  }
  Secrets secrets = std::move(inherited.secrets);
  TakeSecretsFromEnvironment(secrets);
  os::IgnoreBrokenPipes();
  const Program program{.path = ProgramPath(options.argv.empty() ? "" : options.argv.front()), .argv = options.argv};

  const std::string& state_dir = settings->config.state_dir;
  if (const auto made = os::MakeDirectories(state_dir, 0750); !made) {
    std::fprintf(stderr, "shipmate: create state dir: %s\n", made.error().what.c_str());
    return 1;
  }
  auto lock = TakeLock(state_dir, inherited.lock_fd);
  if (!lock) {
    std::fprintf(stderr, "shipmate: %s\n", lock.error().what.c_str());
    return 1;
  }

  const auto masker = MaskerOf(settings->env);
  const auto log = LogOptionsOf(options, settings->config, masker);
  if (!log) {
    std::fprintf(stderr, "shipmate: %s\n", log.error().what.c_str());
    return 1;
  }

  AppSetup setup{
      .options = options, .settings = *std::move(settings), .masker = masker, .program = program, .news = ""};
  for (;;) {
    base::InitLog(*log);
    for (const std::string& warning : setup.settings.warnings) LogWarn(warning);
    int exit_status = 1;
    Ending ending = Ending::kExit;
    {
      App app(setup);
      exit_status = app.Run();
      ending = app.GetEnding();
    }
    base::ShutdownLog();
    if (ending == Ending::kExit) return exit_status;
    const auto became = Become(program.path, program.argv, *lock, secrets);
    setup.news = "the new program was not started, and version " SHIPMATE_VERSION " goes on: " + became.error().what;
    // The service files may have changed since; those that are good now were good a moment ago too.
    if (auto again = LoadSettings(options, secrets)) setup.settings = *std::move(again);
  }
}

}  // namespace shipmate::app
