#include "service/health.h"

#include <algorithm>
#include <utility>

namespace shipmate::service {

namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// Whoever waits for a start wants to know soon: the first probes come quickly one after another.
constexpr milliseconds kFirstProbe{100};
constexpr milliseconds kSlowestWhileStarting{1000};

constexpr milliseconds kFirstRestartWait{seconds(10)};
constexpr milliseconds kLongestRestartWait{minutes(10)};
// Healthy for this long, and the restarts before are forgotten.
constexpr milliseconds kStable{minutes(1)};

}  // namespace

HealthMachine::Actions HealthMachine::Started(base::SteadyTime now) {
  word_ = Word::kStarting;
  end_ = now + config_.start_period;
  failures_ = 0;
  start_interval_ = kFirstProbe;
  return {.probe_at = NextWhileStarting(now)};
}

HealthMachine::Actions HealthMachine::Found(base::SteadyTime now, milliseconds uptime) {
  failures_ = 0;
  if (uptime >= config_.start_period) {
    word_ = Word::kUnknown;
    return {.probe_at = now};
  }
  word_ = Word::kStarting;
  end_ = now + (config_.start_period - uptime);
  start_interval_ = kFirstProbe;
  return {.probe_at = now};
}

HealthMachine::Actions HealthMachine::NotRunning(base::SteadyTime now) {
  word_ = Word::kUnknown;
  failures_ = 0;
  return {.probe_at = now + config_.interval};
}

void HealthMachine::Stopped() {
  word_ = Word::kUnknown;
  failures_ = 0;
  told_ = false;
  restarts_ = 0;
}

HealthMachine::Actions HealthMachine::Probed(Probe result, base::SteadyTime now) {
  return result == Probe::kSucceeded ? Succeeded(now) : Failed(now);
}

HealthMachine::Actions HealthMachine::Succeeded(base::SteadyTime now) {
  Actions actions{.probe_at = now + config_.interval};
  failures_ = 0;
  if (word_ != Word::kHealthy) healthy_since_ = now;
  word_ = Word::kHealthy;
  if (now - healthy_since_ >= kStable) restarts_ = 0;
  if (std::exchange(told_, false)) actions.news = News::kHealthy;
  return actions;
}

HealthMachine::Actions HealthMachine::Failed(base::SteadyTime now) {
  Actions actions{.probe_at = now + config_.interval};
  ++failures_;
  switch (word_) {
    case Word::kStarting:
      if (now < end_) {
        actions.probe_at = NextWhileStarting(now);
      } else {
        BecomeUnhealthy(now, actions);
      }
      break;
    case Word::kUnknown:
    case Word::kHealthy:
      if (failures_ >= config_.threshold) BecomeUnhealthy(now, actions);
      break;
    case Word::kUnhealthy:
      break;
  }
  const bool restarts = config_.on_unhealthy == config::HealthConfig::OnUnhealthy::kRestart;
  if (word_ != Word::kUnhealthy || !restarts || now < restart_at_) return actions;
  actions.restart = true;
  constexpr unsigned kMostDoublings = 10;
  restart_at_ = now + std::min(kLongestRestartWait, kFirstRestartWait * (1U << std::min(restarts_, kMostDoublings)));
  ++restarts_;
  return actions;
}

void HealthMachine::BecomeUnhealthy(base::SteadyTime now, Actions& actions) {
  word_ = Word::kUnhealthy;
  // After restarts that did not help the wait goes on.
  if (restarts_ == 0) restart_at_ = now;
  if (!std::exchange(told_, true)) actions.news = News::kUnhealthy;
}

base::SteadyTime HealthMachine::NextWhileStarting(base::SteadyTime now) {
  const auto slowest = std::min(kSlowestWhileStarting, config_.interval);
  const auto next = now + std::min(start_interval_, slowest);
  start_interval_ = std::min(start_interval_ * 2, slowest);
  return std::min(next, end_);
}

std::string_view ToString(HealthMachine::Word word) {
  switch (word) {
    case HealthMachine::Word::kUnknown:
      return "";
    case HealthMachine::Word::kStarting:
      return "starting";
    case HealthMachine::Word::kHealthy:
      return "healthy";
    case HealthMachine::Word::kUnhealthy:
      return "unhealthy";
  }
  return "";
}

}  // namespace shipmate::service
