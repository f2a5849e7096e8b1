#include "os/sparse_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <vector>

#include "os/guarded_files.h"
#include "os/posix.h"
#include "os/unique_fd.h"

namespace shipmate::os {

namespace {

using internal::FailErrnoAs;
using internal::RetryInterrupted;

constexpr int kGuard = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

Result<UniqueFd> OpenRegular(const std::string& path, int flags, const std::string& attempt, struct stat& info) {
  UniqueFd fd(RetryInterrupted([&] { return ::open(path.c_str(), flags | kGuard); }));
  if (!fd) {
    if (errno == ELOOP) return Fail(Errc::kRefused, attempt + ": it is a symbolic link");
    if (errno == ENXIO || errno == EISDIR) return Fail(Errc::kRefused, attempt + ": not a regular file");
    return FailErrno(errno, attempt);
  }
  if (::fstat(fd.Get(), &info) != 0) return FailErrno(errno, attempt);
  if (!S_ISREG(info.st_mode)) return Fail(Errc::kRefused, attempt + ": not a regular file");
  return fd;
}

FileUse Measure(int fd, const struct stat& info) {
  constexpr std::uint64_t kStatBlock = 512;  // stat(2), whatever the file system's own
  FileUse use;
  use.size = static_cast<std::uint64_t>(info.st_size);
  // Some file systems allocate ahead of the end while a file grows, and give that back later.
  const std::uint64_t full = (use.size + kFreeUnit - 1) / kFreeUnit * kFreeUnit;
  use.used = std::min(static_cast<std::uint64_t>(info.st_blocks) * kStatBlock, full);
  use.modified =
      base::WallTime(std::chrono::seconds(info.st_mtim.tv_sec) + std::chrono::nanoseconds(info.st_mtim.tv_nsec));
  use.hole_begin = use.size;
  use.hole_end = use.size;
  const off_t hole = ::lseek(fd, 0, SEEK_HOLE);
  if (hole < 0 || hole >= info.st_size) return use;
  use.hole_begin = static_cast<std::uint64_t>(hole);
  // ENXIO: nothing but a hole to the end.
  const off_t data = ::lseek(fd, hole, SEEK_DATA);
  if (data >= 0) use.hole_end = std::min(static_cast<std::uint64_t>(data), use.size);
  return use;
}

void RestoreTime(int fd, const struct stat& info) {
  const std::array<timespec, 2> times = {timespec{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, info.st_mtim};
  // A wrong time only makes the file look newer.
  [[maybe_unused]] const int result = ::futimens(fd, times.data());
}

// Whether anybody has the file open for writing, by asking for a read lease: fcntl(2), "Leases". While it is held, an
// open for writing waits, or fails, and is noticed here.
class ReadLease {
 public:
  explicit ReadLease(int fd) : fd_(fd) {
    // The default signal of a broken lease would end us; this one is ignored by default.
    ::fcntl(fd_, F_SETSIG, SIGURG);
    held_ = ::fcntl(fd_, F_SETLEASE, F_RDLCK) == 0;
    busy_ = !held_ && errno == EAGAIN;
  }
  ~ReadLease() {
    if (held_) ::fcntl(fd_, F_SETLEASE, F_UNLCK);
  }
  ReadLease(const ReadLease&) = delete;
  ReadLease& operator=(const ReadLease&) = delete;

  bool Disturbed() const { return busy_ || (held_ && ::fcntl(fd_, F_GETLEASE) != F_RDLCK); }

 private:
  int fd_;
  bool held_ = false;
  bool busy_ = false;
};

Result<void> CopyRange(int from, int to, std::uint64_t begin, std::uint64_t end) {
  std::vector<char> buffer(std::size_t{256} * 1024);
  while (begin < end) {
    const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), end - begin);
    const ssize_t got =
        RetryInterrupted([&] { return ::pread(from, buffer.data(), wanted, static_cast<off_t>(begin)); });
    if (got < 0) return FailErrno(errno, "reading it");
    if (got == 0) return Fail(Errc::kBusy, "it became shorter");
    const auto count = static_cast<std::size_t>(got);
    if (auto written = WriteAll(to, {buffer.data(), count}); !written) return written;
    begin += count;
  }
  return {};
}

Result<void> WriteCompacted(int from, int to, const FileUse& use, const struct stat& info, std::string_view note) {
  if (auto copied = CopyRange(from, to, 0, use.hole_begin); !copied) return copied;
  std::string line(note);
  char last = '\n';
  if (use.hole_begin > 0 && ::pread(from, &last, 1, static_cast<off_t>(use.hole_begin - 1)) == 1 && last != '\n') {
    line.insert(0, "\n");
  }
  if (!line.ends_with('\n')) line += '\n';
  if (auto written = WriteAll(to, line); !written) return written;
  if (auto copied = CopyRange(from, to, use.hole_end, use.size); !copied) return copied;
  if (::fchmod(to, info.st_mode & 07777U) != 0) return FailErrno(errno, "setting the mode of its copy");
  RestoreTime(to, info);
  if (::fdatasync(to) != 0) return FailErrno(errno, "syncing its copy");
  return {};
}

}  // namespace

Result<FileUse> InspectFile(const std::string& path) {
  struct stat info{};
  const auto fd = OpenRegular(path, O_RDONLY, "looking at " + path, info);
  if (!fd) return Fail(fd.error());
  return Measure(fd->Get(), info);
}

Result<void> FreeRange(const std::string& path, std::uint64_t begin, std::uint64_t end, Timestamp timestamp) {
  const std::string attempt = "freeing the beginning of " + path;
  struct stat info{};
  const auto fd = OpenRegular(path, O_WRONLY, attempt, info);
  if (!fd) return Fail(fd.error());
  if (begin >= end) return {};
  constexpr int kMode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  const int result = RetryInterrupted(
      [&] { return ::fallocate(fd->Get(), kMode, static_cast<off_t>(begin), static_cast<off_t>(end - begin)); });
  if (result != 0) {
    if (errno == EOPNOTSUPP || errno == ENOSYS) return FailErrnoAs(Errc::kInvalid, errno, attempt);
    return FailErrno(errno, attempt);
  }
  if (timestamp == Timestamp::kKept) RestoreTime(fd->Get(), info);
  return {};
}

Result<std::int64_t> CompactFile(const std::string& path, const std::string& temporary, std::string_view note) {
  const std::string attempt = "compacting " + path;
  struct stat info{};
  const auto fd = OpenRegular(path, O_RDONLY, attempt, info);
  if (!fd) return Fail(fd.error());
  const FileUse use = Measure(fd->Get(), info);
  if (!use.HasHole()) return 0;
  const ReadLease lease(fd->Get());
  const auto busy = [&] { return Fail(Errc::kBusy, attempt + ": a process has it open for writing"); };
  if (lease.Disturbed()) return busy();

  // What a run of ours that died has left.
  ::unlink(temporary.c_str());
  constexpr unsigned kMode = 0600;
  const auto copy = CreateForAppend(temporary, kMode);
  if (!copy) return Fail(copy.error().code, attempt + ": " + copy.error().what);
  const auto give_up = [&](const Error& error) {
    ::unlink(temporary.c_str());
    return Fail(error.code, attempt + ": " + error.what);
  };
  if (const auto written = WriteCompacted(fd->Get(), copy->Get(), use, info, note); !written) {
    return give_up(written.error());
  }
  struct stat now{};
  struct stat copied{};
  if (::fstat(fd->Get(), &now) != 0 || ::fstat(copy->Get(), &copied) != 0) {
    return give_up(FailErrno(errno, "looking at it").error());
  }
  if (lease.Disturbed() || now.st_size != info.st_size) {
    ::unlink(temporary.c_str());
    return busy();
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return give_up(FailErrno(errno, "renaming its copy").error());
  return info.st_size - copied.st_size;
}

}  // namespace shipmate::os
