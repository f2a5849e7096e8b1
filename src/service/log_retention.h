#pragma once

// What of a service's log files stays within the bound on their disk use, and when to look again: the decisions, as
// functions of what was seen. The oldest output goes first, whichever file it is in, and no more of it than the bound
// asks for; the first block of a file, with the marker of its start, stays as long as the file.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace shipmate::service {

/// Log files of a service that are kept at most, whatever they take up.
inline constexpr std::size_t kLogFilesKept = 100;

struct LogUse {
  std::string file;
  base::WallTime modified{};
  std::uint64_t size = 0;
  /// Bytes on disk.
  std::uint64_t used = 0;
  /// Where the output that is still there goes on behind the first block.
  std::uint64_t retained_from = 0;
  /// The file in use, or last used: never removed, and the newest whatever its time says.
  bool current = false;
};

struct LogCut {
  std::string file;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool operator==(const LogCut&) const = default;
};

struct LogPlan {
  std::vector<std::string> remove;
  std::vector<LogCut> free;
  bool operator==(const LogPlan&) const = default;
};

/// `files` in any order. What is freed are whole blocks outside the bound: less than one of them may exceed it.
LogPlan PlanLogs(std::vector<LogUse> files, std::uint64_t bound, std::size_t files_kept);

/// From one look at a growing file to the next.
class LookPace {
 public:
  /// The file was written to after it had been quiet.
  void Wake() { step_ = kFirstStep; }
  /// How long not to look again, after it grew by `grown` bytes within `elapsed` and `room` bytes are left up to the
  /// bound: such that at this rate the bound is exceeded by an eighth of it at most; between 50 ms and 1 s, and soon
  /// while it is not known what comes.
  std::chrono::milliseconds Next(std::uint64_t grown, std::chrono::nanoseconds elapsed, std::uint64_t room,
                                 std::uint64_t bound);

 private:
  static constexpr std::chrono::milliseconds kFirstStep{100};
  std::chrono::milliseconds step_ = kFirstStep;
};

/// How large the file was when: lines carry no time, so this is what tells when they were written; to about a second,
/// or a thirtieth of the time that has passed since.
class SizeHistory {
 public:
  /// REQUIRES: called in the order of time.
  void Add(base::WallTime time, std::uint64_t size);
  /// A size that the file had at `time` or a little before: all that was written after `time` lies beyond it. nullopt
  /// for times before the first look.
  std::optional<std::uint64_t> SizeAt(base::WallTime time) const;
  /// The file's bytes have moved towards its start.
  void Shift(std::int64_t bytes);
  void Clear() { samples_.clear(); }

 private:
  struct Sample {
    base::WallTime time;
    std::uint64_t size;
  };
  std::vector<Sample> samples_;
};

}  // namespace shipmate::service
