#include "service/census.h"

#include <chrono>
#include <stdexcept>
#include <utility>

#include "async/deadline.h"
#include "service/environment.h"

namespace shipmate::service {

namespace {

constexpr int kTries = 20;
constexpr std::chrono::milliseconds kPause{50};

}  // namespace

Result<CensusView> TakeCensus(const std::string& state_id, const os::Cgroups* groups) {
  auto instances = os::FindByEnviron(kInstanceMark, state_id + "/");
  if (!instances) return Fail(instances.error());
  // Second, so that a process forked in between by a marked one is in the list, found by its group.
  auto processes = os::AllProcesses();
  if (!processes) return Fail(processes.error());
  CensusView view{.processes = *std::move(processes), .instances = *std::move(instances), .groups = {}};
  if (groups == nullptr) return view;
  for (const os::ProcessStat& process : view.processes) {
    if (!process.Lives()) continue;
    if (auto service = groups->ServiceOf(process.pid)) view.groups.emplace(process.pid, *std::move(service));
  }
  return view;
}

Task<void> WaitToLookAgain(int tries, const Error& error) {
  if (tries >= kTries) throw std::runtime_error(error.what);
  co_await async::Sleep(kPause);
}

Census::Census(Executor executor, async::WorkerPool& pool, std::string state_id,
               std::shared_ptr<const os::Cgroups> groups)
    : groups_(std::move(groups)),
      look_(std::move(executor), pool, "census",
            [state_id = std::move(state_id), groups = groups_] { return TakeCensus(state_id, groups.get()); }) {}

Task<std::shared_ptr<const CensusView>> Census::Look() {
  for (int tries = 1;; ++tries) {
    const auto seen = co_await look_.Look();
    if (*seen) co_return std::shared_ptr<const CensusView>(seen, &**seen);
    co_await WaitToLookAgain(tries, seen->error());
  }
}

std::vector<os::ProcessStat> Members(const CensusView& view, const Traces& traces) {
  std::vector<os::ProcessStat> members;
  const pid_t own = os::OwnPid();
  for (const os::ProcessStat& process : view.processes) {
    if (!process.Lives() || process.pid <= 1 || process.pid == own) continue;
    const bool grouped = traces.pgid > 1 && (process.pgid == traces.pgid || process.session == traces.pgid);
    const auto instance = view.instances.find(process.pid);
    const bool marked = !traces.mark.empty() && instance != view.instances.end() && instance->second == traces.mark;
    const auto group = view.groups.find(process.pid);
    const bool held = !traces.group.empty() && group != view.groups.end() && group->second == traces.group;
    if (grouped || marked || held) members.push_back(process);
  }
  return members;
}

}  // namespace shipmate::service
