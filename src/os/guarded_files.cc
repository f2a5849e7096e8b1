#include "os/guarded_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#include "os/posix.h"

namespace shipmate::os {

namespace {

using internal::FailErrnoAs;
using internal::RetryInterrupted;

// O_NONBLOCK: opening a FIFO does not wait for its other end. It has no effect on regular files.
constexpr int kGuard = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

FileEntry MakeEntry(std::string name, const struct stat& info) {
  FileEntry entry;
  entry.name = std::move(name);
  entry.modified =
      base::WallTime(std::chrono::seconds(info.st_mtim.tv_sec) + std::chrono::nanoseconds(info.st_mtim.tv_nsec));
  entry.size = static_cast<std::uint64_t>(info.st_size);
  entry.device = info.st_dev;
  entry.inode = info.st_ino;
  return entry;
}

// Opens a regular file and tells about it.
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

// Whether a file is named as WriteFileAtomically names a temporary one: `<file>.<16 hex digits>.tmp`.
bool IsTemporary(std::string_view name) {
  constexpr std::string_view kSuffix = ".tmp";
  constexpr std::size_t kDigits = 16;
  if (!name.ends_with(kSuffix)) return false;
  name.remove_suffix(kSuffix.size());
  if (name.size() < kDigits + 2 || name[name.size() - kDigits - 1] != '.') return false;
  return name.substr(name.size() - kDigits).find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::vector<FileEntry> ListRegularFiles(const std::string& dir, std::string_view prefix) {
  std::vector<FileEntry> files;
  const std::unique_ptr<DIR, int (*)(DIR*)> handle(::opendir(dir.c_str()), &::closedir);
  if (!handle) return files;
  while (const dirent* entry = ::readdir(handle.get())) {
    if (!std::string_view(entry->d_name).starts_with(prefix)) continue;
    struct stat info{};
    if (::fstatat(::dirfd(handle.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(info.st_mode)) files.push_back(MakeEntry(entry->d_name, info));
  }
  return files;
}

std::vector<std::string> ListNames(const std::string& dir) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> handle(::opendir(dir.c_str()), &::closedir);
  if (!handle) return names;
  while (const dirent* entry = ::readdir(handle.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

void RemoveTemporaries(const std::string& dir) {
  for (const FileEntry& file : ListRegularFiles(dir)) {
    if (IsTemporary(file.name)) ::unlink((dir + "/" + file.name).c_str());
  }
}

std::optional<FileEntry> StatRegularFile(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return MakeEntry(path.substr(path.rfind('/') + 1), info);
}

Result<std::string> ReadTrustedFile(const std::string& path, std::size_t limit) {
  const std::string attempt = "reading " + path;
  struct stat info{};
  const auto fd = OpenRegular(path, O_RDONLY, attempt, info);
  if (!fd) return Fail(fd.error());
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return Fail(Errc::kRefused, attempt + ": it belongs to another user (uid " + std::to_string(info.st_uid) + ")");
  }
  if ((info.st_mode & S_IWOTH) != 0) return Fail(Errc::kRefused, attempt + ": every user may write it");
  const std::string too_large = attempt + ": larger than " + std::to_string(limit) + " bytes";
  if (static_cast<std::uint64_t>(info.st_size) > limit) return Fail(Errc::kTooLarge, too_large);

  std::string content(static_cast<std::size_t>(info.st_size) + 1, '\0');
  std::size_t length = 0;
  while (true) {
    const ssize_t got =
        RetryInterrupted([&] { return ::read(fd->Get(), content.data() + length, content.size() - length); });
    if (got < 0) return FailErrno(errno, attempt);
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
    if (length > limit) return Fail(Errc::kTooLarge, too_large);
    if (length == content.size()) content.resize(content.size() * 2);
  }
  content.resize(length);
  return content;
}

Result<UniqueFd> CreateForAppend(const std::string& path, unsigned mode) {
  constexpr int kNew = O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd fd(RetryInterrupted([&] { return ::open(path.c_str(), kNew, mode); }));
  if (fd) return fd;
  if (errno == EEXIST) return FailErrnoAs(Errc::kBusy, errno, "creating " + path);
  return FailErrno(errno, "creating " + path);
}

Result<void> WriteAll(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t written = RetryInterrupted([&] { return ::write(fd, data.data(), data.size()); });
    if (written < 0) return FailErrno(errno, "writing");
    data.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> AppendLine(const std::string& path, std::string_view line) {
  const std::string attempt = "appending to " + path;
  struct stat info{};
  const auto fd = OpenRegular(path, O_RDWR | O_APPEND, attempt, info);
  if (!fd) return Fail(fd.error());
  char last = '\n';
  std::string text;
  if (info.st_size > 0 && ::pread(fd->Get(), &last, 1, info.st_size - 1) == 1 && last != '\n') text = "\n";
  text += line;
  if (!text.ends_with('\n')) text += '\n';
  if (const auto written = WriteAll(fd->Get(), text); !written) {
    return Fail(written.error().code, attempt + ": " + written.error().what);
  }
  return {};
}

Result<bool> ReplaceInPlace(const std::string& path, std::size_t within, std::string_view from, std::string_view to) {
  const std::string attempt = "changing " + path;
  struct stat info{};
  // Never in append mode, where Linux ignores the offset of pwrite(2).
  const auto fd = OpenRegular(path, O_RDWR, attempt, info);
  if (!fd) return Fail(fd.error());
  std::string head(within, '\0');
  const ssize_t got = RetryInterrupted([&] { return ::pread(fd->Get(), head.data(), head.size(), 0); });
  if (got < 0) return FailErrno(errno, attempt);
  head.resize(static_cast<std::size_t>(got));
  const std::size_t at = head.find(from);
  if (at == std::string::npos) return false;
  const ssize_t put =
      RetryInterrupted([&] { return ::pwrite(fd->Get(), to.data(), to.size(), static_cast<off_t>(at)); });
  if (put < 0) return FailErrno(errno, attempt);
  return true;
}

Result<void> RenameNew(const std::string& from, const std::string& to) {
  const std::string attempt = "renaming " + from + " to " + to;
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  if (errno == EEXIST) return FailErrnoAs(Errc::kBusy, errno, attempt);
  if (errno != EINVAL && errno != ENOSYS) return FailErrno(errno, attempt);
  // Some file systems (NFS, older FUSE) know no RENAME_NOREPLACE. A hard link never replaces either.
  if (::link(from.c_str(), to.c_str()) != 0) {
    if (errno == EEXIST) return FailErrnoAs(Errc::kBusy, errno, attempt);
    return FailErrno(errno, attempt);
  }
  if (::unlink(from.c_str()) != 0) return FailErrno(errno, attempt);
  return {};
}

}  // namespace shipmate::os
