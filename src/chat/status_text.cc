#include "chat/status_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/time_text.h"
#include "chat/clean.h"

namespace shipmate::chat {

namespace {

// More services than this, and only those that want attention are shown singly.
constexpr std::size_t kShownSingly = 20;
constexpr std::size_t kLongestReason = 200;

bool IsRunning(const service::ServiceView& view) {
  return view.state.status == "running";
}
bool IsFailed(const service::ServiceView& view) {
  return view.state.status == "failed";
}
bool IsDeployOnly(const service::ServiceView& view) {
  return view.kind == config::ServiceKind::kNone;
}
bool IsDown(const service::ServiceView& view) {
  return !IsRunning(view) && !IsDeployOnly(view) && view.state.status != "starting" && !view.finished;
}
bool IsWaiting(const service::ServiceView& view) {
  return view.state.status == "backoff";
}
std::string Crashes(unsigned count) {
  return fmt::format("{} crash{}", count, count == 1 ? "" : "es");
}
// "backoff: next start in 4s (3 crashes)", "failed: 5 crashes in 1m"; else the status word.
std::string StateAndWhy(const service::ServiceView& view) {
  if (IsDeployOnly(view)) return "deploys only";
  if (IsWaiting(view)) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(view.next_start);
    return fmt::format("backoff: next start in {} ({})", base::FormatDuration(left), Crashes(view.crashes));
  }
  if (IsFailed(view) && !view.reason.empty()) return "failed: " + view.reason;
  if (view.paused && view.state.status == "stopped") return "stopped, its schedule too";
  if (view.finished && !view.next_run.empty()) return "next run at " + view.next_run;
  return view.finished ? "finished" : view.state.status;
}
bool DeployFailed(const service::ServiceView& view) {
  return view.deploy.empty() && view.state.last_result == "failed";
}
// It should run, and does not.
bool IsMissing(const service::ServiceView& view) {
  return IsFailed(view) || (IsDown(view) && view.desired == service::Desired::kUp);
}
bool IsUnhealthy(const service::ServiceView& view) {
  return view.health == "unhealthy";
}
bool WantsAttention(const service::ServiceView& view) {
  return IsMissing(view) || IsUnhealthy(view) || DeployFailed(view) || !view.deploy.empty();
}

std::string_view Mark(const service::ServiceView& view) {
  if (IsMissing(view)) return "\u2717";                                       // ballot x
  if (IsUnhealthy(view)) return "\u25d0";                                     // circle half black
  if (IsRunning(view)) return "\u25cf";                                       // black circle
  if (view.state.status == "stopped" || IsDeployOnly(view)) return "\u25cb";  // white circle
  return "\u2026";                                                            // ellipsis
}

// "running 3h, deploying 12s"
std::string StateText(const service::ServiceView& view) {
  std::string text = StateAndWhy(view);
  if (IsRunning(view) && view.uptime.count() > 0) text += " " + base::FormatDuration(view.uptime);
  if (IsMissing(view) && !view.last_exit.empty() && view.reason != view.last_exit) text += ", " + view.last_exit;
  if (IsUnhealthy(view)) text += ", unhealthy: " + Shorten(view.health_reason, kLongestReason);
  if (view.deploy == "deploying") {
    text += ", deploying " + base::FormatDuration(view.deploy_elapsed);
  } else if (!view.deploy.empty()) {
    text += ", deploy " + view.deploy;
  } else if (DeployFailed(view)) {
    text += ", last deploy failed";
  }
  return text;
}

Text Line(const service::ServiceView& view) {
  return Text().Plain(std::string(Mark(view)) + " ").Bold(view.name).Plain(" " + StateText(view));
}

// Down first, then what else wants attention.
int Urgency(const service::ServiceView& view) {
  if (IsMissing(view)) return 0;
  if (IsUnhealthy(view)) return 1;
  if (DeployFailed(view)) return 1;
  return view.deploy.empty() ? 3 : 2;
}

std::string Ago(base::WallTime then, const base::Clock& clock) {
  return base::FormatDuration(clock.WallNow() - then) + " ago";
}

// "12.5 MiB"
std::string Size(std::uint64_t bytes) {
  constexpr std::uint64_t kUnit = 1024;
  constexpr std::array<std::string_view, 4> kUnits = {"KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes) / kUnit;
  std::size_t unit = 0;
  while (value >= kUnit && unit + 1 < kUnits.size()) {
    value /= kUnit;
    ++unit;
  }
  return value < 10 && unit > 0 ? fmt::format("{:.1f} {}", value, kUnits[unit])
                                : fmt::format("{:.0f} {}", value, kUnits[unit]);
}

void AddUse(Message& message, const service::ServiceUse& use) {
  if (use.processes > 0) {
    message.lines.emplace_back(
        fmt::format("memory: {} in {} process{}", Size(use.memory), use.processes, use.processes == 1 ? "" : "es"));
    message.lines.emplace_back(fmt::format("CPU: {:.0f} %", use.processor * 100));
  }
  message.lines.emplace_back(fmt::format("log: {} on disk", Size(use.logs)));
}

// How the last process that ended by itself ended; else how it came about that none runs.
void AddLastEnd(Message& message, const service::ServiceView& view, const base::Clock& clock) {
  if (view.last_end.empty()) {
    if (!view.last_exit.empty()) message.lines.emplace_back("last exit: " + view.last_exit);
    return;
  }
  std::string line = "last exit: " + view.last_end;
  if (view.last_end_time != base::WallTime()) line += ", " + Ago(view.last_end_time, clock);
  message.lines.emplace_back(std::move(line));
}

}  // namespace

Message StatusDetails(const service::ServiceView& view, const base::Clock& clock,
                      const std::optional<service::ServiceUse>& use, std::string_view prefix) {
  Message message;
  message.headline.Plain(std::string(Mark(view)) + " ").Bold(view.name).Plain(": " + StateAndWhy(view));
  if (IsFailed(view) && !view.reason.empty())
    message.headline.Plain("; start it with ").Code(std::string(prefix) + "start " + view.name);
  if (view.pid > 0) message.lines.emplace_back(fmt::format("pid {}", view.pid));
  if (IsRunning(view) && view.uptime.count() > 0) {
    message.lines.emplace_back("up for " + base::FormatDuration(view.uptime));
  }
  if (use) AddUse(message, *use);
  if (!view.health.empty()) {
    std::string line = "health: " + view.health;
    if (!view.health_reason.empty()) line += ": " + Shorten(view.health_reason, kLongestReason);
    message.lines.emplace_back(std::move(line));
  }
  if (!view.next_run.empty() && !view.finished) message.lines.emplace_back("next run at " + view.next_run);
  if (view.paused) {
    message.lines.push_back(
        Text("its schedule rests; run it now, and let the schedule go on, with ").Code("start " + view.name));
  }
  if (view.desired == service::Desired::kUp && !IsRunning(view) && !view.finished)
    message.lines.emplace_back("wanted: up");
  if (view.desired == service::Desired::kDown) message.lines.emplace_back("wanted: down");
  AddLastEnd(message, view, clock);
  if (view.restarts > 0) message.lines.emplace_back(fmt::format("restarts by itself: {}", view.restarts));
  if (view.state.last_restart != base::WallTime()) {
    message.lines.emplace_back("last restart: " + Ago(view.state.last_restart, clock));
  }
  if (view.deploy == "deploying") {
    message.lines.emplace_back("deploying for " + base::FormatDuration(view.deploy_elapsed));
  } else if (!view.deploy.empty()) {
    message.lines.emplace_back("deploy " + view.deploy);
  }
  if (!view.state.last_result.empty() || view.state.last_deploy != base::WallTime()) {
    Text line("last deploy: " + (view.state.last_result.empty() ? "not finished" : view.state.last_result));
    if (!view.state.failed_step.empty()) {
      line.Plain(" at step ").Code(Shorten(view.state.failed_step, kLongestReason));
    }
    if (view.state.last_deploy != base::WallTime()) line.Plain(", " + Ago(view.state.last_deploy, clock));
    message.lines.push_back(std::move(line));
  }
  return message;
}

Message StatusOverview(std::vector<service::ServiceView> views, std::string_view prefix) {
  Message message;
  if (views.empty()) {
    message.headline.Plain("No services configured.");
    return message;
  }
  const auto running = std::ranges::count_if(views, IsRunning);
  message.headline.Plain(fmt::format("{}/{} running", running, views.size()));
  if (views.size() <= kShownSingly) {
    for (const service::ServiceView& view : views) message.lines.push_back(Line(view));
    return message;
  }
  std::ranges::sort(views, [](const service::ServiceView& a, const service::ServiceView& b) {
    return std::pair(Urgency(a), std::string_view(a.name)) < std::pair(Urgency(b), std::string_view(b.name));
  });
  std::size_t quiet_running = 0;
  std::size_t stopped = 0;
  std::size_t other = 0;
  std::size_t attention = 0;
  for (const service::ServiceView& view : views) {
    if (WantsAttention(view)) {
      if (++attention <= kShownSingly) message.lines.push_back(Line(view));
    } else if (IsRunning(view)) {
      ++quiet_running;
    } else {
      ++(IsDown(view) ? stopped : other);
    }
  }
  if (attention > kShownSingly)
    message.lines.emplace_back(fmt::format("... and {} like these", attention - kShownSingly));
  if (quiet_running > 0) message.lines.emplace_back(fmt::format("\u25cf {} running", quiet_running));
  if (stopped > 0) message.lines.emplace_back(fmt::format("\u25cb {} stopped", stopped));
  if (other > 0) message.lines.emplace_back(fmt::format("\u2026 {} others", other));
  message.lines.push_back(Text().Plain("more: ").Code(std::string(prefix) + "status <service>..."));
  return message;
}

}  // namespace shipmate::chat
