#include "service/census.h"

#include <exception>
#include <utility>

#include "async/latch.h"
#include "async/spawn.h"
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

struct Census::Round {
  explicit Round(const Executor& executor) : done(executor) {}
  std::shared_ptr<const CensusView> view;
  std::exception_ptr failure;
  async::Event done;
};

struct Census::Shared {
  Executor executor;
  async::WorkerPool* pool;
  std::string state_id;
  std::shared_ptr<const os::Cgroups> groups;
  std::shared_ptr<Round> running;
  std::shared_ptr<Round> next;
};

Census::Census(Executor executor, async::WorkerPool& pool, std::string state_id,
               std::shared_ptr<const os::Cgroups> groups)
    : shared_(std::make_shared<Shared>(
          Shared{std::move(executor), &pool, std::move(state_id), std::move(groups), nullptr, nullptr})) {}

const std::shared_ptr<const os::Cgroups>& Census::Groups() const {
  return shared_->groups;
}

Task<void> Census::Run(std::shared_ptr<Shared> shared) {
  while (shared->running) {
    try {
      CensusView view = co_await shared->pool->Run(
          [state_id = shared->state_id, groups = shared->groups] { return TakeCensus(state_id, groups.get()); });
      shared->running->view = std::make_shared<const CensusView>(std::move(view));
    } catch (...) {
      shared->running->failure = std::current_exception();
    }
    shared->running->done.Set();
    shared->running = std::exchange(shared->next, nullptr);
  }
}

Task<std::shared_ptr<const CensusView>> Census::Look() {
  std::shared_ptr<Round>& slot = shared_->running ? shared_->next : shared_->running;
  const bool idle = !shared_->running;
  if (!slot) slot = std::make_shared<Round>(shared_->executor);
  const std::shared_ptr<Round> round = slot;
  if (idle) async::Spawn(shared_->executor, "census", Run(shared_));
  co_await round->done.Wait();
  if (round->failure) std::rethrow_exception(round->failure);
  co_return round->view;
}

std::vector<os::ProcessStat> Members(const CensusView& view, const Traces& traces) {
  std::vector<os::ProcessStat> members;
  for (const os::ProcessStat& process : view.processes) {
    if (!process.Lives() || process.pid <= 1 || process.pid == os::OwnPid()) continue;
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
