#pragma once

// Keeping a service's log files within their bound on disk: looks, asks PlanLogs, and does what it says. For the worker
// pool; one call at a time for a service. Whoever writes to the files is not disturbed, and nothing within the bound is
// lost.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "os/sparse_file.h"

namespace shipmate::service {

/// In which files the gaps that were freed are closed; a file that a process has open for writing is left out.
enum class Compaction {
  kNone,
  kOthers,  ///< all but `current`
  kAll,
};

struct TidyRequest {
  std::string dir;
  std::string name;
  /// The file in use, or last used; "" for none. Never removed.
  std::string current;
  std::uint64_t bound = 0;
  Compaction compaction = Compaction::kNone;
  /// What the other files take up, where that is known: then only `current` is looked at, unless it is too much.
  std::optional<std::uint64_t> others;
  /// What is in `dir`, from ListLogDirectory; null: it is read when it is needed.
  std::shared_ptr<const std::vector<std::string>> listing;
};

struct TidyReport {
  /// `current` as it is now; nullopt when it is not there.
  std::optional<os::FileUse> current;
  /// `current` begins with the marker of its start.
  bool marked = false;
  std::uint64_t others = 0;
  /// Bytes by which compaction moved the output of `current` towards its start.
  std::int64_t moved = 0;
  /// Finished phrases.
  std::vector<std::string> problems;
};

TidyReport TidyLogs(const TidyRequest& request);

}  // namespace shipmate::service
