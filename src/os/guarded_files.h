#pragma once

// Steps on single files that are careful of what stands at a path: none follows a symbolic link at its end, none waits
// on a FIFO, none replaces or changes what it was not told of. For directories that services can write to as well.

#include <sys/types.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "os/unique_fd.h"

namespace shipmate::os {

/// One regular file of a directory.
struct FileEntry {
  std::string name;
  base::WallTime modified{};
  std::uint64_t size = 0;
  /// Together they say whether two names lead to one file.
  std::uint64_t device = 0;
  std::uint64_t inode = 0;

  bool SameFile(const FileEntry& other) const { return device == other.device && inode == other.inode; }
};

/// The regular files right in `dir`, in no order; none when it cannot be read. Links are left out.
/// With a `prefix` only those whose name starts with it; the others are not even looked at.
std::vector<FileEntry> ListRegularFiles(const std::string& dir, std::string_view prefix = "");
/// The names of all that is right in `dir`, in no order; none when it cannot be read.
std::vector<std::string> ListNames(const std::string& dir);
/// Removes what WriteFileAtomically left in `dir` when a crash cut it short. REQUIRES: nobody writes there now. Best
/// effort: what cannot be removed stays.
void RemoveTemporaries(const std::string& dir);
/// The file at `path`; nullopt for a missing one, a link, or anything but a regular file.
std::optional<FileEntry> StatRegularFile(const std::string& path);

/// The whole file, provided that nobody but our user or root can have written it: kRefused for a link, anything but a
/// regular file, one of another user or one that all may write. kNotFound, kTooLarge as for ReadFile.
Result<std::string> ReadTrustedFile(const std::string& path, std::size_t limit);

/// A new, empty file, open for appending; kBusy when there is anything of that name.
Result<UniqueFd> CreateForAppend(const std::string& path, unsigned mode);
Result<void> WriteAll(int fd, std::string_view data);
/// Appends `line` on a line of its own: after a newline if the file does not end in one, and with one at its end. Never
/// creates the file.
Result<void> AppendLine(const std::string& path, std::string_view line);
/// Puts `to` in the place of the first `from` within the first `within` bytes, while others may be appending. False
/// when there is no such place. REQUIRES: both are of one length.
Result<bool> ReplaceInPlace(const std::string& path, std::size_t within, std::string_view from, std::string_view to);

/// Renames without replacing: kBusy when there is anything called `to`.
Result<void> RenameNew(const std::string& from, const std::string& to);

}  // namespace shipmate::os
