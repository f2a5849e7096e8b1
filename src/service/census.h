#pragma once

// Census: a look at all processes of the machine, off the loop. Such a look costs milliseconds; whoever asks while one
// is being taken shares the next, so that stopping 500 services does not take 500 of them.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "async/offload.h"
#include "async/shared_look.h"
#include "async/task.h"
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
CensusView TakeCensus(const std::string& state_id, const os::Cgroups* groups = nullptr);

class Census {
 public:
  /// REQUIRES: `pool` outlives every look.
  Census(Executor executor, async::WorkerPool& pool, std::string state_id,
         std::shared_ptr<const os::Cgroups> groups = nullptr);

  /// The control groups that are looked at; null where there can be none.
  const std::shared_ptr<const os::Cgroups>& Groups() const { return groups_; }

  /// A look that began after this call.
  Task<std::shared_ptr<const CensusView>> Look() { return look_.Look(); }

 private:
  std::shared_ptr<const os::Cgroups> groups_;
  async::SharedLook<CensusView> look_;
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
