#pragma once

// For the files of ProcessBackend alone: one process with what belongs to it, from its spawn (or adoption) until its
// end has been dealt with, and the marks of who is at work on it.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "async/latch.h"
#include "base/result.h"
#include "os/child_process.h"
#include "os/exit_watch.h"
#include "os/proc_info.h"
#include "os/unique_fd.h"
#include "service/backends/process.h"
#include "service/census.h"

namespace shipmate::service::backends {

struct ProcessBackend::Instance {
  explicit Instance(const Executor& executor) : launched(executor), leader_ended(executor), settled(executor) {}

  std::uint64_t generation = 0;
  os::ProcessState identity;
  std::string mark;
  os::UniqueFd pidfd;
  /// Until it has ended and been reaped.
  std::unique_ptr<os::ExitWatch> watch;
  /// The leader has exited.
  bool ended = false;
  /// A Stop is under way and takes care of the end.
  bool stopping = false;
  /// The helper has not yet become the program, and this will be set once it has or has failed.
  bool launching = false;
  async::Event launched;
  /// It never became the program: there is no end to report.
  bool never_ran = false;
  Error failure;
  async::Event leader_ended;
  /// The end has been dealt with: reaped, and what it left behind is in `leftovers`.
  async::Event settled;
  std::vector<os::ProcessStat> leftovers;
  /// What it left behind could not be looked for.
  bool unseen = false;
  bool MayHaveLeft() const { return unseen || !leftovers.empty(); }

  // The group's number is trusted only while a process that is known to be of it lives: it may be taken over later.
  Traces TracesIn(const CensusView& view, const std::string& group) const {
    const bool held = std::ranges::any_of(leftovers, [&](const os::ProcessStat& leftover) {
      return std::ranges::any_of(view.processes, [&](const os::ProcessStat& process) {
        return process.pid == leftover.pid && process.start_ticks == leftover.start_ticks &&
               (process.pgid == identity.pgid || process.session == identity.pgid);
      });
    });
    return {.pgid = held ? identity.pgid : 0, .mark = mark, .group = group};
  }
};

// While the helper is at work. However that ends, the watcher goes on.
class ProcessBackend::LaunchScope {
 public:
  explicit LaunchScope(std::shared_ptr<Instance> instance) : instance_(std::move(instance)) {}
  ~LaunchScope() {
    instance_->launching = false;
    instance_->launched.Set();
  }
  LaunchScope(const LaunchScope&) = delete;
  LaunchScope& operator=(const LaunchScope&) = delete;

 private:
  std::shared_ptr<Instance> instance_;
};

// While a Stop is under way. However it ends, the leader's end is taken care of by somebody.
class ProcessBackend::StopScope {
 public:
  explicit StopScope(std::shared_ptr<Instance> instance) : instance_(std::move(instance)) {
    instance_->stopping = true;
  }
  ~StopScope() {
    instance_->stopping = false;
    if (!instance_->ended) return;
    os::ReapExited(instance_->pidfd.Get());
    instance_->watch.reset();
    os::ReleaseChild(instance_->identity.pid);
    instance_->settled.Set();
  }
  StopScope(const StopScope&) = delete;
  StopScope& operator=(const StopScope&) = delete;

 private:
  std::shared_ptr<Instance> instance_;
};

}  // namespace shipmate::service::backends
