#pragma once

// A service's log files: `<log_dir>/<name>.<pid>.log`, one for each start, written by the service itself.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "base/clock.h"
#include "base/result.h"
#include "os/unique_fd.h"

namespace shipmate::service {

/// `<dir>/<name>.<pid>.log`, cleaned.
std::string LogPath(const std::string& dir, const std::string& name, pid_t pid);

/// The last `count` bytes, moved forward to the start of a code point, and, where the cut falls inside a line and a
/// line end follows within the piece, to the start of the next line; the whole of a smaller file. "" for a missing, empty or unreadable file.
std::string TailLogFile(const std::string& path, std::size_t count);

/// Deletes the oldest of the service's own log files (by modification time) until `keep` remain. A file belongs to
/// `name` when it is called `<name>.<digits>.log` or `<name>.<digits>-<digits>.log`, nothing else: names with dots or
/// glob characters harm no other service. `spare` (a path) is never deleted.
void CleanupOldLogs(const std::string& dir, const std::string& name, std::size_t keep, const std::string& spare);

/// The newest log file of the service by modification time.
std::optional<std::string> FindNewestLog(const std::string& dir, const std::string& name);

/// A log file for a start whose pid is not known yet. It is opened under a temporary unique name with the start marker
/// already in it, so that nothing the process prints can come before it; Finish writes the pid into the marker
/// (`=== Started at <RFC 3339> (pid <n>) ===`) and gives the file its LogPath. An older file with the same pid is moved
/// aside to `<name>.<pid>-<n>.log`.
class StartingLog {
 public:
  /// Creates `dir` when missing. Errors begin "creating log dir: " or "creating log file: ".
  static Result<StartingLog> Open(const std::string& dir, const std::string& name, std::uint64_t generation,
                                  base::WallTime now);
  /// O_APPEND descriptor for the child.
  int OutputFd() const { return output_.Get(); }
  /// The final path.
  Result<std::string> Finish(pid_t pid);
  /// Deletes the file: the process could not be started.
  void Discard();

 private:
  StartingLog() = default;
  os::UniqueFd output_;
  std::string dir_;
  std::string name_;
  std::string path_;
  std::size_t pid_offset_ = 0;
};

/// Gives the temporary log of a start that was begun before we died its LogPath; the final path, or kNotFound.
Result<std::string> AdoptStartingLog(const std::string& current_path, const std::string& dir, const std::string& name,
                                     pid_t pid);

/// Appends one marker line (`=== Stopped at ... ===\n`), on a line of its own.
Result<void> AppendMarker(const std::string& path, std::string_view marker);

}  // namespace shipmate::service
