#pragma once

// A service's log files: `<log_dir>/<name>.<pid>.log`, one for each start, written by the service itself. While a start
// is under way and its pid not known, the file is called `<name>.starting-<generation>.log`. A path is never trusted
// because it was recorded: IsLogOf says whether it is one of the service's own. Symbolic links are not followed.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "os/unique_fd.h"

namespace shipmate::service {

/// `<dir>/<name>.<pid>.log`, cleaned.
std::string LogPath(const std::string& dir, const std::string& name, pid_t pid);

/// The last `count` bytes, moved forward to the start of a code point, and, where the cut falls inside a line and a
/// line end follows within the piece, to the start of the next line; the whole of a smaller file. "" for a missing,
/// empty or unreadable file, a link, or anything else but a regular file.
std::string TailLogFile(const std::string& path, std::size_t count);

/// Whether `path` names a log file of service `name` right in `dir`: `<name>.<digits>.log`,
/// `<name>.<digits>-<digits>.log` or the same with `starting-` before the digits, nothing else: names with dots or glob
/// characters never reach another service's files. By text alone.
bool IsLogOf(const std::string& path, const std::string& dir, const std::string& name);

/// The names of all that is in `dir`, sorted; what cannot be read is left out.
std::vector<std::string> ListLogDirectory(const std::string& dir);

/// The paths of the service's own log files among `listing`, the sorted names of all that is in `dir`; with
/// `<log><more>` among them where `more` is not "".
std::vector<std::string> ChooseLogFiles(const std::vector<std::string>& listing, const std::string& dir,
                                        const std::string& name, std::string_view more);

/// The paths of the service's own log files in `dir`, in no order.
std::vector<std::string> ListLogFiles(const std::string& dir, const std::string& name);

/// Whether the file begins with the marker of a start.
bool StartsWithMarker(const std::string& path);

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
  /// The temporary path; "" after Finish or Discard.
  const std::string& Path() const { return path_; }
  /// The final path. The descriptor stays open.
  Result<std::string> Finish(pid_t pid);
  /// Closes and deletes the file: the process could not be started. Does nothing after Finish.
  void Discard();

 private:
  StartingLog() = default;
  os::UniqueFd output_;
  std::string dir_;
  std::string name_;
  std::string path_;
};

/// Gives the temporary log of a start that was begun before we died its LogPath; the final path. A log that has its
/// LogPath already keeps it. kNotFound when `current_path` is no log of the service or does not exist.
Result<std::string> AdoptStartingLog(const std::string& current_path, const std::string& dir, const std::string& name,
                                     pid_t pid);

/// Appends one marker line (`=== Stopped at ... ===`), on a line of its own. Never creates the file.
Result<void> AppendMarker(const std::string& path, std::string_view marker);

}  // namespace shipmate::service
