#pragma once

// Freeing the disk space of a file's beginning while others append to it, and closing the gap once nobody does. Freed
// bytes read as zeros and offsets stay what they are, so neither a writer nor a reader is disturbed
// (fallocate(2), FALLOC_FL_PUNCH_HOLE). Only regular files are touched; links are not followed. All of it may run on
// any thread.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace shipmate::os {

/// What a file takes up.
struct FileUse {
  std::uint64_t size = 0;
  /// Bytes on disk.
  std::uint64_t used = 0;
  /// The first hole, as offsets; both equal `size` where there is none.
  std::uint64_t hole_begin = 0;
  std::uint64_t hole_end = 0;
  base::WallTime modified{};

  bool HasHole() const { return hole_begin < hole_end; }
};

/// What is freed is a multiple of this, at a multiple of it: the block of the common file systems.
inline constexpr std::uint64_t kFreeUnit = 4096;

/// kNotFound; kRefused for a link or anything but a regular file.
Result<FileUse> InspectFile(const std::string& path);

enum class Timestamp { kTouched, kKept };
/// Frees the bytes from `begin` to `end`; the file's size stays. `kKept`: its time of modification, too.
/// kInvalid where the file system cannot do it.
Result<void> FreeRange(const std::string& path, std::uint64_t begin, std::uint64_t end, Timestamp timestamp);

/// Puts in the place of the file one without its first hole: what was before the hole, `note` on a line of its own, and
/// what was after it. Written at `temporary` (replaced when it is there), synced and renamed, so that whoever dies in
/// between leaves the old file whole. Mode and time of modification are kept. Gives by how many bytes what follows the
/// hole has moved towards the start; 0 when there was nothing to do. kBusy when a process has the file open for
/// writing: its further output would be lost. (Where the file system cannot tell, the caller's word is taken.)
Result<std::int64_t> CompactFile(const std::string& path, const std::string& temporary, std::string_view note);

}  // namespace shipmate::os
