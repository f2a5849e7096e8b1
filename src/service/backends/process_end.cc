// ProcessBackend: how a process ends, by itself or because it is stopped, and how what it left behind is ended.

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "async/deadline.h"
#include "base/log.h"
#include "base/time_text.h"
#include "os/child_process.h"
#include "service/backends/process_instance.h"
#include "service/leftovers.h"
#include "service/logfile.h"

namespace shipmate::service::backends {

namespace {

// A stop is mostly over within this; only for one that takes longer it is worth looking for strays at once.
constexpr std::chrono::milliseconds kQuickStop{100};
constexpr int kLooks = 5;

}  // namespace

std::string ProcessBackend::WatcherName(const Instance& instance) const {
  return fmt::format("{}: watching pid {}", context_.service->name, instance.identity.pid);
}

// By a call, not by a coroutine that waits: a service that runs needs no room for what follows its end.
bool ProcessBackend::AwaitEnd(const std::shared_ptr<Instance>& instance) {
  auto watch =
      os::ExitWatch::Create(context_.executor, instance->pidfd.Get(), [this, held = std::weak_ptr<Instance>(instance)] {
        const auto ended = held.lock();
        if (ended) watchers_.Spawn(WatcherName(*ended), Conclude(ended));
      });
  if (!watch) {
    LogWarn(WatcherName(*instance) + ": " + watch.error().what);
    return false;
  }
  instance->watch = *std::move(watch);
  return true;
}

// Not given up when we are short of descriptors: a service nobody watches would be shown as running for ever.
Task<void> ProcessBackend::AwaitEndLater(std::shared_ptr<Instance> instance) {
  constexpr std::chrono::seconds kRetry{1};
  do {
    co_await async::Sleep(kRetry);
  } while (!AwaitEnd(instance));
}

Task<void> ProcessBackend::Conclude(std::shared_ptr<Instance> instance) {
  instance->ended = true;
  const auto uptime = UptimeOf(*instance);
  if (instance->launching) co_await instance->launched.Wait();
  if (instance->never_ran) {
    co_await os::WaitExit(instance->pidfd.Get());
    instance->watch.reset();
    instance->settled.Set();
    co_return;
  }
  if (instance->stopping) {
    instance->leader_ended.Set();
    co_return;
  }
  // Before it is reaped: until then its group's number is its own.
  try {
    const Traces traces{.pgid = instance->identity.pgid, .mark = instance->mark, .group = GroupName()};
    // Again where a look missed somebody: one that was forked by another that ended meanwhile.
    for (int look = 0; look < kLooks; ++look) {
      const auto view = co_await context_.census->Look();
      instance->leftovers = Members(*view, traces);
      if (!instance->leftovers.empty() || !IsPopulated(*context_.census, traces.group)) break;
    }
  } catch (const std::exception& error) {
    instance->unseen = true;
    LogWarn(context_.service->name + ": looking for what it left behind: " + error.what());
  }
  Exit exit;
  exit.generation = instance->generation;
  exit.pid = instance->identity.pid;
  exit.uptime = uptime;
  exit.status = co_await os::WaitExit(instance->pidfd.Get());
  instance->watch.reset();
  Mark(*instance,
       fmt::format("Exited at {}: {}", base::FormatRfc3339(context_.clock->WallNow()), exit.status.Describe()));
  if (!instance->MayHaveLeft() && instance == instance_) keeper_.RunEnded();
  instance->settled.Set();
  if (exit_sink_) {
    exit_sink_(std::move(exit));
  } else {
    early_exits_.push_back(std::move(exit));
  }
}

void ProcessBackend::Mark(const Instance& instance, const std::string& what) const {
  if (instance.identity.log_path.empty()) return;
  if (const auto marked = AppendMarker(instance.identity.log_path, "=== " + what + " ==="); !marked) {
    LogWarn(context_.service->name + ": " + marked.error().what);
  }
}

Task<Result<Change>> ProcessBackend::StopWhole() {
  const auto instance = instance_;
  if (instance && instance->ended) co_await instance->settled.Wait();
  // Nobody is known of; the control group may know better.
  if (!instance || (instance->ended && !instance->MayHaveLeft())) {
    if (GroupName().empty()) co_return Change::kAlready;
    const auto view = co_await context_.census->Look();
    if (Members(*view, {.group = GroupName()}).empty() && !IsPopulated(*context_.census, GroupName())) {
      co_return Change::kAlready;
    }
    if (const auto emptied = co_await EmptyGroup(); !emptied) co_return Fail(emptied.error());
    co_await RemoveGroup();
    co_return Change::kDone;
  }
  if (!instance->ended) {
    const auto stopped = co_await StopLiving(instance);
    if (stopped) co_await RemoveGroup();
    co_return stopped;
  }
  co_await instance->settled.Wait();
  const bool had_leftovers = instance->MayHaveLeft();
  if (const auto ended = co_await EndLeftovers(instance); !ended) co_return Fail(ended.error());
  co_return had_leftovers ? Change::kDone : Change::kAlready;
}

Task<Result<void>> ProcessBackend::EndLeftovers(std::shared_ptr<Instance> instance) {
  co_await instance->settled.Wait();
  if (!instance->MayHaveLeft()) co_return Result<void>();
  const auto view = co_await context_.census->Look();
  const EndOptions options{.signal = context_.service->stop_signal, .grace = context_.service->stop_timeout};
  instance->leftovers = co_await EndMembers(*context_.census, instance->TracesIn(*view, GroupName()), options);
  instance->unseen = false;
  if (instance->leftovers.empty()) {
    keeper_.RunEnded();
    co_return Result<void>();
  }
  co_return Fail(Errc::kTimeout, "did not die: " + Describe(instance->leftovers));
}

Task<Result<Change>> ProcessBackend::StopLiving(std::shared_ptr<Instance> instance) {
  using Clock = std::chrono::steady_clock;
  const StopScope scope(instance);
  const os::ProcessState& identity = instance->identity;
  const int signal = context_.service->stop_signal;
  const auto deadline = Clock::now() + context_.service->stop_timeout;
  const auto left = [deadline] {
    return std::max(std::chrono::milliseconds(0),
                    std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()));
  };
  // Unreaped, or still the one recorded: then the group's number is its own.
  const auto send = [&](int number) -> Result<void> {
    const auto stat = os::ReadStat(identity.pid);
    if (!stat || (identity.start_ticks != 0 && stat->start_ticks != identity.start_ticks)) return {};
    if (stat->pgid != identity.pgid) {
      return Fail(Errc::kInvalid, fmt::format("pid {} is in process group {}, not in the recorded one ({})",
                                              identity.pid, stat->pgid, identity.pgid));
    }
    return os::SignalGroup(identity.pgid, number);
  };

  if (const auto sent = send(signal); !sent && sent.error().code != Errc::kNotFound) co_return Fail(sent.error());
  const Traces traces{.pgid = identity.pgid, .mark = instance->mark, .group = GroupName()};
  EndOptions options{.signal = signal, .spare = identity.pid, .signalled_group = identity.pgid};
  if (!co_await instance->leader_ended.WaitFor(std::min(left(), kQuickStop))) {
    // Those that left the group have heard nothing yet.
    const auto view = co_await context_.census->Look();
    for (const os::ProcessStat& member : Members(*view, traces)) {
      if (member.pgid == identity.pgid) continue;
      const auto pidfd = os::OpenPidfd(member.pid);
      const auto now = os::ReadStat(member.pid);
      // What cannot be signalled now is met again below.
      if (pidfd && now && now->start_ticks == member.start_ticks) (void)os::SignalPidfd(pidfd->Get(), signal);
    }
    if (!co_await instance->leader_ended.WaitFor(left())) {
      if (const auto killed = send(SIGKILL); !killed && killed.error().code != Errc::kNotFound) {
        co_return Fail(killed.error());
      }
      if (!co_await instance->leader_ended.WaitFor(kKillWait)) {
        const auto stat = os::ReadStat(identity.pid);
        co_return Fail(Errc::kTimeout,
                       "did not die: " + Describe({stat.value_or(os::ProcessStat{.pid = identity.pid})}));
      }
    }
  }
  options.grace = left();
  instance->unseen = true;
  instance->leftovers = co_await EndMembers(*context_.census, traces, options);
  instance->unseen = false;
  if (!instance->leftovers.empty()) co_return Fail(Errc::kTimeout, "did not die: " + Describe(instance->leftovers));
  Mark(*instance, "Stopped at " + base::FormatRfc3339(context_.clock->WallNow()));
  keeper_.RunEnded();
  co_return Change::kDone;
}

// Whoever is in the control group while no instance runs was left by one that we do not know any more.
Task<Result<void>> ProcessBackend::EmptyGroup() {
  const EndOptions options{.signal = context_.service->stop_signal, .grace = context_.service->stop_timeout};
  const auto survivors = co_await EndMembers(*context_.census, {.group = GroupName()}, options);
  if (!survivors.empty()) co_return Fail(Errc::kTimeout, "did not die: " + Describe(survivors));
  co_return Result<void>();
}

Task<void> ProcessBackend::RemoveGroup() {
  const auto groups = context_.census->Groups();
  if (!groups) co_return;
  co_await context_.pool->Run([groups, name = context_.service->name] {
    groups->Remove(name);
    return true;
  });
}

}  // namespace shipmate::service::backends
