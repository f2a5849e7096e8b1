// Service: deploys.

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "service/environment.h"
#include "service/request.h"

namespace shipmate::service {

namespace {

// Of the log of a service that did not become healthy.
constexpr std::size_t kUnhealthyTail = 2000;

}  // namespace

std::chrono::milliseconds Service::DeployElapsed() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(context_.clock->Now() - deploy_began_);
}

DeployDetail Service::Detail(const Deploy& deploy) const {
  DeployDetail detail;
  detail.id = deploy.ticket.id;
  detail.actor = deploy.request.actor;
  if (deploying_) detail.duration = DeployElapsed();
  return detail;
}

Result<DeployTicket> Service::RequestDeploy(DeployRequest request) {
  if (closing_ || retired_) return Fail(Errc::kClosed, "manager shutting down");
  if (config_.dir.empty() && !config_.deploy.empty()) {
    return Fail(Errc::kInvalid, Name() + " has deploy steps but no directory to run them in; set `dir:` for it");
  }
  if (waiting_) {
    // The newer push and the newer wish count; everyone who asked is named.
    DeployRequest& waiting = waiting_->request;
    if (waiting.actor != request.actor) waiting.actor += ", " + request.actor;
    if (request.push) waiting.push = std::move(request.push);
    return DeployTicket{.id = waiting_->ticket.id, .merged = true};
  }
  const DeployTicket ticket{.id = context_.next_deploy_id()};
  waiting_ = Deploy{.ticket = ticket, .request = std::move(request)};
  ops_.Push(nullptr);
  return ticket;
}

Result<void> Service::CancelDeploy() {
  if (!deploying_) return Fail(Errc::kNotFound, "no deploy of " + Name() + " is running");
  if (!cancel_) return Fail(Errc::kBusy, "the steps of the deploy are done: " + Name() + " is being restarted");
  cancel_reason_ = CancelReason::kPerson;
  cancel_->Cancel();
  return {};
}

Task<void> Service::RunDeploy(Deploy deploy) {
  deploying_ = true;
  deploy_began_ = context_.clock->Now();
  deploy_step_.clear();
  cancel_reason_ = CancelReason::kNone;
  cancel_.emplace();
  state_.last_deploy = context_.clock->WallNow();
  co_await SaveQuietly();
  DeployDetail begun = Detail(deploy);
  begun.duration = {};
  context_.notifier->DeployStarted(Name(), begun);
  try {
    deploy::StepsResult steps = co_await RunDeploySteps();
    co_await ConcludeDeploy(std::move(deploy), std::move(steps));
  } catch (...) {
    // Cut off at shutdown; SaveLast writes this.
    state_.last_result = "failed";
    state_.failed_step = deploy_step_;
    state_.last_output = "interrupted by shutdown";
    deploying_ = false;
    cancel_.reset();
    throw;
  }
  deploying_ = false;
  if (context_.on_change) context_.on_change();
}

Task<deploy::StepsResult> Service::RunDeploySteps() {
  deploy::StepsOptions options;
  options.steps = config_.deploy;
  options.dir = config_.dir;
  auto variables = config_.env;
  variables[std::string(kDeployMark)] = InstanceMark(
      context_.state_id, Name(), static_cast<std::uint64_t>(state_.last_deploy.time_since_epoch().count()));
  options.env = WithVariables(*context_.environment, variables);
  options.limit = config_.deploy_timeout;
  options.cancel = &*cancel_;
  const std::vector<std::string> steps = config_.deploy;
  options.on_step = [this, &steps](std::size_t index) {
    deploy_step_ = std::string(base::Trim(steps[index]));
    // Not awaited: a step does not wait for the disk. It is for the one who reads it after a crash.
    side_.Spawn(Name() + ": saving the step", SaveQuietly());
  };
  deploy::StepsResult result = co_await deploy::RunSteps(std::move(options));
  cancel_.reset();
  co_return result;
}

Task<void> Service::ConcludeDeploy(Deploy deploy, deploy::StepsResult steps) {
  if (steps.status == deploy::StepsStatus::kFailed) {
    std::string output = std::move(steps.output);
    if (!output.empty() && !output.ends_with('\n')) output += "\n";
    if (cancel_reason_ == CancelReason::kShutdown || closing_) output += "interrupted by shutdown";
    if (cancel_reason_ == CancelReason::kRemoval) output += "the service is no longer configured";
    co_return co_await FailDeploy(deploy, steps.failed_step.empty() ? deploy_step_ : steps.failed_step,
                                  std::move(output));
  }
  const bool ourselves = config_.self_deploy || backend_->IsOurselves();
  const bool restarts =
      !ourselves && config_.kind != config::ServiceKind::kNone && state_.desired != Desired::kDown && !retired_;
  // Not begun any more: it might be cut off between its stop and its start.
  if (restarts && closing_) co_return co_await FailDeploy(deploy, "restart", steps.output + "interrupted by shutdown");
  if (restarts) {
    const auto problem = co_await RestartDeployed();
    if (problem) {
      std::string output = std::move(steps.output);
      if (!output.empty() && !output.ends_with('\n')) output += "\n";
      co_await FailDeploy(deploy, "restart", output + *problem);
      co_return co_await SettleExits();
    }
  }
  state_.last_result = "success";
  state_.last_output = steps.output;
  state_.failed_step.clear();
  const DeployDetail detail = Detail(deploy);
  deploying_ = false;
  co_await SaveQuietly();
  context_.notifier->DeploySucceeded(Name(), steps.output, detail);
  if (restarts) Emit("restarted");
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

Task<void> Service::FailDeploy(const Deploy& deploy, std::string step, std::string output) {
  state_.last_result = "failed";
  state_.failed_step = std::move(step);
  state_.last_output = std::move(output);
  const DeployDetail detail = Detail(deploy);
  deploying_ = false;
  co_await SaveQuietly();
  context_.notifier->DeployFailed(Name(), state_.failed_step, state_.last_output, detail);
}

}  // namespace shipmate::service
