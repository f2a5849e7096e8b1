#include "service/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "async/deadline.h"
#include "base/log.h"
#include "base/time_text.h"
#include "service/logfile.h"
#include "service/no_backend.h"
#include "service/request.h"

namespace shipmate::service {

namespace {

using config::ServiceKind;

constexpr std::size_t kMaxWaiting = 10;
constexpr std::chrono::seconds kStatusLimit{3};
constexpr std::chrono::seconds kLogsLimit{10};
constexpr std::chrono::seconds kCloseGrace{3};
constexpr std::chrono::seconds kCloseLimit{5};

}  // namespace

Service::Service(ServiceContext& context, config::ServiceConfig config, State saved)
    : context_(context),
      writer_(context.executor, *context.pool, context.config.state_dir, config.name),
      config_(std::make_shared<const config::ServiceConfig>(std::move(config))),
      state_(std::move(saved)),
      observed_("unknown"),
      policy_(*config_),
      health_(context.executor, *context.clock,
              {.news = [this](HealthMachine::News news, const std::string& reason) { TellHealth(news, reason); },
               .restart = [this] { Queue(std::make_shared<Request>(context_.executor, Op::kCure)); },
               .runs = [this] { return UnitRuns(); }}),
      loop_(context.executor),
      watch_(context.executor),
      side_(context.executor) {
  MakeBackend();
}

void Service::MakeBackend() {
  if (config_->kind == ServiceKind::kNone) {
    backend_ = MakeNoBackend(config_->name);
    return;
  }
  BackendContext context;
  context.executor = context_.executor;
  context.service = config_;
  context.log_dir = context_.config.log_dir;
  context.base_dir = context_.config.base_dir;
  context.state_id = context_.state_id;
  context.environment = context_.environment;
  context.clock = context_.clock;
  context.pool = context_.pool;
  context.census = context_.census.get();
  context.exec_helper = context_.exec_helper;
  context.log_max_size = context_.config.log_max_size;
  context.log_watch = context_.log_watch.get();
  context.log_listing = context_.log_listing.get();
  context.begin_start = [this](std::uint64_t generation) { return BeginStart(generation); };
  backend_ = context_.backends(std::move(context));
}

void Service::Run() {
  PlanRuns(Plan::kGoOn);
  looping_ = true;
  loop_.Spawn(Name(), Begin());
  backend_->WatchExits([this](const Exit& exit) { SawExit(exit); });
  WatchFoundHealth();
  const bool external = config_->kind == ServiceKind::kSystemd || config_->kind == ServiceKind::kLaunchd;
  // Ourselves too, we would restart at every start.
  if (external && !config_->ShouldAdopt() && !backend_->IsOurselves()) renew_due_ = true;
  if (renew_due_)
    side_.Spawn(Name() + ": replacement", PushWhenReady(std::make_shared<Request>(context_.executor, Op::kRenew)));
}

// Chat first, so that it hears of the restart; but not for ever.
Task<void> Service::PushWhenReady(std::shared_ptr<Request> request) {
  constexpr std::chrono::seconds kReadyLimit{30};
  co_await context_.ready.WaitFor(kReadyLimit);
  Queue(std::move(request));
}

bool Service::Queue(std::shared_ptr<Request> request) {
  if (ops_closed_) return false;
  ops_.push_back(std::move(request));
  if (!std::exchange(looping_, true)) loop_.Spawn(Name(), Loop());
  return true;
}

Task<void> Service::Begin() {
  co_await SettleStart();
  co_await Loop();
}

Task<void> Service::Loop() {
  const auto done = [](bool* looping) { *looping = false; };
  const std::unique_ptr<bool, decltype(done)> scope(&looping_, done);
  // Not within the call that queued it.
  co_await boost::asio::post(context_.executor, boost::asio::use_awaitable);
  while (!ops_.empty()) {
    const auto request = std::move(ops_.front());
    ops_.pop_front();
    // An empty one only wakes us up for a deploy.
    if (request) co_await Perform(request);
    if (!ops_.empty() || !waiting_ || closing_) continue;
    Deploy deploy = *std::exchange(waiting_, nullptr);
    co_await RunDeploy(std::move(deploy));
  }
}

void Service::SawExit(const Exit& exit) {
  last_exit_ = exit.IsEnd() ? exit.status.Describe() : "";
  if (exit.IsEnd()) NoteEnd(fmt::format("{} after {}", last_exit_, base::FormatDuration(exit.uptime)));
  if (exit.IsEnd() && exit.generation >= state_.generation) EndHealth(HealthWatch::End::kOther, last_exit_);
  Ending ending{.log = backend_->LogFile()};
  ending.event = exit.event;
  ending.detail.generation = exit.generation;
  ending.detail.reason = exit.IsEnd() ? exit.reason : "outside";
  if (exit.IsEnd()) {
    ending.detail.exit = exit.status;
    ending.detail.uptime = exit.uptime;
    // A later run of ours would tell the same end by it.
    ending.detail.pid = exit.pid;
  }
  exits_.push_back(std::move(ending));
  if (staying_up_) staying_up_->Set();
  if (!changing_) watch_.Spawn(Name() + ": exit", SettleExits());
}

// Those that were judged, one at a time, in order, and whoever calls waits for all: what he announces next must come
// after.
Task<void> Service::ReportExits() {
  while (!exits_.empty() && exits_.front().judged) {
    if (reporting_) {
      const auto other = reporting_;
      co_await other->Wait();
      continue;
    }
    const auto done = [this](async::Event* event) {
      event->Set();
      reporting_.reset();
    };
    reporting_ = std::make_shared<async::Event>(context_.executor);
    const std::shared_ptr<async::Event> mine = reporting_;
    const std::unique_ptr<async::Event, decltype(done)> scope(mine.get(), done);
    Ending ending = exits_.front();
    EventDetail& detail = ending.detail;
    const bool is_news = detail.exit || !detail.error.empty();
    if (is_news) detail.log_tail = co_await TailOf(ending.log);
    if (detail.exit) {
      LogInfo(fmt::format("{}: {} after {}", Name(), detail.exit->Describe(), base::FormatDuration(detail.uptime)));
    } else if (is_news) {
      LogError(fmt::format("{}: {}", Name(), detail.error));
    } else {
      LogInfo(fmt::format("{}: {}, not by shipmate", Name(), ending.event));
    }
    exits_.pop_front();
    Emit(ending.event, detail);
    if (ending.gave_up) TellGivenUp(detail);
    // Told before it is remembered as over: who is killed in between tells it again, under the same name.
    co_await SaveQuietly();
  }
}

void Service::TellGivenUp(const EventDetail& detail) {
  LogError(fmt::format("{}: failed: {}", Name(), detail.reason));
  Emit("failed", detail);
}

Task<std::string> Service::TailOf(std::string log) {
  constexpr std::size_t kTail = 2000;
  // A newer process has a file of its own by now.
  if (!log.empty() && log != backend_->LogFile()) {
    co_return co_await context_.pool->Run([log = std::move(log)] { return TailLogFile(log, kTail); });
  }
  co_return (co_await backend_->Logs(kTail)).value_or("");
}

EventDetail Service::CurrentDetail() const {
  EventDetail detail;
  detail.generation = IsProcess() ? state_.generation : 0;
  detail.pid = backend_->Pid();
  detail.reason = cause_;
  return detail;
}

void Service::Emit(const std::string& event) {
  Emit(event, CurrentDetail());
}

void Service::Emit(const std::string& event, const EventDetail& detail) {
  context_.notifier->ServiceEvent(Name(), event, detail);
  if (context_.on_change) context_.on_change();
}

OpResult Service::Busy(Op op) const {
  std::string text = "busy: deploying for " + base::FormatDuration(DeployElapsed());
  if (op == Op::kStop) text += fmt::format(" (`cancel {}` ends the deploy)", Name());
  return Failed(std::move(text));
}

Task<OpResult> Service::Do(Op op, Saving saving) {
  if (closing_ || retired_) co_return Failed("manager shutting down");
  if (deploying_ && op != Op::kHalt) co_return Busy(op);
  if (op != Op::kHalt && ops_.size() >= kMaxWaiting)
    co_return Failed(fmt::format("busy: {} operations wait already", ops_.size()));
  const auto request = std::make_shared<Request>(context_.executor, op);
  request->saving = saving;
  Queue(request);
  // A person's next wish does not wait for that.
  if (staying_up_) staying_up_->Set();
  co_await request->done.Wait();
  co_await ConfirmStart(op, request->result);
  co_return request->result;
}

Task<OpResult> Service::Configure(config::ServiceConfig config) {
  if (config.kind == config_->kind && config_->RunsAlike(config)) {
    const bool same_health = config.health == config_->health;
    const bool same_schedule = config.schedule == config_->schedule;
    config_ = std::make_shared<const config::ServiceConfig>(std::move(config));
    backend_->Configure(config_);
    policy_.Configure(*config_);
    if (!same_health) WatchFoundHealth();
    if (!same_schedule) {
      PlanRuns(Plan::kAnew);
      co_await SaveQuietly();
    }
    co_return OpResult{.reply = {.ok = true}, .already = true};
  }
  const auto request = std::make_shared<Request>(context_.executor, Op::kReconfigure);
  request->config = std::move(config);
  const bool later = deploying_;
  if (!Queue(request)) co_return Failed("manager shutting down");
  if (later) co_return Already("deploying now: its new settings come into force after that");
  co_await request->done.Wait();
  co_return request->result;
}

void Service::EndDeploys() {
  if (run_ && run_->cancel && run_->cancel_reason == CancelReason::kNone) {
    run_->cancel_reason = CancelReason::kShutdown;
    run_->cancel->Cancel();
  }
  DropWaiting();
}

Task<OpResult> Service::Retire() {
  if (waiting_ && waiting_->request.id != 0) {
    TellRefused(*waiting_, "the service is no longer configured");
  }
  waiting_.reset();
  if (run_ && run_->cancel) {
    run_->cancel_reason = CancelReason::kRemoval;
    run_->cancel->Cancel();
  }
  const auto request = std::make_shared<Request>(context_.executor, Op::kRetire);
  retired_ = true;
  if (Queue(request)) co_await request->done.Wait();
  BeginClose();
  co_await FinishClose();
  co_await writer_.Idle();
  if (request->result.reply.ok) RemoveState(context_.config.state_dir, Name());
  co_return request->result;
}

Task<void> Service::Perform(std::shared_ptr<Request> request) {
  current_ = request;
  if (closing_) {
    request->result = Failed("manager shutting down");
  } else {
    co_await SettleExits();
    const bool changes = request->op != Op::kPull;
    if (changes) co_await BeginChange();
    try {
      request->result = co_await Dispatch(request);
    } catch (const boost::system::system_error& error) {
      if (error.code() == boost::asio::error::operation_aborted) {
        changing_ = false;
        throw;
      }
      request->result = Failed(std::string("failed: ") + error.what());
    } catch (const std::exception& error) {
      request->result = Failed(std::string("failed: ") + error.what());
    }
    if (changes) EndChange();
  }
  current_.reset();
  request->done.Set();
  co_await SettleExits();
}

Task<OpResult> Service::Dispatch(std::shared_ptr<Request> request) {
  switch (request->op) {
    case Op::kStart:
      co_return co_await Start(request->saving, By::kPerson);
    case Op::kStartUp:
      co_return co_await StartUp(request->saving);
    case Op::kScheduled:
      co_return co_await RunScheduled(request->planned);
    case Op::kStop:
    case Op::kFinishStop:
      co_return co_await Stop(request->saving);
    case Op::kRestart:
      co_return co_await Restart(request->saving, By::kPerson);
    case Op::kPull:
      co_return co_await Pull();
    case Op::kRenew:
      co_return co_await Renew();
    case Op::kCure:
      co_return co_await Cure();
    case Op::kReconfigure:
      co_return co_await Reconfigure(std::move(request->config));
    case Op::kRetire:
      co_return co_await RetireProcess();
    case Op::kHalt:
      co_return co_await HaltProcess();
  }
  co_return Failed("unknown operation");
}

Task<Result<std::string>> Service::Status() {
  const std::shared_ptr<Backend> backend = backend_;
  auto status = IsProcess() ? co_await backend->Status()
                            : co_await async::WithDeadline(backend->Status(), kStatusLimit, "status of " + Name());
  if (status && IsProcess() && *status == "stopped") {
    if (policy_.GetPhase() == RestartPolicy::Phase::kBackoff) *status = "backoff";
    if (policy_.GetPhase() == RestartPolicy::Phase::kFailed) *status = "failed";
  }
  if (status && backend == backend_) observed_ = *status;
  co_return status;
}

Task<Result<std::string>> Service::Logs(std::size_t bytes) {
  const std::shared_ptr<Backend> backend = backend_;
  co_return co_await async::WithDeadline(backend->Logs(bytes), kLogsLimit, "log of " + Name());
}

Task<Result<LogAnswer>> Service::ReadLog(LogQuery query) {
  const std::shared_ptr<Backend> backend = backend_;
  co_return co_await async::WithDeadline(backend->ReadLog(std::move(query)), kLogsLimit, "log of " + Name());
}

Task<ServiceView> Service::View() {
  (void)co_await Status();
  ServiceView view;
  view.name = Name();
  view.state.status = observed_;
  view.state.last_deploy = state_.last_deploy;
  view.state.last_restart = state_.last_restart;
  view.state.last_result = state_.last_result;
  view.state.last_output = state_.last_output;
  view.state.failed_step = state_.failed_step;
  view.kind = config_->kind;
  view.desired = state_.desired;
  view.pid = backend_->Pid();
  view.uptime = backend_->Uptime();
  if (view.pid == 0) view.last_exit = last_exit_;
  view.health = ToString(health_.GetWord());
  view.health_reason = health_.Reason();
  if (view.health == "starting" && view.state.status == "running") view.state.status = "starting";
  view.crashes = policy_.Crashes();
  const bool idle = config_->schedule && view.pid == 0 && policy_.GetPhase() == RestartPolicy::Phase::kDown;
  view.finished = finished_ || (idle && state_.desired != Desired::kDown);
  if (const auto next = NextRun()) view.next_run = config::FormatInZone(*next, config_->schedule->zone);
  view.paused = config_->schedule && state_.desired == Desired::kDown;
  view.last_end = state_.last_exit;
  view.last_end_time = state_.last_exit_time;
  view.restarts = state_.restarts;
  if (view.state.status == "failed") view.reason = policy_.Reason();
  if (view.state.status == "backoff") {
    const auto left = policy_.NextStart() - context_.clock->Now();
    view.next_start = std::max(std::chrono::milliseconds(0), std::chrono::ceil<std::chrono::milliseconds>(left));
  }
  if (deploying_) {
    view.deploy = "deploying";
    view.deploy_elapsed = DeployElapsed();
  } else if (waiting_) {
    view.deploy = "queued";
  }
  co_return view;
}

void Service::BeginClose() {
  closing_ = true;
  ops_closed_ = true;
  health_.Ended(HealthWatch::End::kOther, "shipmate ends");
  if (staying_up_) staying_up_->Set();
  EndDeploys();
}

void Service::DropWaiting() {
  if (!waiting_) return;
  const Deploy dropped = *std::exchange(waiting_, nullptr);
  if (context_.deploy_listener != nullptr && dropped.request.id != 0) {
    context_.deploy_listener->DeployPutBack(Name(), dropped.request.id);
    return;
  }
  context_.notifier->DeployFailed(Name(), "queue", "interrupted by shutdown before it began", Detail(dropped));
}

Task<void> Service::FinishClose() {
  follow_up_.reset();
  side_.Cancel();
  if (!co_await loop_.Join(kCloseGrace)) loop_.Cancel();
  watch_.Cancel();
  const bool ended = co_await loop_.Join(kCloseLimit);
  const bool unwatched =
      co_await watch_.Join(kCloseLimit) && co_await side_.Join(kCloseLimit) && co_await health_.Join(kCloseLimit);
  if (!ended || !unwatched) LogError(Name() + ": its loop did not end");
  // Whatever the loop was cut off from still gets its answer, and its report.
  std::vector<std::shared_ptr<Request>> cut_off{std::exchange(current_, nullptr)};
  cut_off.insert(cut_off.end(), ops_.begin(), ops_.end());
  ops_.clear();
  for (const auto& request : cut_off) {
    if (!request) continue;
    request->result = Failed("manager shutting down");
    request->done.Set();
  }
  for (const Ending& ending : std::exchange(exits_, {})) {
    Emit(ending.event, ending.detail);
  }
  co_await backend_->Close();
}

}  // namespace shipmate::service
