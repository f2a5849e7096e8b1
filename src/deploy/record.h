#pragma once

// Record: one deploy, from its beginning to its end, as the history keeps it: who, what, when, which steps, how it
// went.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"

namespace shipmate::deploy {

struct StepRecord {
  std::string text;
  base::WallTime began{};
  std::chrono::milliseconds duration{0};
  /// "" = it succeeded, or runs; else "exit status 1", "timed out after 5m", "cancelled".
  std::string failure;
  bool operator==(const StepRecord&) const = default;
};

struct Record {
  std::uint64_t id = 0;
  std::string service;
  /// "push", "command", "rollback"
  std::string trigger;
  /// As shown.
  std::string actor;
  std::string branch;
  /// The commit asked for; after the end, the one that is there.
  std::string commit;
  std::string previous_commit;
  std::string subject;
  base::WallTime began{};
  /// Zero while it runs.
  base::WallTime ended{};
  std::vector<StepRecord> steps;
  /// How many steps there are to do.
  std::size_t planned = 0;
  /// "running", "success", "failed", "cancelled", "interrupted"
  std::string result = "running";
  std::string failed_step;
  /// What else is to be known: a commit that is not the one asked for, what a rollback did.
  std::string note;
  /// The whole output.
  std::string log_file;
  bool operator==(const Record&) const = default;
};

}  // namespace shipmate::deploy
