#pragma once

// StateWriter: writes one service's state file, each version after the one before, so that an older one can never come
// over a newer. A write that was begun is finished even if the coroutine that asked for it is cancelled.

#include <memory>
#include <string>

#include "async/offload.h"
#include "async/task.h"
#include "base/result.h"
#include "service/state.h"

namespace shipmate::service {

class StateWriter {
 public:
  /// REQUIRES: `pool` outlives every write.
  StateWriter(Executor executor, async::WorkerPool& pool, std::string dir, std::string name);

  /// Writes `state`; versions reach the disk in the order of the calls. Synced ones are written by the pool, the others
  /// at once on the loop where nothing is before them.
  Task<Result<void>> Write(State state, os::Sync sync);
  /// Returns when no write is under way.
  Task<void> Idle();

 private:
  struct Job;
  static Task<void> Run(std::shared_ptr<Job> job);

  Executor executor_;
  async::WorkerPool& pool_;
  std::string dir_;
  std::string name_;
  /// The newest that needed to wait for something.
  std::shared_ptr<Job> last_;
};

}  // namespace shipmate::service
