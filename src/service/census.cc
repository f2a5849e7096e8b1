#include "service/census.h"

#include <utility>

#include "service/environment.h"

namespace shipmate::service {

CensusView TakeCensus(const std::string& state_id, const os::Cgroups* groups) {
  CensusView view;
  view.instances = os::FindByEnviron(kInstanceMark, state_id + "/");
  // Second, so that a process forked in between by a marked one is in the list, found by its group.
  view.processes = os::AllProcesses();
  if (groups == nullptr) return view;
  for (const os::ProcessStat& process : view.processes) {
    if (!process.Lives()) continue;
    if (auto service = groups->ServiceOf(process.pid)) view.groups.emplace(process.pid, *std::move(service));
  }
  return view;
}

Census::Census(Executor executor, async::WorkerPool& pool, std::string state_id,
               std::shared_ptr<const os::Cgroups> groups)
    : groups_(std::move(groups)),
      look_(std::move(executor), pool, "census",
            [state_id = std::move(state_id), groups = groups_] { return TakeCensus(state_id, groups.get()); }) {}

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
