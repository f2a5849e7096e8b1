#include "service/logfile.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "base/time_text.h"
#include "os/files.h"
#include "os/guarded_files.h"

namespace shipmate::service {

namespace {

constexpr unsigned kDirMode = 0750;
constexpr unsigned kFileMode = 0640;
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

// The service's log files, oldest first.
std::vector<os::FileEntry> ListLogs(const std::string& dir, const std::string& name) {
  std::vector<os::FileEntry> logs = os::ListRegularFiles(dir, name + ".");
  std::erase_if(logs, [&name](const os::FileEntry& file) { return Classify(file.name, name) == LogKind::kForeign; });
  std::ranges::sort(logs, {}, [](const os::FileEntry& file) { return std::tie(file.modified, file.name); });
  return logs;
}

// Gives the log at `path` its LogPath, moving an older file of that name aside.
Result<std::string> Settle(const std::string& path, const std::string& dir, const std::string& name, pid_t pid) {
  // A head that is something else by now (a service may truncate what it writes to) is left as it is, and a failure
  // passed over: the pid in the marker is a help for the reader, no more.
  [[maybe_unused]] const auto patched =
      os::ReplaceInPlace(path, kMarkerLimit, PidField(kPidUnknown), PidField(std::to_string(pid) + ") ==="));
  std::string target = LogPath(dir, name, pid);
  const auto failure = [](const Error& error) { return Fail(error.code, "naming a log file: " + error.what); };
  auto renamed = os::RenameNew(path, target);
  for (int number = 1; !renamed && renamed.error().code == Errc::kBusy; ++number) {
    const std::string aside = Join(dir, name + "." + std::to_string(pid) + "-" + std::to_string(number) + ".log");
    const auto moved = os::RenameNew(target, aside);
    if (!moved && moved.error().code == Errc::kBusy) continue;
    if (!moved) return failure(moved.error());
    renamed = os::RenameNew(path, target);
  }
  if (!renamed) return failure(renamed.error());
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
  const auto file = os::StatRegularFile(path);
  if (!file || count == 0) return "";
  // A few bytes more show whether the cut falls on a code point or a line.
  constexpr std::size_t kContext = 4;
  std::string data = os::ReadTail(path, count > SIZE_MAX - kContext ? count : count + kContext);
  std::size_t cut = data.size() > count ? data.size() - count : 0;
  // Less than the file's size means that its freed head was skipped: then the first byte may stand anywhere.
  if (cut == 0 && data.size() >= file->size) return data;
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

std::vector<std::string> ListLogDirectory(const std::string& dir) {
  std::vector<std::string> names = os::ListNames(dir);
  std::ranges::sort(names);
  return names;
}

std::vector<std::string> ChooseLogFiles(const std::vector<std::string>& listing, const std::string& dir,
                                        const std::string& name, std::string_view more) {
  const std::string prefix = name + ".";
  std::vector<std::string> paths;
  for (auto file = std::ranges::lower_bound(listing, prefix); file != listing.end() && file->starts_with(prefix);
       ++file) {
    std::string_view log = *file;
    if (!more.empty() && log.ends_with(more)) log.remove_suffix(more.size());
    if (Classify(log, name) != LogKind::kForeign) paths.push_back(Join(dir, *file));
  }
  return paths;
}

std::vector<std::string> ListLogFiles(const std::string& dir, const std::string& name) {
  return ChooseLogFiles(ListLogDirectory(dir), dir, name, "");
}

bool StartsWithMarker(const std::string& path) {
  return os::ReadHead(path, kMarkerHead.size()) == kMarkerHead;
}

std::optional<std::string> FindNewestLog(const std::string& dir, const std::string& name) {
  const std::vector<os::FileEntry> logs = ListLogs(dir, name);
  if (logs.empty()) return std::nullopt;
  return Join(dir, logs.back().name);
}

Result<StartingLog> StartingLog::Open(const std::string& dir, const std::string& name, std::uint64_t generation,
                                      base::WallTime now) {
  StartingLog log;
  log.dir_ = dir;
  log.name_ = name;
  const std::string stem = name + "." + std::string(kStarting) + std::to_string(generation);
  std::string path = Join(dir, stem + ".log");
  // A start of the same generation that we died in has left its file: it keeps it.
  auto created = os::CreateForAppend(path, kFileMode);
  if (!created && created.error().code == Errc::kNotFound) {
    if (auto made = os::MakeDirectories(dir, kDirMode); !made) {
      return Fail(made.error().code, "creating log dir: " + made.error().what);
    }
    created = os::CreateForAppend(path, kFileMode);
  }
  for (int number = 1; !created && created.error().code == Errc::kBusy; ++number) {
    path = Join(dir, stem + "-" + std::to_string(number) + ".log");
    created = os::CreateForAppend(path, kFileMode);
  }
  if (!created) return Fail(created.error().code, "creating log file: " + created.error().what);
  log.output_ = *std::move(created);
  log.path_ = path;
  const std::string marker =
      std::string(kMarkerHead) + base::FormatRfc3339(now) + " (pid " + PidField(kPidUnknown) + "\n";
  // A full disk must not keep a service down, and the marker is only a help for the reader.
  if (auto written = os::WriteAll(log.output_.Get(), marker); !written) {
    LogWarn(name + ": marking the start in its log " + path + ": " + written.error().what);
  }
  return log;
}

Result<std::string> StartingLog::Finish(pid_t pid) {
  return Settle(std::exchange(path_, ""), dir_, name_, pid);
}

void StartingLog::Discard() {
  output_.Reset();
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove(std::exchange(path_, ""), ignored);
}

Result<std::string> AdoptStartingLog(const std::string& current_path, const std::string& dir, const std::string& name,
                                     pid_t pid) {
  const std::string file = std::filesystem::path(current_path).filename().string();
  std::string own = Join(dir, file);
  // The kernel tells where a descriptor of the process leads, with links in `dir` resolved: so the files are compared,
  // not the spelling of their paths.
  const LogKind kind = Classify(file, name);
  const auto current = os::StatRegularFile(current_path);
  const auto entry = os::StatRegularFile(own);
  if (kind == LogKind::kForeign || !current || !entry || !current->SameFile(*entry)) {
    return Fail(Errc::kNotFound, base::Quote(current_path) + " is no log file of " + base::Quote(name));
  }
  if (kind == LogKind::kOfPid) return own;
  return Settle(own, dir, name, pid);
}

Result<void> AppendMarker(const std::string& path, std::string_view marker) {
  return os::AppendLine(path, marker);
}

}  // namespace shipmate::service
