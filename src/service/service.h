#pragma once

// Service: one service under supervision. One loop takes its changing operations in order; reading ones answer at once,
// whatever runs. It keeps three things apart: what a person wants (desired: up or down), what is (the backend's word),
// and how the last deploy went.
//
// What an event does, by what the service is doing:
//
// clang-format off
//   event            | idle                          | changing (start, stop, ...)   | deploying, steps
//   -----------------+-------------------------------+-------------------------------+--------------------------
//   start            | up := wanted; started, or     | waits its turn                | "busy: deploying for 12s"
//                    | "already running" (no event)  |                               |
//   stop             | down := wanted; stopped, or   | waits its turn                | "busy: ...", and how to
//                    | "already stopped" (no event)  |                               | cancel the deploy
//   restart          | up := wanted; restarted       | waits its turn                | "busy: ..."
//   pull             | git pull                      | waits its turn                | "busy: ..."
//   deploy request   | begins                        | begins when no operation      | waits; merged if one
//                    |                               | waits                         | waits already
//   cancel deploy    | not found                     | not found                     | the step is killed
//   exit             | exited, once for an instance  | exited after it; not at all   | exited at once
//                    |                               | if it is what stop asked for  |
//   settings that    | in force at once, same        | the same                      | the same; the deploy
//   run alike        | process                       |                               | keeps its steps
//   settings that    | stopped by the old settings,  | waits its turn                | waits for the end
//   run differently  | started by the new if it ran  |                               |
//   removal          | a process is stopped, a unit  | waits its turn                | the deploy is cancelled
//                    | is forgotten                  |                               | first
//   shutdown         | saved; the process goes on    | given a moment, then given up | ends as "interrupted"
//
// and by what is wanted and what is:
//
//   wanted | process | start           | stop            | restart   | a deploy's end | exit    | found at start-up
//   -------+---------+-----------------+-----------------+-----------+----------------+---------+----------------------
//   unset  | none    | started         | already stopped | restarted | started        | -       | left alone
//   unset  | running | already running | stopped         | restarted | restarted      | exited  | adopted
//   up     | none    | started         | already stopped | restarted | started        | -       | reported if it died
//   up     | running | already running | stopped         | restarted | restarted      | exited  | adopted
//   down   | none    | started         | already stopped | restarted | left stopped   | -       | left alone
//   down   | running | already running | stopped         | restarted | left as it is  | exited  | stopped
// clang-format on
//
// When a process ends by itself, RestartPolicy decides what follows; a start of its own takes its turn between the
// operations, and a deploy's steps do not delay it.
//
// (start and restart make "up" wanted, stop makes "down" wanted, whatever comes of them.) State is saved before an
// event is announced, and events are announced before an operation is answered.

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/latch.h"
#include "async/offload.h"
#include "async/spawn.h"
#include "async/task.h"
#include "deploy/git.h"
#include "deploy/record.h"
#include "deploy/runner.h"
#include "service/backend.h"
#include "service/census.h"
#include "service/health_watch.h"
#include "service/leftovers.h"
#include "service/manager.h"
#include "service/notifier.h"
#include "service/restart_policy.h"
#include "service/state.h"
#include "service/state_writer.h"

namespace shipmate::service {

/// What all services of a manager share. Outlives them.
struct ServiceContext {
  explicit ServiceContext(const Executor& loop) : executor(loop), ready(loop), shutdown_requested(loop) {}

  Executor executor;
  config::Config config;
  BackendFactory backends;
  /// For children; secrets and marks stripped.
  std::shared_ptr<const std::vector<std::string>> environment;
  std::string state_id;
  const base::Clock* clock = nullptr;
  async::WorkerPool* pool = nullptr;
  std::unique_ptr<Census> census;
  /// See os::SpawnOptions; "" = none.
  std::string exec_helper;
  std::unique_ptr<os::ModifyWatch> log_watch;
  std::unique_ptr<LogListing> log_listing;
  Notifier* notifier = nullptr;
  std::function<void()> on_change;
  std::function<std::uint64_t()> next_deploy_id;
  DeployListener* deploy_listener = nullptr;
  std::function<void(const std::string&)> on_self_deploy;
  /// When a service is to run next has changed.
  std::function<void()> on_plan;
  /// Uniform in [0, 1).
  std::function<double()> random;
  async::Event ready;
  async::Event shutdown_requested;
};

enum class Op {
  kStart,
  kStop,
  kRestart,
  kPull,
  // Our own:
  kStartUp,     ///< at start-up: started if it should be up
  kScheduled,   ///< its schedule says so
  kRenew,       ///< `adopt: false` at start-up: what was found is replaced
  kCure,        ///< unhealthy, and to be restarted for it
  kFinishStop,  ///< a stop that was begun and not ended, by us or the run before
  kReconfigure,
  kRetire,
  kHalt,  ///< stopped because we end; what is wanted stays. Waits for a deploy, which is being cancelled
};

enum class Saving {
  kSynced,   ///< survives a power cut before the answer
  kBatched,  ///< survives our death; the caller syncs the file system once for many
};

struct OpResult {
  Reply reply;
  /// It was so already.
  bool already = false;
};

/// A process that bears a mark of the service.
struct Marked {
  std::uint64_t generation = 0;
  os::ProcessStat process;
};

class Service {
 public:
  /// REQUIRES: `context` outlives it. `saved` is what its state file held.
  Service(ServiceContext& context, config::ServiceConfig config, State saved);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Start-up, in this order.
  /// Takes over the recorded process.
  Adoption AdoptRecorded();
  /// Takes over the process of the newest start, where it was not recorded, and notes what is left of older ones to be
  /// ended. `text` of the outcome is empty when there was nothing to do.
  Adoption AdoptMarked(const std::vector<Marked>& marked);
  /// Processes left by the deploy that was under way.
  void NoteDeployLeftovers(std::vector<os::ProcessStat> processes) { deploy_leftovers_ = std::move(processes); }
  /// Starts the loop: it first ends leftovers and reports what happened while nobody watched.
  void Run();

  /// A start or restart is done when the service is healthy, where that can be told.
  Task<OpResult> Do(Op op, Saving saving);
  /// For who requires it: an error says why it cannot be relied upon.
  Task<Result<void>> AwaitHealthy() { return health_.AwaitHealthy(); }
  /// Puts `config` into force; its outcome is empty, or tells why not. Waits for a restart, but not for a deploy.
  Task<OpResult> Configure(config::ServiceConfig config);
  /// The service is no longer configured: its process is stopped, its loop ended, its file removed.
  Task<OpResult> Retire();
  /// It should be up when we start, and is not.
  bool ShouldStart() const;
  /// Configure with `config` restarts it.
  bool WouldRestart(const config::ServiceConfig& config) const;
  /// We end: a running deploy is cancelled, and one that waits is dropped.
  void EndDeploys();
  /// When its schedule starts it next; nullopt without a schedule, and while a person has it stopped.
  std::optional<base::WallTime> NextRun() const;
  /// Begins the run that is due at `now`, if one is. What is due is due once, however many times have passed.
  void RunDue(base::WallTime now);
  Result<DeployTicket> RequestDeploy(DeployRequest request);
  Result<void> CancelDeploy();
  Task<Result<CommitInfo>> ResolveCommit(std::string ref, std::string commit);

  /// Started, and not healthy yet.
  bool IsStarting() const { return health_.GetWord() == HealthMachine::Word::kStarting; }
  const std::string& Name() const { return config_->name; }
  const config::ServiceConfig& Config() const { return *config_; }
  /// The backend's word, asked for now.
  Task<Result<std::string>> Status();
  Task<Result<std::string>> Logs(std::size_t bytes);
  Task<Result<LogAnswer>> ReadLog(LogQuery query);
  Task<ServiceView> View();
  /// REQUIRES: it is a process service.
  Task<ServiceUse> Use();

  /// A deploy of it runs or waits.
  bool Deploying() const { return deploying_ || waiting_ != nullptr; }

  /// Nothing new is taken; a running deploy is cancelled.
  void BeginClose();
  /// Gives what runs a moment, then ends the loop. Completes within a few seconds.
  Task<void> FinishClose();
  /// After FinishClose: the last version on disk, not synced.
  Task<void> SaveLast();

 private:
  struct Request;
  struct Deploy {
    DeployTicket ticket;
    DeployRequest request;
  };
  /// Who is behind a start.
  enum class By { kPerson, kItself };
  /// The end of a process, or of an attempt to start one, on its way to the notifier.
  struct Ending {
    /// See Exit::event; or start-failed.
    std::string event = "exited";
    EventDetail detail;
    /// Its log file, as it was then; "" = ask the backend.
    std::string log;
    bool judged = false;
    bool gave_up = false;
  };
  /// What a deploy that failed had changed of what runs.
  enum class Touched { kNothing, kProcess };
  enum class CancelReason { kNone, kPerson, kShutdown, kRemoval };
  /// What is known of the deploy that runs, or of the last one.
  struct DeployRun {
    base::SteadyTime began{};
    std::string step;
    /// From the beginning of the deploy to the end of its steps.
    std::optional<deploy::CancelToken> cancel;
    CancelReason cancel_reason = CancelReason::kNone;
    deploy::Record record;
    /// How it ends, for the listener.
    DeployEnd end;
  };

  void MakeBackend();
  /// Takes `request` in turn; false when nothing more is taken.
  bool Queue(std::shared_ptr<Request> request);
  Task<void> Begin();
  /// Until nothing waits: a service with nothing to do has no coroutine for it.
  Task<void> Loop();
  Task<void> SettleStart();
  Task<void> EndStep();
  void SawExit(const Exit& exit);
  Task<std::vector<os::ProcessStat>> EndFound(Traces traces, EndOptions options);
  Task<void> ReportExits();
  void TellGivenUp(const EventDetail& detail);
  Task<std::string> TailOf(std::string log);
  Task<void> PushWhenReady(std::shared_ptr<Request> request);

  Task<void> Perform(std::shared_ptr<Request> request);
  Task<OpResult> Dispatch(std::shared_ptr<Request> request);
  Task<OpResult> Start(Saving saving, By by);
  Task<OpResult> StartUp(Saving saving);
  Task<OpResult> RunScheduled(base::WallTime planned);
  enum class Plan { kGoOn, kAnew };
  /// Kept in force: what was due while nobody looked. Anew: what comes from now on.
  void PlanRuns(Plan plan);
  void TellOfRun(const std::string& event, std::string what);
  Task<OpResult> Stop(Saving saving);
  Task<void> StopAgain();
  Task<OpResult> Restart(Saving saving, By by);
  Task<OpResult> Pull();
  Task<OpResult> Renew();
  Task<OpResult> Cure();
  Task<OpResult> EndUnwell();
  Task<OpResult> Reconfigure(config::ServiceConfig config);
  Task<OpResult> RetireProcess();
  Task<OpResult> HaltProcess();

  void DropWaiting();
  ProberOptions HealthSettings() const;
  /// After a start.
  void WatchHealth();
  /// What runs now, if anything, is watched by the settings in force.
  void WatchFoundHealth();
  void EndHealth(HealthWatch::End end, std::string why);
  void TellHealth(HealthMachine::News news, const std::string& reason);
  Task<bool> UnitRuns();
  /// Waits until a start that went well is healthy; else `result` fails.
  Task<void> ConfirmStart(Op op, OpResult& result);

  // The restart policy at work.
  /// Waits for a start that the policy makes, and keeps it from making another until EndChange.
  Task<void> BeginChange();
  void EndChange();
  /// Tells the policy of every end that was seen, and begins what it wants.
  void JudgeExits();
  Task<void> SettleExits();
  void Follow(const RestartAction& action);
  Task<void> FollowUp(std::shared_ptr<boost::asio::steady_timer> due);
  Task<void> StartAgain();
  /// A start was tried; `error` is empty when a process was spawned.
  void NoteAttempt(const std::string& error, Told told);
  /// Gives the new process the time to fail. How it ended, with its last words, if it did.
  struct EarlyEnd {
    std::string text;
    std::string log_tail;
    /// It was a failure by the settings of the service.
    bool failure = true;
  };
  Task<std::optional<EarlyEnd>> WaitForEarlyEnd(Told told);
  OpResult EndedEarly(std::string_view op, EarlyEnd end);
  /// "; next try in 2s", or "".
  std::string WhatFollows() const;
  void FillFromPolicy(EventDetail& detail) const;
  /// For status.
  void NoteEnd(std::string how);
  void RestoreHalt();
  void RecordHalt(State& state) const;

  Task<void> RunDeploy(Deploy deploy);
  Task<deploy::StepsResult> RunDeploySteps(const Deploy& deploy, const std::vector<std::string>& steps);
  Task<void> ConcludeDeploy(const Deploy& deploy, deploy::StepsResult steps);
  Task<void> SucceedDeploy(const Deploy& deploy, deploy::StepsResult steps, bool restarted, bool ourselves);
  deploy::Record NewRecord(const Deploy& deploy) const;
  void TellRecord(std::string result);
  /// Why it must not begin; "" = it may.
  Task<std::string> CheckPin(const Deploy& deploy);
  /// Notes what is at HEAD after the steps; an error where that must have been another commit.
  Task<Result<void>> CheckHead(const Deploy& deploy);
  /// What became of going back to the version before; "" = that is not wanted.
  Task<std::string> RollBack(const Deploy& deploy, Touched touched);
  void NoteStep(std::size_t index, const std::vector<std::string>& steps);
  std::map<std::string, std::string> StepVariables(const Deploy& deploy) const;
  deploy::GitPlace Git() const;
  bool IsPinned() const { return !config_->repo.empty() && !config_->branch.empty() && !config_->dir.empty(); }
  Task<std::optional<std::string>> RestartDeployed();
  void TellListener(const DeployEnd& end);
  void TellRefused(const Deploy& deploy, const std::string& why);
  Task<void> FailDeploy(const Deploy& deploy, std::string step, std::string output, Touched touched);
  Task<void> SaveQuietly();
  DeployDetail Detail(const Deploy& deploy) const;
  std::chrono::milliseconds DeployElapsed() const;

  Task<Result<void>> BeginStart(std::uint64_t generation);
  Task<void> Probe();
  State Snapshot() const;
  /// What could not be saved is tried again, from time to time.
  Task<Result<void>> Save(Saving saving);
  Task<void> SaveAgain();
  /// Saves; a failure is logged and appended to `text`.
  Task<void> SaveOrSay(Saving saving, std::string& text);
  EventDetail CurrentDetail() const;
  void Emit(const std::string& event);
  void Emit(const std::string& event, const EventDetail& detail);
  bool IsProcess() const { return config_->kind == config::ServiceKind::kProcess; }
  OpResult Busy(Op op) const;

  // Constant after construction.
  ServiceContext& context_;
  StateWriter writer_;

  // Loop only.
  std::shared_ptr<const config::ServiceConfig> config_;
  std::shared_ptr<Backend> backend_;
  State state_;
  /// The backend's last word.
  std::string observed_;
  std::string last_exit_;
  /// The file does not tell what is, and will be written again.
  bool unsaved_ = false;
  /// StopAgain waits.
  bool stopping_again_ = false;
  /// Empty ones only wake it up for a deploy.
  std::list<std::shared_ptr<Request>> ops_;
  bool ops_closed_ = false;
  /// Begin or Loop runs.
  bool looping_ = false;
  std::shared_ptr<Request> current_;
  /// The backend's process is being changed: exits wait.
  bool changing_ = false;
  /// Seen and not reported yet.
  std::list<Ending> exits_;
  std::shared_ptr<async::Event> reporting_;
  RestartPolicy policy_;
  /// When the policy's last action is due; null when it was taken, or is void.
  std::shared_ptr<boost::asio::steady_timer> follow_up_;
  /// While the policy starts a process.
  std::shared_ptr<async::Event> starting_again_;
  /// While a start waits whether its process stays up: set to end the wait.
  std::shared_ptr<async::Event> staying_up_;
  std::optional<base::WallTime> next_run_;
  /// The last process ended as it should, and is not started again.
  bool finished_ = false;
  bool closing_ = false;
  bool retired_ = false;
  /// A process found at start-up is still to be replaced.
  bool renew_due_ = false;
  /// The process in hand was begun by the schedule.
  bool scheduled_run_ = false;

  // The deploy that runs, and the one that waits.
  bool deploying_ = false;
  /// Null before the first.
  std::unique_ptr<DeployRun> run_;
  std::unique_ptr<Deploy> waiting_;

  // Found at start-up, dealt with by SettleStart.
  std::vector<Traces> leftovers_;
  std::vector<os::ProcessStat> deploy_leftovers_;
  bool died_unseen_ = false;
  bool interrupted_ = false;
  bool save_at_start_ = false;

  HealthWatch health_;
  /// Goes with the events of the operation under way, and of the start that makes up for it; see EventDetail::reason.
  std::string cause_;

  async::TaskGroup loop_;
  async::TaskGroup watch_;
  async::TaskGroup side_;
};

}  // namespace shipmate::service
