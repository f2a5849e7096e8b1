#pragma once

// Orphans: processes of this state directory whose service is no longer configured. Only what is provably ours is
// touched: state files in our shape, and processes that are verified to be the ones recorded, bear our mark, or are in
// a control group of ours. Other files of the directory are left alone.

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "async/task.h"
#include "os/proc_info.h"
#include "service/census.h"

namespace shipmate::service {

struct Orphan {
  std::string name;
  /// The state directory holds a file of it.
  bool has_file = false;
  /// The recorded process, when it lives and is verified.
  std::optional<os::ProcessState> process;
  /// Marks of its living processes.
  std::vector<std::string> marks;
  /// Its control group has living processes in it.
  bool grouped = false;
};

/// The orphans of `state_dir`. Nothing at all when no service is configured: an empty or unmounted services_dir is no
/// wish to stop everything. Reads files; for the pool.
std::vector<Orphan> FindOrphans(const std::string& state_dir, const std::set<std::string>& configured,
                                const CensusView& view, const std::string& state_id);

/// How an orphan ended.
struct OrphanEnd {
  /// There was something alive, and it is gone now.
  bool stopped = false;
  /// What did not die.
  std::vector<os::ProcessStat> survivors;
};

/// Ends the orphan's processes gracefully and, when nothing is left of it, deletes its file. REQUIRES: `census`
/// outlives it.
Task<OrphanEnd> EndOrphan(Census& census, std::string state_dir, Orphan orphan);

}  // namespace shipmate::service
