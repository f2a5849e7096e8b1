#include "service/health_watch.h"

#include <algorithm>
#include <utility>

#include "async/deadline.h"
#include "base/text.h"
#include "base/time_text.h"

namespace shipmate::service {

using Word = HealthMachine::Word;

HealthWatch::HealthWatch(Executor executor, const base::Clock& clock, Hooks hooks)
    : executor_(std::move(executor)), clock_(clock), hooks_(std::move(hooks)), loop_(executor_) {}

void HealthWatch::Started(ProberOptions options) {
  Watch(std::move(options), true, {});
}

void HealthWatch::Found(ProberOptions options, std::chrono::milliseconds uptime) {
  Watch(std::move(options), false, uptime);
}

void HealthWatch::Watch(ProberOptions options, bool started, std::chrono::milliseconds uptime) {
  Ended(End::kOther, started ? "it was started again meanwhile" : "its settings were changed meanwhile");
  const config::HealthConfig& health = options.health;
  if (machine_) {
    machine_->Configure(health);
  } else {
    machine_ = std::make_unique<HealthMachine>(health);
  }
  on_ = true;
  start_period_ = health.start_period;
  const base::SteadyTime now = clock_.Now();
  const auto first = started ? machine_->Started(now) : machine_->Found(now, uptime);
  loop_.Spawn("health", Loop(std::make_shared<Prober>(executor_, std::move(options)), first, run_));
}

void HealthWatch::Ended(End end, std::string why) {
  ++run_;
  loop_.Cancel();
  on_ = false;
  reason_.clear();
  ended_ = std::move(why);
  if (machine_ && end == End::kStopped) machine_->Stopped();
  Wake();
}

void HealthWatch::Forget() {
  Ended(End::kOther, "its settings were changed meanwhile");
  machine_.reset();
}

void HealthWatch::Wake() {
  if (const auto changed = std::exchange(changed_, nullptr)) changed->Set();
}

Task<Result<void>> HealthWatch::AwaitHealthy() {
  const std::uint64_t run = run_;
  if (!machine_) co_return Result<void>();
  if (!on_) co_return Fail(Errc::kClosed, "not healthy yet when it ended: " + ended_);
  while (run == run_ && GetWord() == Word::kStarting) {
    if (!changed_) changed_ = std::make_shared<async::Event>(executor_);
    const auto changed = changed_;
    co_await changed->Wait();
  }
  if (run != run_) co_return Fail(Errc::kClosed, "not healthy yet when it ended: " + ended_);
  if (GetWord() != Word::kUnhealthy) co_return Result<void>();
  co_return Fail(Errc::kTimeout, "not healthy within " + base::FormatDuration(start_period_) + ": " + reason_);
}

Task<void> HealthWatch::Loop(std::shared_ptr<Prober> prober, HealthMachine::Actions first, std::uint64_t run) {
  base::SteadyTime next = first.probe_at;
  while (run == run_) {
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - clock_.Now());
    co_await async::Sleep(std::max(wait, std::chrono::milliseconds(0)));
    if (hooks_.runs) {
      const bool runs = co_await hooks_.runs();
      if (run != run_) co_return;
      // A unit that is not up yet is no less starting for that.
      if (!runs && GetWord() != Word::kStarting) {
        next = machine_->NotRunning(clock_.Now()).probe_at;
        reason_.clear();
        continue;
      }
    }
    const auto result = co_await prober->Probe();
    if (run != run_) co_return;
    reason_ = result ? "" : base::EscapeControls(result.error().what);
    const auto actions =
        machine_->Probed(result ? HealthMachine::Probe::kSucceeded : HealthMachine::Probe::kFailed, clock_.Now());
    next = actions.probe_at;
    if (GetWord() != Word::kStarting) Wake();
    Obey(actions);
  }
}

void HealthWatch::Obey(const HealthMachine::Actions& actions) {
  if (actions.news != HealthMachine::News::kNone) hooks_.news(actions.news, reason_);
  if (actions.restart) hooks_.restart();
}

}  // namespace shipmate::service
