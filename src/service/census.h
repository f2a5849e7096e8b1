#pragma once

// Census: a look at all processes of the machine, off the loop. Such a look costs milliseconds; whoever asks while one
// is being taken shares the next, so that stopping 500 services does not take 500 of them.

#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "async/offload.h"
#include "async/shared_look.h"
#include "async/task.h"
#include "base/result.h"
#include "os/cgroup.h"
#include "os/proc_info.h"

namespace shipmate::service {

/// What was there at one moment.
struct CensusView {
  std::vector<os::ProcessStat> processes;
  /// Value of SHIPMATE_INSTANCE by pid, for living processes of this state directory.
  std::map<pid_t, std::string> instances;
  /// Service by pid, for the processes that are in the control group of a service of this state directory.
  std::map<pid_t, std::string> groups;
};

/// Takes the look on the calling thread. `groups` may be null: then they are not looked at.
Result<CensusView> TakeCensus(const std::string& state_id, const os::Cgroups* groups = nullptr);

/// After the look number `tries` failed: waits for the next one, or throws, naming the cause, when a second has passed.
/// What keeps us from looking (no descriptors left) mostly passes; and to take nobody's being seen for nobody's being
/// there would leave processes behind, and start services twice.
Task<void> WaitToLookAgain(int tries, const Error& error);

/// What `look`, called on a worker, sees once it succeeds. REQUIRES: `pool` outlives the look.
template <class Looking>
Task<typename std::invoke_result_t<Looking>::value_type> LookPatiently(async::WorkerPool& pool, Looking look) {
  for (int tries = 1;; ++tries) {
    auto seen = co_await pool.Run(look);
    if (seen) co_return *std::move(seen);
    co_await WaitToLookAgain(tries, seen.error());
  }
}

class Census {
 public:
  /// REQUIRES: `pool` outlives every look.
  Census(Executor executor, async::WorkerPool& pool, std::string state_id,
         std::shared_ptr<const os::Cgroups> groups = nullptr);

  /// The control groups that are looked at; null where there can be none.
  const std::shared_ptr<const os::Cgroups>& Groups() const { return groups_; }

  /// A look that began after this call. Throws, naming the cause, when the processes cannot be looked at for
  /// a second.
  Task<std::shared_ptr<const CensusView>> Look();

 private:
  std::shared_ptr<const os::Cgroups> groups_;
  async::SharedLook<Result<CensusView>> look_;
};

/// How the processes of one instance of a service are recognised.
struct Traces {
  /// Process group and session of its leader; 0 = not to be looked for (the number may be somebody else's by now).
  pid_t pgid = 0;
  /// Its SHIPMATE_INSTANCE; "" = not to be looked for.
  std::string mark;
  /// Name of the service in whose control group it is; "" = not to be looked for.
  std::string group;
};

/// The living processes of `view` that bear one of the traces; never ourselves.
std::vector<os::ProcessStat> Members(const CensusView& view, const Traces& traces);

}  // namespace shipmate::service
