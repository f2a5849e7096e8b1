#pragma once

// Files: whole-or-nothing writes, bounded reads of a file's end, directories.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace shipmate::os {

enum class Sync { kNone, kData };

/// Writes `content` to a new uniquely named temporary file beside `path` (O_EXCL, O_NOFOLLOW), then renames it over
/// `path`: a reader sees the old content or the new, never a mix. `mode` is subject to the umask. With Sync::kData the
/// file is fdatasync-ed before the rename and its directory synced after, so that it survives a power cut. A failure
/// names the path and the step, and leaves no temporary file; a crash may leave one, named `<path>.<16 hex
/// digits>.tmp`. May run on any thread.
Result<void> WriteFileAtomically(const std::string& path, std::string_view content, unsigned mode, Sync sync);

/// Brings everything written so far to the file system of `path` onto its disk (syncfs(2)): one wait for many files.
/// May run on any thread.
Result<void> SyncFileSystem(const std::string& path);

/// 16 hexadecimal digits that nobody else uses or can foresee.
std::string RandomHex();

/// The whole file. kNotFound, kTooLarge above `limit` bytes, kInvalid for anything but a regular file.
Result<std::string> ReadFile(const std::string& path, std::size_t limit);

/// The last `count` bytes, or all of a smaller file. Reads no more than that, and of a file with holes (whose
/// beginning was freed) only what follows the last one. "" for a missing, empty or unreadable file, and for anything
/// but a regular file: a symbolic link is not followed, and a FIFO does not block it. REQUIRES: `count` is what the
/// caller can hold in memory.
std::string ReadTail(const std::string& path, std::size_t count);

/// The first bytes, at most `count`; "" as for ReadTail.
std::string ReadHead(const std::string& path, std::size_t count);

/// Total bytes that ReadTail has read on the calling thread: for the test that it stays bounded.
std::uint64_t TailBytesRead();

/// Creates `path` and its parents with `mode`; an existing directory is success.
Result<void> MakeDirectories(const std::string& path, unsigned mode);

/// `path` made absolute against the current directory and cleaned of ".", ".." and double slashes, by text alone.
std::string AbsolutePath(std::string_view path);

}  // namespace shipmate::os
