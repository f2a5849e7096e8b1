#include "os/dir_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>

#include "os/posix.h"
#include "os/proc_info.h"

namespace shipmate::os {

namespace {

// " (pid 123)" of the holder; empty in the moment before it has written its pid (what stands there is then a dead
// one's).
std::string HolderPhrase(int fd) {
  std::array<char, 32> text{};
  const ssize_t length = ::pread(fd, text.data(), text.size(), 0);
  pid_t pid = 0;
  if (length > 0) std::from_chars(text.data(), text.data() + length, pid);
  return IsAlive(pid) ? " (pid " + std::to_string(pid) + ")" : "";
}

bool IsStillNamed(int fd, const std::string& path) {
  struct stat ours{};
  struct stat named{};
  return ::fstat(fd, &ours) == 0 && ::lstat(path.c_str(), &named) == 0 && ours.st_ino == named.st_ino &&
         ours.st_dev == named.st_dev;
}

}  // namespace

Result<DirLock> DirLock::Take(const std::string& dir) {
  const std::string path = dir + "/lock";
  const std::string attempt = "locking state directory " + dir;
  // More than one turn if somebody removes the file just while we lock it (then we hold a lock on nothing), or if the
  // one named in it is dead: a child of his, between its creation and its exec, holds the lock for a moment longer.
  constexpr int kTries = 100;
  constexpr int kPauseMs = 10;
  for (int turn = 0; turn < kTries; ++turn) {
    UniqueFd fd(internal::RetryInterrupted(
        [&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600); }));
    if (!fd) return FailErrno(errno, fmt::format("{}: opening {}", attempt, path));
    struct stat info{};
    if (::fstat(fd.Get(), &info) != 0) return FailErrno(errno, fmt::format("{}: looking at {}", attempt, path));
    if (!S_ISREG(info.st_mode)) return Fail(Errc::kInvalid, fmt::format("{}: {} is not a regular file", attempt, path));
    if (internal::RetryInterrupted([&] { return ::flock(fd.Get(), LOCK_EX | LOCK_NB); }) != 0) {
      if (errno != EWOULDBLOCK) return FailErrno(errno, attempt);
      const std::string holder = HolderPhrase(fd.Get());
      if (holder.empty() && turn + 1 < kTries) {
        ::poll(nullptr, 0, kPauseMs);
        continue;
      }
      return Fail(Errc::kBusy, fmt::format("state directory {} is in use by another shipmate{}", dir, holder));
    }
    if (!IsStillNamed(fd.Get(), path)) continue;
    const std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd.Get(), 0) != 0 || ::pwrite(fd.Get(), pid.data(), pid.size(), 0) < 0) {
      return FailErrno(errno, fmt::format("{}: writing our pid into {}", attempt, path));
    }
    return DirLock(std::move(fd));
  }
  return Fail(Errc::kBusy, fmt::format("{}: {} is removed again and again", attempt, path));
}

Result<DirLock> DirLock::Inherit(const std::string& dir, int fd) {
  const std::string attempt = fmt::format("taking over the lock of state directory {}", dir);
  if (fd <= STDERR_FILENO || !IsStillNamed(fd, dir + "/lock")) {
    return Fail(Errc::kInvalid, fmt::format("{}: descriptor {} is no lock on it", attempt, fd));
  }
  // The same open file: this succeeds where it holds the lock already, and only there while another program does.
  if (internal::RetryInterrupted([&] { return ::flock(fd, LOCK_EX | LOCK_NB); }) != 0) return FailErrno(errno, attempt);
  DirLock lock{UniqueFd(fd)};
  lock.Keep();
  return lock;
}

Result<int> DirLock::HandOn() {
  if (::fcntl(fd_.Get(), F_SETFD, 0) != 0) return FailErrno(errno, "handing on the lock of the state directory");
  return fd_.Get();
}

void DirLock::Keep() {
  ::fcntl(fd_.Get(), F_SETFD, FD_CLOEXEC);
}

}  // namespace shipmate::os
