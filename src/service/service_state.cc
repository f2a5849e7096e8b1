// Service: what is saved, and what is found at start-up.

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "async/deadline.h"
#include "base/log.h"
#include "base/text.h"
#include "service/environment.h"
#include "service/leftovers.h"
#include "service/logfile.h"
#include "service/request.h"

namespace shipmate::service {

namespace {

constexpr std::size_t kOutputKept = std::size_t{64} * 1024;
// What an interrupted deploy left is given this long to end.
constexpr std::chrono::seconds kDeployLeftoverGrace{5};

// The end of `text`, whole characters.
std::string Tail(const std::string& text, std::size_t limit) {
  if (text.size() <= limit) return text;
  std::size_t start = text.size() - limit;
  while (start < text.size() && (static_cast<unsigned char>(text[start]) & 0xC0U) == 0x80U) ++start;
  return text.substr(start);
}

bool SameBoot(const os::ProcessState& recorded) {
  const auto now = os::Identify(os::OwnPid());
  if (!now) return false;
  if (!recorded.boot_id.empty()) return recorded.boot_id == now->boot_id;
  return recorded.boot_time != 0 && std::abs(recorded.boot_time - now->boot_time) <= 2;
}

bool IsGone(const os::ProcessState& recorded) {
  if (recorded.pid <= 1) return false;
  const auto stat = os::ReadStat(recorded.pid);
  return !stat || !stat->Lives() || !os::VerifyProcess(recorded);
}

}  // namespace

Adoption Service::AdoptRecorded() {
  if (state_.status == "deploying") {
    interrupted_ = true;
    save_at_start_ = true;
  }
  // A record of the reference program knows no desire: what it calls stopped was stopped.
  // A job that has never run is stopped by nobody.
  const bool job = state_.scheduled != base::WallTime();
  if (state_.desired == Desired::kUnset && state_.status == "stopped" && !job) state_.desired = Desired::kDown;
  RestoreHalt();
  Adoption adoption = backend_->TryAdopt(state_);
  renew_due_ = adoption.replace;
  if (!adoption.adopted && !adoption.replace && IsProcess()) {
    const bool ran = state_.backend && state_.status != "stopped" && IsGone(*state_.backend);
    died_unseen_ = ran && state_.desired != Desired::kDown && SameBoot(*state_.backend);
    save_at_start_ = save_at_start_ || ran || state_.starting;
  }
  if (!IsProcess() && !state_.status.empty() && !interrupted_) observed_ = state_.status;
  return adoption;
}

Adoption Service::AdoptMarked(const std::vector<Marked>& marked) {
  if (!IsProcess() || marked.empty()) return {};
  Adoption adoption;
  std::uint64_t current = state_.generation;
  if (backend_->Pid() == 0) {
    current = std::ranges::max(marked, {}, &Marked::generation).generation;
    // Of several sessions under one mark the first began with the start itself.
    const Marked* leader = nullptr;
    for (const Marked& candidate : marked) {
      const os::ProcessStat& process = candidate.process;
      if (candidate.generation != current || process.pid != process.pgid || process.pid != process.session) continue;
      if (leader == nullptr || process.start_ticks < leader->process.start_ticks) leader = &candidate;
    }
    State found = state_;
    found.status = "running";
    found.generation = std::max(found.generation, current);
    found.backend = leader == nullptr ? std::nullopt : os::Identify(leader->process.pid);
    if (found.backend) adoption = backend_->TryAdopt(found);
    renew_due_ = renew_due_ || adoption.replace;
    if (current > state_.generation) {
      state_.generation = current;
      state_.desired = Desired::kUp;
    }
    if (backend_->Pid() != 0) died_unseen_ = false;
    save_at_start_ = true;
  }
  const bool held = backend_->Pid() != 0;
  for (const Marked& process : marked) {
    if (held && process.generation == current) continue;
    const std::string mark = InstanceMark(context_.state_id, Name(), process.generation);
    if (std::ranges::none_of(leftovers_, [&](const Traces& traces) { return traces.mark == mark; })) {
      leftovers_.push_back({.mark = mark});
    }
  }
  return adoption;
}

// Before anything is started beside it: so it is tried until it can be done.
Task<std::vector<os::ProcessStat>> Service::EndFound(Traces traces, EndOptions options) {
  constexpr std::chrono::seconds kRetry{1};
  while (true) {
    try {
      co_return co_await EndMembers(*context_.census, traces, options);
    } catch (const boost::system::system_error& error) {
      if (error.code() == boost::asio::error::operation_aborted) throw;
      LogWarn(fmt::format("{}: ending what is left of an earlier run: {}; trying again", Name(), error.what()));
    } catch (const std::exception& error) {
      LogWarn(fmt::format("{}: ending what is left of an earlier run: {}; trying again", Name(), error.what()));
    }
    co_await async::Sleep(kRetry);
  }
}

Task<void> Service::SettleStart() {
  changing_ = true;
  for (const Traces& traces : leftovers_) {
    LogWarn(fmt::format("{}: ending what is left of an earlier start ({})", Name(), traces.mark));
    const EndOptions options{.signal = config_->stop_signal, .grace = config_->stop_timeout};
    const auto survivors = co_await EndFound(traces, options);
    if (!survivors.empty()) LogError(fmt::format("{}: did not die: {}", Name(), Describe(survivors)));
  }
  for (const os::ProcessStat& process : deploy_leftovers_) {
    const auto now = os::ReadStat(process.pid);
    if (!now || !now->Lives() || now->start_ticks != process.start_ticks) continue;
    LogWarn(fmt::format("{}: ending what is left of the interrupted deploy: {}", Name(), Describe({process})));
    // The process bears the deploy's mark now, so its session is the deploy's.
    const auto survivors = co_await EndFound({.pgid = process.session}, {.grace = kDeployLeftoverGrace});
    if (!survivors.empty()) LogError(fmt::format("{}: did not die: {}", Name(), Describe(survivors)));
  }
  if (interrupted_) co_await EndStep();
  leftovers_.clear();
  deploy_leftovers_.clear();

  state_.starting = false;
  if (interrupted_) {
    state_.last_result = "failed";
    state_.last_output = "interrupted: shipmate ended while the deploy ran";
  }
  if (save_at_start_) co_await SaveQuietly();
  if (interrupted_) {
    LogWarn(fmt::format("{}: the deploy was interrupted at step {}", Name(), base::Quote(state_.failed_step)));
    DeployNews news;
    news.kind = DeployNews::Kind::kInterrupted;
    news.id = state_.deploy_id != 0 ? state_.deploy_id : context_.next_deploy_id();
    news.step = state_.deploy_step;
    news.steps = state_.deploy_steps;
    news.step_text = state_.failed_step;
    news.why = "Shipmate ended while it ran; it is not run again by itself";
    context_.notifier->DeployNewsCame(Name(), news);
    state_.deploy_id = 0;
  }
  if (died_unseen_) {
    LogWarn(Name() + ": ended while shipmate did not run");
    EventDetail detail;
    detail.generation = state_.generation;
    if (state_.backend) detail.pid = state_.backend->pid;
    detail.exit = os::ExitStatus();
    detail.log_tail = co_await TailOf("");
    last_exit_ = detail.exit->Describe();
    NoteEnd(last_exit_ + ", while shipmate did not run");
    const auto next = policy_.Ended(*detail.exit, {}, context_.clock->Now(), context_.random());
    FillFromPolicy(detail);
    // It has been down for long enough: the last step of start-up starts it at once.
    if (next.kind == RestartAction::Kind::kStart) policy_.Hold();
    Emit("exited", detail);
    if (next.kind == RestartAction::Kind::kGiveUp) Emit("failed", detail);
    co_await SaveQuietly();
  }
  if (IsProcess() && backend_->Pid() != 0) Follow(policy_.Spawned(context_.clock->Now()));
  changing_ = false;
  if (state_.desired == Desired::kDown && backend_->Pid() != 0 && !renew_due_) {
    LogInfo(Name() + ": finishing the stop that was begun before");
    co_await Perform(std::make_shared<Request>(context_.executor, Op::kFinishStop));
  }
  co_await SettleExits();
}

// The step that ran is known by its process, should it have shed its mark. Where that is gone, its number is nobody
// else's as long as members of its session live (credentials(7)).
Task<void> Service::EndStep() {
  if (!state_.step_process || state_.step_process->pid <= 1 || !SameBoot(*state_.step_process)) co_return;
  const pid_t session = state_.step_process->pid;
  const auto leader = os::ReadStat(session);
  if (leader && leader->start_ticks != state_.step_process->start_ticks) co_return;
  if (os::LivingGroup(session).empty()) co_return;
  LogWarn(fmt::format("{}: ending the step of the interrupted deploy (session {})", Name(), session));
  const auto survivors = co_await EndFound({.pgid = session}, {.grace = kDeployLeftoverGrace});
  if (!survivors.empty()) LogError(fmt::format("{}: did not die: {}", Name(), Describe(survivors)));
}

Task<Result<void>> Service::BeginStart(std::uint64_t generation) {
  state_.generation = generation;
  state_.starting = true;
  state_.desired = Desired::kUp;
  // A full disk must not keep a service down: its mark tells a later run of it as well. The save after the start says
  // what is wrong.
  (void)co_await Save(Saving::kBatched);
  co_return Result<void>();
}

Task<void> Service::Probe() {
  (void)co_await Status();
}

State Service::Snapshot() const {
  State state = state_;
  state.backend = backend_->SaveBackendState();
  state.status = observed_;
  if (deploying_) {
    state.status = "deploying";
    state.failed_step = run_->step;
  } else {
    state.deploy_id = state.deploy_step = state.deploy_steps = 0;
    state.step_process.reset();
  }
  RecordHalt(state);
  state.last_output = Tail(state.last_output, kOutputKept);
  if (std::string log = backend_->LogFile(); !log.empty()) state.log_path = std::move(log);
  return state;
}

Task<Result<void>> Service::Save(Saving saving) {
  co_await Probe();
  const os::Sync sync = saving == Saving::kSynced ? os::Sync::kData : os::Sync::kNone;
  auto saved = co_await writer_.Write(Snapshot(), sync);
  if (saved) {
    unsaved_ = false;
  } else if (!closing_ && !std::exchange(unsaved_, true)) {
    side_.Spawn(Name() + ": saving again", SaveAgain());
  }
  co_return saved;
}

// Until what is on disk is true again, whatever kept it from being saved.
Task<void> Service::SaveAgain() {
  constexpr std::chrono::milliseconds kFirstWait{1000};
  constexpr std::chrono::milliseconds kLongestWait{60'000};
  auto wait = kFirstWait;
  while (true) {
    co_await async::Sleep(wait);
    wait = std::min(wait * 2, kLongestWait);
    if (!unsaved_) co_return;
    co_await Probe();
    if (!co_await writer_.Write(Snapshot(), os::Sync::kData)) continue;
    LogInfo(Name() + ": its state is saved now");
    unsaved_ = false;
    co_return;
  }
}

Task<void> Service::SaveOrSay(Saving saving, std::string& text) {
  const auto saved = co_await Save(saving);
  if (saved) co_return;
  LogError(fmt::format("{}: state could not be saved: {}", Name(), saved.error().what));
  text += fmt::format(" (state could not be saved: {})", saved.error().what);
}

Task<void> Service::SaveQuietly() {
  std::string unused;
  co_await SaveOrSay(Saving::kSynced, unused);
}

Task<void> Service::SaveLast() {
  co_await Probe();
  co_await writer_.Idle();
  if (const auto saved = co_await writer_.Write(Snapshot(), os::Sync::kNone); !saved) {
    LogError(fmt::format("{}: state could not be saved: {}", Name(), saved.error().what));
  }
}

}  // namespace shipmate::service
