#include "service/leftovers.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <set>
#include <utility>

#include "async/deadline.h"
#include "base/text.h"
#include "os/child_process.h"
#include "os/exit_watch.h"

namespace shipmate::service {

namespace {

using Clock = std::chrono::steady_clock;

// How long one member is waited for before all are looked at again.
constexpr std::chrono::milliseconds kLookAgain{200};
// How long until a look that missed somebody, or those that were seen, is followed by the next.
constexpr std::chrono::milliseconds kBriefly{10};

Task<Result<void>> WaitEnd(int pidfd) {
  co_await os::WaitExit(pidfd);
  co_return Result<void>();
}

// A pidfd that is known to be of `process`; empty when that is gone.
os::UniqueFd Hold(const os::ProcessStat& process) {
  auto pidfd = os::OpenPidfd(process.pid);
  if (!pidfd) return {};
  const auto now = os::ReadStat(process.pid);
  if (!now || now->start_ticks != process.start_ticks) return {};
  return *std::move(pidfd);
}

}  // namespace

bool IsPopulated(const Census& census, const std::string& group) {
  return !group.empty() && census.Groups() && census.Groups()->Populated(group);
}

Task<std::vector<os::ProcessStat>> EndMembers(Census& census, Traces traces, EndOptions options) {
  auto deadline = Clock::now() + options.grace;
  bool killing = false;
  std::set<std::pair<pid_t, std::uint64_t>> signalled;
  while (true) {
    const auto view = co_await census.Look();
    std::vector<os::ProcessStat> members = Members(*view, traces);
    std::erase_if(members, [&](const os::ProcessStat& member) { return member.pid == options.spare; });
    const bool missed = members.empty() && IsPopulated(census, traces.group);
    if (members.empty() && !missed) co_return members;
    if (Clock::now() >= deadline) {
      if (killing) co_return members;
      killing = true;
      signalled.clear();
      deadline = Clock::now() + kKillWait;
    }
    os::UniqueFd first;
    for (const os::ProcessStat& member : members) {
      os::UniqueFd pidfd = Hold(member);
      if (!pidfd) continue;
      const bool had_it = !killing && options.signalled_group != 0 && member.pgid == options.signalled_group;
      if (!had_it && signalled.emplace(member.pid, member.start_ticks).second) {
        // A failure shows in the next look: the process is gone, or it lives on and is named as a survivor.
        (void)os::SignalPidfd(pidfd.Get(), killing ? SIGKILL : options.signal);
      }
      if (!first) first = std::move(pidfd);
    }
    // Those that fork faster than they are looked at.
    if (killing && !traces.group.empty() && census.Groups()) census.Groups()->Kill(traces.group);
    if (!first) co_await async::Sleep(kBriefly);
    if (!first) continue;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    (void)co_await async::WithDeadline(WaitEnd(first.Get()), std::clamp(left, std::chrono::milliseconds(1), kLookAgain),
                                       "waiting for a process to end");
  }
}

std::string Describe(const std::vector<os::ProcessStat>& processes) {
  std::string text;
  for (const os::ProcessStat& process : processes) {
    text += fmt::format("{}pid {} ({})", text.empty() ? "" : ", ", process.pid, base::EscapeControls(process.name));
  }
  return text;
}

}  // namespace shipmate::service
