// Service: deploys.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "deploy/secrets.h"
#include "os/files.h"
#include "os/run_command.h"
#include "service/environment.h"
#include "service/request.h"

namespace shipmate::service {

namespace {

// Of the log of a service that did not become healthy.
constexpr std::size_t kUnhealthyTail = 2000;
constexpr unsigned kLogDirMode = 0750;

}  // namespace

std::chrono::milliseconds Service::DeployElapsed() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(context_.clock->Now() - run_->began);
}

DeployDetail Service::Detail(const Deploy& deploy) const {
  DeployDetail detail;
  detail.id = deploy.ticket.id;
  detail.actor = deploy.request.actor;
  if (deploy.request.push) {
    detail.branch = deploy.request.push->branch;
    detail.commit = deploy.request.push->commit_id;
    detail.subject = deploy.request.push->ShortMessage();
  }
  if (deploying_) {
    detail.duration = DeployElapsed();
    if (!run_->record.commit.empty()) detail.commit = run_->record.commit;
    detail.note = run_->record.note;
  }
  return detail;
}

Result<DeployTicket> Service::RequestDeploy(DeployRequest request) {
  if (closing_ || retired_) return Fail(Errc::kClosed, "manager shutting down");
  if (config_->dir.empty() && !config_->deploy.empty()) {
    return Fail(Errc::kInvalid, Name() + " has deploy steps but no directory to run them in; set `dir:` for it");
  }
  if (waiting_ && request.id != 0) {
    return Fail(Errc::kBusy, fmt::format("deploy {} of {} waits already", waiting_->ticket.id, Name()));
  }
  if (waiting_) {
    // The newer push and the newer wish count; everyone who asked is named.
    DeployRequest& waiting = waiting_->request;
    if (waiting.actor != request.actor) waiting.actor += ", " + request.actor;
    if (request.push) waiting.push = std::move(request.push);
    return DeployTicket{.id = waiting_->ticket.id, .merged = true};
  }
  const DeployTicket ticket{.id = request.id != 0 ? request.id : context_.next_deploy_id()};
  waiting_ = std::make_unique<Deploy>(Deploy{.ticket = ticket, .request = std::move(request)});
  Queue(nullptr);
  return ticket;
}

Result<void> Service::CancelDeploy() {
  if (!deploying_) return Fail(Errc::kNotFound, "no deploy of " + Name() + " is running");
  if (!run_->cancel) return Fail(Errc::kBusy, "the steps of the deploy are done: " + Name() + " is being restarted");
  run_->cancel_reason = CancelReason::kPerson;
  run_->cancel->Cancel();
  return {};
}

Task<void> Service::RunDeploy(Deploy deploy) {
  deploying_ = true;
  run_ = std::make_unique<DeployRun>();
  run_->began = context_.clock->Now();
  run_->cancel.emplace();
  run_->record = NewRecord(deploy);
  run_->end = {.id = deploy.request.id, .result = DeployEnd::Result::kFailed, .what = "", .commit = ""};
  if (context_.deploy_listener != nullptr && deploy.request.id != 0) {
    if (const auto begun = context_.deploy_listener->DeployBegan(Name(), deploy.request.id); !begun) {
      deploying_ = false;
      run_->cancel.reset();
      TellRefused(deploy, begun.error().what);
      co_return;
    }
  }
  try {
    if (std::string why = co_await CheckPin(deploy); !why.empty()) {
      deploying_ = false;
      run_->cancel.reset();
      TellRefused(deploy, why);
      co_return;
    }
    state_.last_deploy = context_.clock->WallNow();
    run_->record.began = state_.last_deploy;
    co_await SaveQuietly();
    DeployDetail begun = Detail(deploy);
    begun.duration = {};
    context_.notifier->DeployStarted(Name(), begun);
    context_.notifier->DeployRecorded(run_->record);
    const bool back = deploy.request.kind == DeployRequest::Kind::kRollback && !config_->rollback.empty();
    deploy::StepsResult steps = co_await RunDeploySteps(deploy, back ? config_->rollback : config_->deploy);
    co_await ConcludeDeploy(deploy, std::move(steps));
  } catch (...) {
    // Cut off at shutdown; SaveLast writes this.
    state_.last_result = "failed";
    state_.failed_step = run_->step;
    state_.last_output = "interrupted by shutdown";
    deploying_ = false;
    run_->cancel.reset();
    TellRecord("interrupted");
    run_->end.result = DeployEnd::Result::kInterrupted;
    TellListener(run_->end);
    throw;
  }
  deploying_ = false;
  if (context_.on_change) context_.on_change();
  run_->end.commit = run_->record.commit;
  TellListener(run_->end);
}

deploy::Record Service::NewRecord(const Deploy& deploy) const {
  deploy::Record record;
  record.id = deploy.ticket.id;
  record.service = Name();
  record.trigger = deploy.request.trigger;
  record.actor = deploy.request.actor;
  record.branch = config_->branch;
  if (deploy.request.push) {
    record.branch = deploy.request.push->branch;
    record.commit = deploy.request.push->commit_id;
    record.subject = deploy.request.push->ShortMessage();
  }
  record.previous_commit = deploy.request.previous_commit;
  record.planned = config_->deploy.size();
  record.log_file = fmt::format("{}/deploys/{}-{}.log", context_.config.log_dir, Name(), deploy.ticket.id);
  return record;
}

void Service::TellRecord(std::string result) {
  run_->record.result = std::move(result);
  run_->record.ended = context_.clock->WallNow();
  context_.notifier->DeployRecorded(run_->record);
}

deploy::GitPlace Service::Git() const {
  return {.dir = config_->dir,
          .env = WithVariables(*context_.environment, config_->env),
          .settings = {.user = config_->user, .group = config_->group},
          .exec_helper = context_.exec_helper};
}

Task<Result<CommitInfo>> Service::ResolveCommit(std::string ref, std::string commit) {
  const deploy::GitPlace place = Git();
  if (place.dir.empty()) co_return Fail(Errc::kInvalid, Name() + " has no directory; set `dir:` for it");
  CommitInfo info;
  if (ref.empty()) {
    auto full = co_await deploy::FullCommit(place, std::move(commit));
    if (!full) co_return Fail(full.error());
    info.id = *std::move(full);
  } else {
    auto found = co_await deploy::RemoteCommits(place, ref);
    if (!found) co_return Fail(found.error());
    if (found->empty()) co_return Fail(Errc::kNotFound, "the repository has no " + base::EscapeControls(ref));
    info.id = std::move(found->back());
  }
  info.subject = co_await deploy::SubjectOf(place, info.id);
  co_return info;
}

// What was announced is deployed, or nothing: what the branch got since has not been seen by anybody.
Task<std::string> Service::CheckPin(const Deploy& deploy) {
  const std::string commit = deploy.request.push ? deploy.request.push->commit_id : "";
  if (IsPinned() && run_->record.previous_commit.empty()) {
    run_->record.previous_commit = (co_await deploy::HeadCommit(Git())).value_or("");
  }
  if (deploy.request.ref.empty() || commit.empty() || !IsPinned()) co_return "";
  const auto found = co_await deploy::RemoteCommits(Git(), deploy.request.ref);
  if (!found) {
    // The steps will tell whether the repository can be reached.
    run_->record.note = "the commit was not checked: " + found.error().what;
    co_return "";
  }
  if (std::ranges::find(*found, commit) != found->end()) co_return "";
  constexpr std::size_t kShort = 7;
  const std::string branch = base::EscapeControls(deploy.request.ref.substr(deploy.request.ref.rfind('/') + 1));
  if (found->empty()) co_return fmt::format("{} is not there any more", branch);
  co_return fmt::format("{} has moved: it is at {} now, not at {}", branch, found->back().substr(0, kShort),
                        base::EscapeControls(commit.substr(0, kShort)));
}

Task<Result<void>> Service::CheckHead(const Deploy& deploy) {
  const std::string wanted = deploy.request.push ? deploy.request.push->commit_id : "";
  if (!IsPinned() && !deploy.request.exact) co_return Result<void>();
  auto head = co_await deploy::HeadCommit(Git());
  if (!head) {
    if (!deploy.request.exact) co_return Result<void>();
    co_return Fail(head.error());
  }
  const bool same = wanted.empty() || head->starts_with(wanted);
  run_->record.commit = *head;
  if (run_->record.subject.empty() || !same) run_->record.subject = co_await deploy::SubjectOf(Git(), *head);
  if (same) co_return Result<void>();
  constexpr std::size_t kShort = 7;
  std::string text = fmt::format("the steps left the directory at commit {}, not at {}", head->substr(0, kShort),
                                 base::EscapeControls(wanted.substr(0, kShort)));
  if (deploy.request.exact) {
    co_return Fail(Errc::kRefused, text + "; they must check out $SHIPMATE_COMMIT");
  }
  run_->record.note += (run_->record.note.empty() ? "" : "; ") + text;
  co_return Result<void>();
}

std::map<std::string, std::string> Service::StepVariables(const Deploy& deploy) const {
  auto variables = config_->env;
  variables[std::string(kDeployMark)] = InstanceMark(
      context_.state_id, Name(), static_cast<std::uint64_t>(state_.last_deploy.time_since_epoch().count()));
  const std::string& branch = run_->record.branch;
  const std::string commit = deploy.request.push ? deploy.request.push->commit_id : "";
  variables["SHIPMATE_SERVICE"] = Name();
  // A step may put it on a command line of its own making: only what can be a name is passed on.
  variables["SHIPMATE_BRANCH"] = deploy::IsRef("refs/heads/" + branch) && !branch.starts_with('-') ? branch : "";
  variables["SHIPMATE_COMMIT"] = deploy::IsCommit(commit) ? commit : "";
  variables["SHIPMATE_PREVIOUS_COMMIT"] = run_->record.previous_commit;
  variables["SHIPMATE_ACTOR"] = deploy.request.actor;
  variables["SHIPMATE_DEPLOY_ID"] = std::to_string(deploy.ticket.id);
  variables["CI"] = "true";
  return variables;
}

void Service::TellListener(const DeployEnd& end) {
  if (context_.deploy_listener != nullptr && end.id != 0) context_.deploy_listener->DeployEnded(Name(), end);
}

void Service::TellRefused(const Deploy& deploy, const std::string& why) {
  DeployNews news;
  news.kind = DeployNews::Kind::kRefused;
  news.id = deploy.ticket.id;
  news.actor = deploy.request.actor;
  news.why = why;
  context_.notifier->DeployNewsCame(Name(), news);
  TellListener({.id = deploy.request.id, .result = DeployEnd::Result::kRefused, .what = why, .commit = ""});
}

void Service::NoteStep(std::size_t index, const std::vector<std::string>& steps) {
  run_->step = std::string(base::Trim(steps[index]));
  state_.deploy_id = run_->record.id;
  state_.deploy_step = index + 1;
  state_.deploy_steps = steps.size();
  state_.step_process.reset();
  DeployNews news;
  news.kind = DeployNews::Kind::kProgress;
  news.id = run_->record.id;
  news.actor = run_->record.actor;
  news.branch = run_->record.branch;
  news.commit = run_->record.commit;
  news.step = index + 1;
  news.steps = steps.size();
  news.step_text = run_->step;
  context_.notifier->DeployNewsCame(Name(), news);
}

Task<deploy::StepsResult> Service::RunDeploySteps(const Deploy& deploy, const std::vector<std::string>& steps) {
  deploy::StepsOptions options;
  options.steps = steps;
  options.dir = config_->dir;
  const auto variables = StepVariables(deploy);
  std::vector<std::string> base = *context_.environment;
  // What describes our own user is not the step's.
  if (!config_->user.empty()) base = WithoutVariables(base, {"HOME", "USER", "LOGNAME", "SHELL", "MAIL"});
  options.env = WithVariables(base, variables);
  options.limit = config_->deploy_timeout;
  options.step_limit = config_->step_timeout;
  options.idle_limit = config_->step_idle_timeout;
  options.settings = {.user = config_->user, .group = config_->group};
  options.exec_helper = context_.exec_helper;
  options.masker = deploy::MaskerOf(config_->env);
  options.log_file = run_->record.log_file;
  options.cancel = run_->cancel ? &*run_->cancel : nullptr;
  if (const auto made = os::MakeDirectories(context_.config.log_dir + "/deploys", kLogDirMode); !made) {
    LogWarn(fmt::format("{}: {}", Name(), made.error().what));
  }
  run_->record.planned = steps.size();
  std::vector<std::string> shown;
  for (const std::string& step : steps) shown.push_back(options.masker->Mask(step));
  const auto names = std::make_shared<const std::vector<std::string>>(std::move(shown));
  options.on_step = [this, names](std::size_t index) { NoteStep(index, *names); };
  options.on_start = [this](pid_t pid) {
    state_.step_process = os::Identify(pid);
    // Not awaited: a step does not wait for the disk. It is for the one who reads it after a crash.
    side_.Spawn(Name() + ": saving the step", SaveQuietly());
  };
  options.on_step_end = [this](const deploy::StepRecord& step) {
    state_.step_process.reset();
    run_->record.steps.push_back(step);
    context_.notifier->DeployRecorded(run_->record);
  };
  deploy::StepsResult result = co_await deploy::RunSteps(std::move(options));
  run_->cancel.reset();
  co_return result;
}

Task<void> Service::ConcludeDeploy(const Deploy& deploy, deploy::StepsResult steps) {
  if (!steps.output.empty() && !steps.output.ends_with('\n')) steps.output += "\n";
  const bool ourselves = config_->self_deploy || backend_->IsOurselves();
  // A job's next run is by what was deployed; one under way is not cut off.
  const bool restarts = !ourselves && config_->kind != config::ServiceKind::kNone && !config_->schedule &&
                        state_.desired != Desired::kDown && !retired_;
  if (steps.status == deploy::StepsStatus::kFailed) {
    if (run_->cancel_reason == CancelReason::kShutdown || closing_) steps.output += "interrupted by shutdown";
    if (run_->cancel_reason == CancelReason::kRemoval) steps.output += "the service is no longer configured";
    const std::string step = steps.failed_step.empty() ? run_->step : steps.failed_step;
    // The steps may have fetched it.
    if (run_->record.subject.empty() && IsPinned())
      run_->record.subject = co_await deploy::SubjectOf(Git(), run_->record.commit);
    // The process was not touched: the version before runs on.
    co_return co_await FailDeploy(deploy, step, std::move(steps.output), Touched::kNothing);
  }
  if (const auto checked = co_await CheckHead(deploy); !checked) {
    co_return co_await FailDeploy(deploy, "commit", steps.output + "ERROR: " + checked.error().what + "\n",
                                  Touched::kNothing);
  }
  // Not begun any more: it might be cut off between its stop and its start.
  if (restarts && closing_) {
    co_return co_await FailDeploy(deploy, "restart", steps.output + "interrupted by shutdown", Touched::kNothing);
  }
  if (restarts) {
    const auto problem = co_await RestartDeployed();
    if (problem) {
      co_await FailDeploy(deploy, "restart", steps.output + *problem, Touched::kProcess);
      co_return co_await SettleExits();
    }
  } else if (!ourselves && config_->kind != config::ServiceKind::kNone) {
    run_->record.note += (run_->record.note.empty() ? "" : "; ") + std::string("deployed, left stopped");
  }
  co_await SucceedDeploy(deploy, std::move(steps), restarts, ourselves);
}

Task<void> Service::SucceedDeploy(const Deploy& deploy, deploy::StepsResult steps, bool restarted, bool ourselves) {
  run_->end.result = DeployEnd::Result::kSuccess;
  state_.last_result = "success";
  state_.last_output = steps.output;
  state_.failed_step.clear();
  const DeployDetail detail = Detail(deploy);
  deploying_ = false;
  co_await SaveQuietly();
  TellRecord("success");
  context_.notifier->DeploySucceeded(Name(), steps.output, detail);
  if (restarted) {
    EventDetail event = CurrentDetail();
    event.told = Told::kInDeploy;
    Emit("restarted", event);
  }
  co_await SettleExits();
  if (!ourselves) co_return;
  context_.shutdown_requested.Set();
  if (context_.on_self_deploy) context_.on_self_deploy(Name());
}

// What went wrong, and the process's last words, where its process did not come up and stay up.
Task<std::optional<std::string>> Service::RestartDeployed() {
  co_await SettleExits();
  co_await BeginChange();
  // What is deployed is new: what its predecessor did is forgotten.
  Follow(policy_.PersonStarts());
  cause_.clear();
  EndHealth(HealthWatch::End::kOther, "it was restarted");
  const auto restarted = co_await backend_->Restart();
  state_.starting = false;
  NoteAttempt(restarted ? "" : restarted.error().what, Told::kInDeploy);
  if (!restarted) {
    EndChange();
    co_return "ERROR: " + restarted.error().what + "\n";
  }
  state_.last_restart = context_.clock->WallNow();
  last_exit_.clear();
  WatchHealth();
  auto ended = co_await WaitForEarlyEnd(Told::kInDeploy);
  EndChange();
  std::string why = ended && ended->failure ? ended->text : "";
  std::string text = ended ? std::move(ended->log_tail) : "";
  if (!ended) {
    co_await SettleExits();
    if (const auto healthy = co_await health_.AwaitHealthy(); !healthy) {
      why = closing_ ? "interrupted by shutdown" : healthy.error().what;
      text = (co_await Logs(kUnhealthyTail)).value_or("");
    }
  }
  if (why.empty()) co_return std::nullopt;
  if (!text.empty() && !text.ends_with('\n')) text += "\n";
  co_return text + "ERROR: " + why + "\n";
}

Task<std::string> Service::RollBack(const Deploy& deploy, Touched touched) {
  if (!config_->auto_rollback || run_->cancel_reason != CancelReason::kNone || closing_ || retired_) co_return "";
  Deploy back = deploy;
  back.request.push.emplace();
  back.request.push->branch = run_->record.branch;
  back.request.push->commit_id = run_->record.previous_commit;
  const std::string failed_commit = std::exchange(run_->record.previous_commit, run_->record.commit);
  constexpr std::size_t kShort = 7;
  const std::string version = failed_commit.empty() ? "the version before" : failed_commit.substr(0, kShort);
  LogWarn(fmt::format("{}: the deploy failed: going back to {}", Name(), version));
  run_->record.log_file += ".rollback";
  run_->cancel.emplace();
  const deploy::StepsResult steps = co_await RunDeploySteps(back, config_->rollback);
  run_->record.previous_commit = failed_commit;
  if (steps.status == deploy::StepsStatus::kFailed) {
    co_return fmt::format("Going back to {} failed too, at step \"{}\": {}", version, steps.failed_step,
                          touched == Touched::kNothing ? "the process from before runs on" : "look after it");
  }
  if (touched == Touched::kNothing) co_return fmt::format("Rolled back: {} runs on, it was not restarted.", version);
  if (const auto problem = co_await RestartDeployed()) {
    co_return fmt::format("Rolled back to {}, but it does not come up either: {}", version, os::OutputTail(*problem));
  }
  co_return fmt::format("Rolled back: {} runs again.", version);
}

Task<void> Service::FailDeploy(const Deploy& deploy, std::string step, std::string output, Touched touched) {
  const bool cancelled = run_->cancel_reason == CancelReason::kPerson;
  const bool interrupted =
      closing_ || run_->cancel_reason == CancelReason::kShutdown || run_->cancel_reason == CancelReason::kRemoval;
  run_->end.result = cancelled     ? DeployEnd::Result::kCancelled
                     : interrupted ? DeployEnd::Result::kInterrupted
                                   : DeployEnd::Result::kFailed;
  run_->end.what = step;
  DeployNews news;
  news.kind = DeployNews::Kind::kCancelled;
  news.id = deploy.ticket.id;
  news.branch = run_->record.branch;
  news.commit = run_->record.commit;
  news.step = state_.deploy_step;
  news.steps = state_.deploy_steps;
  news.step_text = step;
  const std::string log_file = run_->record.log_file;
  const DeployDetail failed = Detail(deploy);
  const std::string aftermath = co_await RollBack(deploy, touched);
  run_->record.log_file = log_file;
  run_->record.failed_step = step;
  if (!aftermath.empty()) run_->record.note += (run_->record.note.empty() ? "" : "; ") + aftermath;

  state_.last_result = "failed";
  state_.failed_step = std::move(step);
  state_.last_output = std::move(output);
  DeployDetail detail = failed;
  detail.duration = DeployElapsed();
  detail.aftermath = aftermath;
  deploying_ = false;
  co_await SaveQuietly();
  TellRecord(cancelled ? "cancelled" : interrupted ? "interrupted" : "failed");
  if (cancelled) {
    context_.notifier->DeployNewsCame(Name(), news);
  } else {
    context_.notifier->DeployFailed(Name(), state_.failed_step, state_.last_output, detail);
  }
}

}  // namespace shipmate::service
