#include "os/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <vector>

#include "base/text.h"
#include "os/posix.h"
#include "os/unique_fd.h"

namespace shipmate::os {

namespace {

using internal::RetryInterrupted;

thread_local std::uint64_t tail_bytes_read = 0;

std::string ParentOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// 0, or an errno value.
int WriteAll(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = RetryInterrupted([&] { return ::write(fd, content.data(), content.size()); });
    if (written < 0) return errno;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

int SyncDirectory(const std::string& path) {
  const UniqueFd fd(RetryInterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!fd) return errno;
  // Some file systems cannot sync a directory and say so with EINVAL: there is nothing more to do for it there.
  return ::fsync(fd.Get()) == 0 || errno == EINVAL ? 0 : errno;
}

// Removes the temporary file unless it has been renamed away.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string path) : path_(std::move(path)) {}
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& Path() const { return path_; }
  void Forget() { path_.clear(); }

 private:
  std::string path_;
};

}  // namespace

// From the kernel, so that two threads or processes never draw the same.
std::string RandomHex() {
  std::array<unsigned char, 8> bytes{};
  RetryInterrupted([&] { return ::getrandom(bytes.data(), bytes.size(), 0); });
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0x0FU];
  }
  return text;
}

Result<void> SyncFileSystem(const std::string& path) {
  const std::string attempt = "syncing the file system of " + path;
  const UniqueFd fd(RetryInterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!fd) return FailErrno(errno, attempt);
  if (::syncfs(fd.Get()) != 0) return FailErrno(errno, attempt);
  return {};
}

Result<void> WriteFileAtomically(const std::string& path, std::string_view content, unsigned mode, Sync sync) {
  const std::string attempt = "writing " + path + ": ";
  const std::string temporary_path = path + "." + RandomHex() + ".tmp";
  UniqueFd fd(RetryInterrupted(
      [&] { return ::open(temporary_path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode); }));
  if (!fd) return FailErrno(errno, attempt + "creating a temporary file beside it");
  TemporaryFile temporary(temporary_path);

  if (const int error = WriteAll(fd.Get(), content); error != 0) {
    return FailErrno(error, attempt + "writing its temporary file");
  }
  if (sync == Sync::kData && ::fdatasync(fd.Get()) != 0) {
    return FailErrno(errno, attempt + "syncing its temporary file");
  }
  // Where the write is delayed (network file systems, quotas) close is what tells its failure.
  if (::close(fd.Release()) != 0 && errno != EINTR) return FailErrno(errno, attempt + "closing its temporary file");
  if (::rename(temporary.Path().c_str(), path.c_str()) != 0) {
    return FailErrno(errno, attempt + "renaming the temporary file over it");
  }
  temporary.Forget();
  if (sync == Sync::kData) {
    if (const int error = SyncDirectory(ParentOf(path)); error != 0) {
      return FailErrno(error, attempt + "syncing its directory");
    }
  }
  return {};
}

Result<std::string> ReadFile(const std::string& path, std::size_t limit) {
  const std::string attempt = "reading " + path;
  const UniqueFd fd(
      RetryInterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); }));
  if (!fd) {
    if (errno == ENXIO) return Fail(Errc::kInvalid, attempt + ": not a regular file");
    return FailErrno(errno, attempt);
  }
  struct stat info{};
  if (::fstat(fd.Get(), &info) != 0) return FailErrno(errno, attempt);
  if (!S_ISREG(info.st_mode)) return Fail(Errc::kInvalid, attempt + ": not a regular file");

  // Read to its end and not to its size: files of /proc have size 0, and others may grow. One byte more than allowed
  // tells "full" from "too large".
  std::string content;
  const auto size = static_cast<std::size_t>(info.st_size);
  std::size_t room = std::min(std::max(size + 1, std::size_t{4096}), limit + 1);
  while (true) {
    const std::size_t used = content.size();
    content.resize(used + room);
    const ssize_t count = RetryInterrupted([&] { return ::read(fd.Get(), content.data() + used, room); });
    if (count < 0) return FailErrno(errno, attempt);
    content.resize(used + static_cast<std::size_t>(count));
    if (content.size() > limit) {
      return Fail(Errc::kTooLarge, attempt + ": larger than " + std::to_string(limit) + " bytes");
    }
    if (count == 0) return content;
    room = std::min(std::max(content.size(), std::size_t{4096}), limit + 1 - content.size());
  }
}

std::string ReadTail(const std::string& path, std::size_t count) {
  const UniqueFd fd(RetryInterrupted(
      [&] { return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC); }));
  struct stat info{};
  if (!fd || ::fstat(fd.Get(), &info) != 0 || !S_ISREG(info.st_mode)) return "";
  const off_t size = info.st_size;
  const auto wanted = static_cast<off_t>(std::min(count, static_cast<std::size_t>(size)));
  off_t start = size - wanted;
  if (wanted == 0) return "";
  // What lies before a hole is not of one piece with the end.
  constexpr int kHoles = 64;
  for (int hole_count = 0; hole_count < kHoles; ++hole_count) {
    const off_t hole = hole_count == 0 ? start : ::lseek(fd.Get(), start, SEEK_HOLE);
    if (hole < 0 || hole >= size) break;
    const off_t data = ::lseek(fd.Get(), hole, SEEK_DATA);
    // ENXIO: nothing but a hole from here on. Other errors: a file system that cannot tell.
    if (data < 0 && errno == ENXIO && hole_count == 0) return "";
    if (data < 0) break;
    start = data;
  }

  std::string tail(static_cast<std::size_t>(std::max<off_t>(size - start, 0)), '\0');
  std::size_t filled = 0;
  while (filled < tail.size()) {
    const ssize_t got = RetryInterrupted([&] {
      return ::pread(fd.Get(), tail.data() + filled, tail.size() - filled, start + static_cast<off_t>(filled));
    });
    if (got <= 0) break;
    filled += static_cast<std::size_t>(got);
  }
  tail.resize(filled);
  tail_bytes_read += filled;
  return tail;
}

std::string ReadHead(const std::string& path, std::size_t count) {
  const UniqueFd fd(RetryInterrupted(
      [&] { return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC); }));
  struct stat info{};
  if (!fd || ::fstat(fd.Get(), &info) != 0 || !S_ISREG(info.st_mode)) return "";
  std::string head(count, '\0');
  const ssize_t got = RetryInterrupted([&] { return ::pread(fd.Get(), head.data(), count, 0); });
  head.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return head;
}

std::uint64_t TailBytesRead() {
  return tail_bytes_read;
}

Result<void> MakeDirectories(const std::string& path, unsigned mode) {
  const std::string attempt = "creating directory " + path;
  if (path.empty()) return Fail(Errc::kInvalid, "creating a directory: no name given");
  std::size_t end = 0;
  while (end != std::string::npos) {
    end = path.find('/', end + 1);
    const std::string part = path.substr(0, end);
    if (part.ends_with('/')) continue;
    if (::mkdir(part.c_str(), mode) == 0) continue;
    const int error = errno;
    struct stat info{};
    // Not EEXIST alone: mkdir of a directory on a read-only file system says EROFS, of an automounted one EACCES.
    if (::stat(part.c_str(), &info) == 0) {
      if (S_ISDIR(info.st_mode)) continue;
      return Fail(Errc::kInvalid, fmt::format("{}: {} is not a directory", attempt, part));
    }
    return FailErrno(error, end == std::string::npos ? attempt : fmt::format("{}: {}", attempt, part));
  }
  return {};
}

std::string AbsolutePath(std::string_view path) {
  std::string whole(path);
  if (!whole.starts_with('/')) {
    std::array<char, 4096> here{};
    const char* directory = ::getcwd(here.data(), here.size());
    whole = std::string(directory == nullptr ? "" : directory) + "/" + whole;
  }
  std::vector<std::string> kept;
  for (const std::string_view piece : base::Split(whole, '/')) {
    if (piece.empty() || piece == ".") continue;
    if (piece != "..") {
      kept.emplace_back(piece);
    } else if (!kept.empty()) {
      kept.pop_back();
    }
  }
  return "/" + base::Join(kept, "/");
}

}  // namespace shipmate::os
