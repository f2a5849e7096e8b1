#include "service/logfile.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "base/text.h"
#include "base/time_text.h"
#include "os/files.h"
#include "service/rename_new.h"

namespace shipmate::service {

namespace {

constexpr unsigned kDirMode = 0750;
constexpr mode_t kFileMode = 0640;
constexpr std::string_view kSuffix = ".log";
constexpr std::string_view kStarting = "starting-";

// The start marker is `=== Started at <time> (pid <n>) ===`. Until the pid is known its place holds kPidUnknown; both
// forms are padded with blanks to the width that the longest pid needs, so that the line can be patched in place while
// the process is already writing behind it.
constexpr std::string_view kMarkerHead = "=== Started at ";
constexpr std::string_view kPidUnknown = "?) ===";
constexpr std::size_t kPidWidth = 16;
constexpr std::size_t kMarkerLimit = 128;

std::string PidField(std::string_view pid_and_end) {
  std::string field(pid_and_end);
  field.resize(kPidWidth, ' ');
  return field;
}

// Removes leading digits; whether there were any.
bool SkipDigits(std::string_view& text) {
  const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  text.remove_prefix(end);
  return end > 0;
}

enum class LogKind { kForeign, kOfPid, kStarting };

LogKind Classify(std::string_view file, std::string_view name) {
  if (!file.starts_with(name)) return LogKind::kForeign;
  file.remove_prefix(name.size());
  if (!file.starts_with('.') || !file.ends_with(kSuffix) || file.size() <= kSuffix.size()) return LogKind::kForeign;
  file = file.substr(1, file.size() - 1 - kSuffix.size());
  const bool starting = file.starts_with(kStarting);
  if (starting) file.remove_prefix(kStarting.size());
  if (!SkipDigits(file)) return LogKind::kForeign;
  if (file.starts_with('-')) {
    file.remove_prefix(1);
    if (!SkipDigits(file)) return LogKind::kForeign;
  }
  if (!file.empty()) return LogKind::kForeign;
  return starting ? LogKind::kStarting : LogKind::kOfPid;
}

std::string Join(const std::string& dir, const std::string& file) {
  return (std::filesystem::path(dir) / file).lexically_normal().string();
}

struct LogEntry {
  std::string file;
  struct stat info{};
};

// The service's log files, oldest first.
std::vector<LogEntry> ListLogs(const std::string& dir, const std::string& name) {
  std::vector<LogEntry> logs;
  const std::unique_ptr<DIR, int (*)(DIR*)> handle(::opendir(dir.c_str()), [](DIR* d) { return ::closedir(d); });
  if (!handle) return logs;
  while (const dirent* entry = ::readdir(handle.get())) {
    if (Classify(entry->d_name, name) == LogKind::kForeign) continue;
    LogEntry log{.file = entry->d_name};
    if (::fstatat(::dirfd(handle.get()), entry->d_name, &log.info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(log.info.st_mode)) logs.push_back(std::move(log));
  }
  std::ranges::sort(logs, {}, [](const LogEntry& log) {
    return std::tuple(log.info.st_mtim.tv_sec, log.info.st_mtim.tv_nsec, log.file);
  });
  return logs;
}

bool WriteAll(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t written = ::write(fd, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    data.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// Puts `pid` into the start marker at the head of the file. A file whose head is something else by now (a service may
// truncate what it writes to) is left as it is: the marker is a help for the reader, no more.
void PatchMarker(const std::string& path, pid_t pid) {
  // The descriptor of the child is in append mode, where Linux ignores the offset of pwrite: a second one is needed.
  const os::UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!file) return;
  std::string head(kMarkerLimit, '\0');
  const ssize_t got = ::pread(file.Get(), head.data(), head.size(), 0);
  if (got <= 0) return;
  head.resize(static_cast<std::size_t>(got));
  head.resize(std::min(head.find('\n'), head.size()));
  const std::size_t at = head.find(PidField(kPidUnknown));
  if (!head.starts_with(kMarkerHead) || at == std::string::npos) return;
  const std::string field = PidField(std::to_string(pid) + ") ===");
  [[maybe_unused]] const ssize_t put = ::pwrite(file.Get(), field.data(), field.size(), static_cast<off_t>(at));
}

// Gives the log at `path` its LogPath, moving an older file of that name aside.
Result<std::string> Settle(const std::string& path, const std::string& dir, const std::string& name, pid_t pid) {
  PatchMarker(path, pid);
  const std::string target = LogPath(dir, name, pid);
  const std::string what = "naming log file " + target;
  int error = RenameNew(path, target);
  for (int number = 1; error == EEXIST; ++number) {
    const std::string aside = Join(dir, name + "." + std::to_string(pid) + "-" + std::to_string(number) + ".log");
    const int moved = RenameNew(target, aside);
    if (moved == EEXIST) continue;
    if (moved != 0) return FailErrno(moved, what);
    error = RenameNew(path, target);
  }
  if (error != 0) return FailErrno(error, what);
  return target;
}

// Whether the byte at `cut` stands inside a code point that begins before it; how many bytes of that one follow.
std::size_t RestOfRune(std::string_view data, std::size_t cut) {
  for (std::size_t back = 1; back <= 3 && back <= cut; ++back) {
    const base::Rune rune = base::DecodeRune(data.substr(cut - back));
    if (rune.valid && rune.length > back) return rune.length - back;
    if ((static_cast<unsigned char>(data[cut - back]) & 0xC0U) != 0x80U) return 0;
  }
  return 0;
}

}  // namespace

std::string LogPath(const std::string& dir, const std::string& name, pid_t pid) {
  return Join(dir, name + "." + std::to_string(pid) + ".log");
}

bool IsLogOf(const std::string& path, const std::string& dir, const std::string& name) {
  const std::filesystem::path file(path);
  return Classify(file.filename().string(), name) != LogKind::kForeign &&
         Join(dir, file.filename().string()) == file.lexically_normal().string();
}

std::string TailLogFile(const std::string& path, std::size_t count) {
  struct stat info{};
  if (count == 0 || ::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return "";
  // A few bytes more show whether the cut falls on a code point or a line.
  constexpr std::size_t kContext = 4;
  const std::string data = os::ReadTail(path, count > SIZE_MAX - kContext ? count : count + kContext);
  std::size_t cut = data.size() > count ? data.size() - count : 0;
  // Less than the file's size means that its freed head was skipped: then the first byte may stand anywhere.
  if (cut == 0 && data.size() >= static_cast<std::size_t>(info.st_size)) return data;
  cut += RestOfRune(data, cut);
  if (cut == 0) {
    while (cut < 3 && cut < data.size() && (static_cast<unsigned char>(data[cut]) & 0xC0U) == 0x80U) ++cut;
  }
  if (cut == 0 || data[cut - 1] != '\n') {
    const std::size_t line_end = data.find('\n', cut);
    if (line_end != std::string::npos && line_end + 1 < data.size()) cut = line_end + 1;
  }
  return data.substr(cut);
}

void CleanupOldLogs(const std::string& dir, const std::string& name, std::size_t keep, const std::string& spare) {
  std::vector<LogEntry> logs = ListLogs(dir, name);
  struct stat spared{};
  const bool has_spare = !spare.empty() && ::lstat(spare.c_str(), &spared) == 0;
  std::size_t left = logs.size();
  for (const LogEntry& log : logs) {
    if (left <= keep) return;
    if (has_spare && log.info.st_ino == spared.st_ino && log.info.st_dev == spared.st_dev) continue;
    if (::unlink(Join(dir, log.file).c_str()) == 0) --left;
  }
}

std::optional<std::string> FindNewestLog(const std::string& dir, const std::string& name) {
  const std::vector<LogEntry> logs = ListLogs(dir, name);
  if (logs.empty()) return std::nullopt;
  return Join(dir, logs.back().file);
}

Result<StartingLog> StartingLog::Open(const std::string& dir, const std::string& name, std::uint64_t generation,
                                      base::WallTime now) {
  if (auto made = os::MakeDirectories(dir, kDirMode); !made) {
    return Fail(made.error().code, "creating log dir: " + made.error().what);
  }
  StartingLog log;
  log.dir_ = dir;
  log.name_ = name;
  const std::string stem = name + "." + std::string(kStarting) + std::to_string(generation);
  std::string path = Join(dir, stem + ".log");
  // A start of the same generation that we died in has left its file: it keeps it.
  for (int number = 1;; ++number) {
    constexpr int kNew = O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
    log.output_.Reset(::open(path.c_str(), kNew, kFileMode));
    if (log.output_) break;
    if (errno != EEXIST) return FailErrno(errno, "creating log file: open " + path);
    path = Join(dir, stem + "-" + std::to_string(number) + ".log");
  }
  log.path_ = path;
  const std::string marker =
      std::string(kMarkerHead) + base::FormatRfc3339(now) + " (pid " + PidField(kPidUnknown) + "\n";
  if (!WriteAll(log.output_.Get(), marker)) {
    auto failure = FailErrno(errno, "creating log file: write " + path);
    log.Discard();
    return failure;
  }
  return log;
}

Result<std::string> StartingLog::Finish(pid_t pid) {
  return Settle(std::exchange(path_, ""), dir_, name_, pid);
}

void StartingLog::Discard() {
  output_.Reset();
  if (!path_.empty()) ::unlink(std::exchange(path_, "").c_str());
}

Result<std::string> AdoptStartingLog(const std::string& current_path, const std::string& dir, const std::string& name,
                                     pid_t pid) {
  const std::string file = std::filesystem::path(current_path).filename().string();
  struct stat info{};
  // The kernel tells where a descriptor of the process leads, with links in `dir` resolved: so the entry of that name
  // in `dir` is compared, not the spelling of the path.
  struct stat entry{};
  const std::string own = Join(dir, file);
  const LogKind kind = Classify(file, name);
  if (kind == LogKind::kForeign || ::lstat(current_path.c_str(), &info) != 0 || ::lstat(own.c_str(), &entry) != 0 ||
      !S_ISREG(info.st_mode) || info.st_ino != entry.st_ino || info.st_dev != entry.st_dev) {
    return Fail(Errc::kNotFound, base::Quote(current_path) + " is no log file of " + base::Quote(name));
  }
  if (kind == LogKind::kOfPid) return own;
  return Settle(own, dir, name, pid);
}

Result<void> AppendMarker(const std::string& path, std::string_view marker) {
  const std::string what = "marking log file " + path;
  const os::UniqueFd file(::open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!file) return FailErrno(errno, what);
  struct stat info{};
  if (::fstat(file.Get(), &info) != 0) return FailErrno(errno, what);
  if (!S_ISREG(info.st_mode)) return Fail(Errc::kRefused, what + ": not a regular file");
  std::string line;
  char last = '\n';
  if (info.st_size > 0 && ::pread(file.Get(), &last, 1, info.st_size - 1) == 1 && last != '\n') line = "\n";
  line += marker;
  if (!line.ends_with('\n')) line += '\n';
  if (!WriteAll(file.Get(), line)) return FailErrno(errno, what);
  return {};
}

}  // namespace shipmate::service
