#include "service/orphans.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "os/child_process.h"
#include "service/environment.h"
#include "service/leftovers.h"
#include "service/state.h"

namespace shipmate::service {

namespace {

// Other programs' JSON may well parse as a state with nothing in it.
bool HasOurShape(const State& state) {
  static const std::set<std::string> kWords = {"running", "stopped", "failed", "starting", "stopping", "deploying"};
  return kWords.contains(state.status) && (state.backend.has_value() || state.generation > 0);
}

bool MayBeSignalled(const os::ProcessState& recorded) {
  if (recorded.pid <= 1 || !os::MaySignalGroup(recorded.pgid)) return false;
  const auto stat = os::ReadStat(recorded.pid);
  return stat && stat->Lives() && stat->pgid == recorded.pgid && os::HasIdentity(recorded) &&
         os::VerifyProcess(recorded);
}

}  // namespace

std::vector<Orphan> FindOrphans(const std::string& state_dir, const std::set<std::string>& configured,
                                const CensusView& view, const std::string& state_id) {
  if (configured.empty()) return {};
  std::map<std::string, Orphan> orphans;
  std::error_code failed;
  std::filesystem::directory_iterator entry(state_dir, failed);
  for (const std::filesystem::directory_iterator end; !failed && entry != end; entry.increment(failed)) {
    const std::filesystem::path& path = entry->path();
    const std::string name = path.stem().string();
    if (path.extension() != ".json" || configured.contains(name)) continue;
    const auto loaded = LoadState(state_dir, name);
    if (!loaded || !HasOurShape(loaded->state)) continue;
    Orphan& orphan = orphans[name];
    orphan.has_file = true;
    if (loaded->state.backend && MayBeSignalled(*loaded->state.backend)) orphan.process = loaded->state.backend;
  }
  for (const auto& [pid, value] : view.instances) {
    Mark mark;
    if (pid == os::OwnPid() || !ParseMark(value, state_id, mark) || configured.contains(mark.service)) continue;
    std::vector<std::string>& marks = orphans[mark.service].marks;
    if (std::ranges::find(marks, value) == marks.end()) marks.push_back(value);
  }
  for (const auto& [pid, service] : view.groups) {
    if (pid != os::OwnPid() && !configured.contains(service)) orphans[service].grouped = true;
  }
  std::vector<Orphan> result;
  for (auto& [name, orphan] : orphans) {
    orphan.name = name;
    result.push_back(std::move(orphan));
  }
  return result;
}

Task<OrphanEnd> EndOrphan(Census& census, std::string state_dir, Orphan orphan) {
  OrphanEnd result;
  // Again: it was looked at some time ago.
  if (orphan.process && MayBeSignalled(*orphan.process)) {
    result.stopped = true;
    result.survivors = co_await EndMembers(census, {.pgid = orphan.process->pgid}, {});
  }
  for (const std::string& mark : orphan.marks) {
    const auto view = co_await census.Look();
    if (Members(*view, {.mark = mark}).empty()) continue;
    result.stopped = true;
    const auto survivors = co_await EndMembers(census, {.mark = mark}, {});
    result.survivors.insert(result.survivors.end(), survivors.begin(), survivors.end());
  }
  if (orphan.grouped) {
    result.stopped = true;
    const auto survivors = co_await EndMembers(census, {.group = orphan.name}, {});
    result.survivors.insert(result.survivors.end(), survivors.begin(), survivors.end());
  }
  if (census.Groups()) census.Groups()->Remove(orphan.name);
  if (!result.survivors.empty()) {
    result.stopped = false;
  } else if (orphan.has_file) {
    RemoveState(state_dir, orphan.name);
  }
  co_return result;
}

}  // namespace shipmate::service
