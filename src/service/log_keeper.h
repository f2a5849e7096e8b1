#pragma once

// LogKeeper: holds the disk use of one service's log files within its bound, while the service writes to them by
// itself. A quiet log costs nothing; a growing one a look from time to time, however fast it grows. The bound is
// exceeded by what is written between two looks (see LookPace) and not for longer.

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "async/offload.h"
#include "async/shared_look.h"
#include "async/spawn.h"
#include "base/clock.h"
#include "os/modify_watch.h"
#include "service/log_retention.h"
#include "service/log_tidy.h"

namespace shipmate::service {

/// The names in a log directory, see ListLogDirectory.
using LogListing = async::SharedLook<std::vector<std::string>>;

class LogKeeper {
 public:
  struct Options {
    Executor executor;
    std::string dir;
    std::string name;
    std::uint64_t bound = 0;
    async::WorkerPool* pool = nullptr;
    const base::Clock* clock = nullptr;
    /// Null where files cannot be watched: then a running service's log is looked at every five seconds.
    os::ModifyWatch* watch = nullptr;
    /// Of `dir`, shared by all whose logs are there; null: it is read by each.
    LogListing* listing = nullptr;
  };

  /// REQUIRES: pool, clock, watch and listing outlive it.
  explicit LogKeeper(Options options);
  /// REQUIRES: Close has completed, or neither Follow nor RunEnded was called.
  ~LogKeeper();
  LogKeeper(const LogKeeper&) = delete;
  LogKeeper& operator=(const LogKeeper&) = delete;

  void SetBound(std::uint64_t bound);
  enum class Log {
    kNew,      ///< begins with the marker of its start, and was not written to before
    kAdopted,  ///< of a process that was found running
  };
  /// `path` is written to from now on.
  void Follow(std::string path, Log log);
  /// Nobody writes to the followed file any more: it is made an ordinary file again.
  void RunEnded();
  /// All that was written to `path` after `time` lies behind this offset; nullopt where that is not known.
  std::optional<std::uint64_t> SizeAt(const std::string& path, base::WallTime time) const;
  Task<void> Close();

 private:
  /// Runs only while there is something to do: what waits for the file to be written to is the watch.
  Task<void> Loop();
  Task<void> BeginRun();
  Task<void> LookAndPace();
  enum class Scope { kCurrent, kAllFiles };
  Task<void> Look(Scope scope, Compaction compaction);
  void NoteShrinking(const os::FileUse& use);
  void Arm();
  void Disarm();
  void Wake();
  /// Until `limit` is over, or the run has ended, or another has begun.
  Task<void> Pause(std::chrono::milliseconds limit);
  void Say(const std::string& problem);

  Options options_;
  boost::asio::steady_timer timer_;
  async::TaskGroup loop_;
  bool running_ = false;

  // What is to be done.
  std::optional<std::string> next_;
  Log next_log_ = Log::kNew;
  bool ended_ = false;
  bool changed_ = false;

  // The followed file.
  std::string path_;
  bool writing_ = false;
  std::optional<int> armed_;
  std::optional<std::uint64_t> others_;
  std::uint64_t last_size_ = 0;
  std::uint64_t grown_ = 0;
  std::uint64_t room_ = 0;
  bool marked_ = false;
  bool truncation_told_ = false;
  base::SteadyTime last_look_{};
  LookPace pace_;
  SizeHistory history_;
  std::set<std::string> told_;
};

}  // namespace shipmate::service
