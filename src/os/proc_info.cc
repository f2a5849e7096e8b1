#include "os/proc_info.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <memory>

#include "base/text.h"
#include "os/files.h"
#include "os/posix.h"
#include "os/ticks.h"
#include "os/unique_fd.h"

namespace shipmate::os {

namespace {

// 52 numbers of at most 20 digits, and a name; the fields used stand before the middle.
constexpr std::size_t kStatLimit = 2048;
// Arguments and environment together are at most a quarter of the stack limit, and never over 6 MB (execve(2)).
constexpr std::size_t kEnvironLimit = std::size_t{8} * 1024 * 1024;
// The wall clock is stepped, and containers round: so much may a recorded second differ and still mean the same.
constexpr std::int64_t kToleranceSeconds = 2;

std::string ProcPath(pid_t pid, std::string_view file) {
  return "/proc/" + std::to_string(pid) + "/" + std::string(file);
}

template <class Number>
Number ToNumber(std::string_view text) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// What /proc/stat calls `btime`, as the kernel computes it (fs/proc/stat.c): that file costs a line for each interrupt
// to read. Not remembered: it moves when the wall clock is stepped.
std::int64_t BootTime() {
  timespec wall{};
  timespec since_boot{};
  ::clock_gettime(CLOCK_REALTIME, &wall);
  ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
  const auto boot = (std::chrono::seconds(wall.tv_sec) + std::chrono::nanoseconds(wall.tv_nsec)) -
                    (std::chrono::seconds(since_boot.tv_sec) + std::chrono::nanoseconds(since_boot.tv_nsec));
  return std::chrono::floor<std::chrono::seconds>(boot).count();
}

// Empty when it cannot be read; else it is the same for as long as we live.
const std::string& BootId() {
  static const std::string id = [] {
    const auto text = ReadFile("/proc/sys/kernel/random/boot_id", 256);
    return text ? std::string(base::Trim(*text)) : std::string();
  }();
  return id;
}

std::int64_t CreateTime(std::uint64_t start_ticks, std::int64_t boot_time) {
  return (static_cast<std::int64_t>(start_ticks / TicksPerSecond()) + boot_time) * 1000;
}

// proc(5), /proc/pid/stat. The name may hold blanks and parentheses; the last ")" ends it.
std::optional<ProcessStat> ParseStat(pid_t pid, std::string_view text) {
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
  // Numbered as in the manual page: the state behind the name is field 3, the last one used 24.
  constexpr std::size_t kFirst = 3;
  constexpr std::size_t kLast = 24;
  std::array<std::string_view, kLast - kFirst + 1> fields;
  std::string_view rest = base::Trim(text.substr(close + 1));
  for (std::string_view& one : fields) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    one = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (fields.front().size() != 1 || fields.back().empty()) return std::nullopt;
  const auto field = [&](std::size_t number) { return fields[number - kFirst]; };

  ProcessStat stat;
  stat.pid = pid;
  stat.name = std::string(text.substr(open + 1, close - open - 1));
  stat.state = field(3).front();
  stat.ppid = ToNumber<pid_t>(field(4));
  stat.pgid = ToNumber<pid_t>(field(5));
  stat.session = ToNumber<pid_t>(field(6));
  stat.cpu_ticks = ToNumber<std::uint64_t>(field(14)) + ToNumber<std::uint64_t>(field(15));
  stat.threads = ToNumber<long>(field(20));
  stat.start_ticks = ToNumber<std::uint64_t>(field(22));
  static const long page_size = ::sysconf(_SC_PAGESIZE);
  stat.resident_bytes = ToNumber<std::uint64_t>(field(24)) * static_cast<std::uint64_t>(page_size);
  return stat;
}

constexpr const char* kLooking = "looking at the processes of this machine";

// Whether this error of a look at /proc/PID tells nothing of the process: not that it has ended, and not that it is
// none for us to see.
bool HidesAProcess(int error_number) {
  return error_number != ENOENT && error_number != ESRCH && error_number != EACCES && error_number != EPERM;
}

Result<std::vector<pid_t>> AllPids() {
  std::vector<pid_t> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), &::closedir);
  if (!proc) return FailErrno(errno, kLooking);
  while (const dirent* entry = ::readdir(proc.get())) {
    const std::string_view name(entry->d_name);
    if (name.front() >= '1' && name.front() <= '9') pids.push_back(ToNumber<pid_t>(name));
  }
  return pids;
}

std::optional<std::string_view> FindVariable(std::string_view environment, std::string_view name) {
  while (!environment.empty()) {
    const std::size_t end = std::min(environment.find('\0'), environment.size());
    const std::string_view variable = environment.substr(0, end);
    if (variable.size() > name.size() && variable.starts_with(name) && variable[name.size()] == '=') {
      return variable.substr(name.size() + 1);
    }
    environment.remove_prefix(std::min(end + 1, environment.size()));
  }
  return std::nullopt;
}

// nullopt when there is none; an error when that cannot be told.
Result<std::optional<ProcessStat>> LookAt(pid_t pid) {
  if (pid <= 0) return std::nullopt;
  // Not by ReadFile: this is done for every process of the machine at once, and one read gives the whole of it.
  const UniqueFd fd(
      internal::RetryInterrupted([&] { return ::open(ProcPath(pid, "stat").c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!fd && HidesAProcess(errno)) return FailErrno(errno, kLooking);
  if (!fd) return std::nullopt;
  std::array<char, kStatLimit> text;
  const ssize_t length = internal::RetryInterrupted([&] { return ::read(fd.Get(), text.data(), text.size()); });
  if (length < 0 && HidesAProcess(errno)) return FailErrno(errno, kLooking);
  if (length <= 0) return std::nullopt;
  return ParseStat(pid, std::string_view(text.data(), static_cast<std::size_t>(length)));
}

}  // namespace

bool IsAlive(pid_t pid) {
  return pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM);
}

std::optional<ProcessStat> ReadStat(pid_t pid) {
  return LookAt(pid).value_or(std::nullopt);
}

bool VerifyProcess(const ProcessState& recorded) {
  if (recorded.pid <= 1) return false;
  if (!recorded.boot_id.empty() && recorded.start_ticks != 0) {
    if (const std::string& boot_id = BootId(); !boot_id.empty()) {
      if (boot_id != recorded.boot_id) return false;
      const auto stat = ReadStat(recorded.pid);
      return stat && stat->start_ticks == recorded.start_ticks;
    }
  }
  const std::int64_t boot_time = BootTime();
  if (recorded.boot_time != 0 && std::abs(boot_time - recorded.boot_time) > kToleranceSeconds) {
    return false;
  }
  if (recorded.create_time != 0) {
    const auto stat = ReadStat(recorded.pid);
    if (!stat) return false;
    if (std::abs(CreateTime(stat->start_ticks, boot_time) - recorded.create_time) > kToleranceSeconds * 1000)
      return false;
  }
  return true;
}

bool HasIdentity(const ProcessState& recorded) {
  return recorded.pid > 1 && ((!recorded.boot_id.empty() && recorded.start_ticks != 0) || recorded.create_time != 0);
}

std::optional<ProcessState> Identify(pid_t pid) {
  if (pid <= 1) return std::nullopt;
  const auto stat = ReadStat(pid);
  if (!stat || !stat->Lives()) return std::nullopt;
  ProcessState state;
  state.pid = pid;
  state.pgid = stat->pgid;
  state.boot_id = BootId();
  state.start_ticks = stat->start_ticks;
  state.boot_time = BootTime();
  state.create_time = CreateTime(stat->start_ticks, state.boot_time);
  return state;
}

pid_t OwnPid() {
  return ::getpid();
}

Result<std::vector<ProcessStat>> AllProcesses() {
  const auto pids = AllPids();
  if (!pids) return Fail(pids.error());
  std::vector<ProcessStat> processes;
  for (const pid_t pid : *pids) {
    auto stat = LookAt(pid);
    if (!stat) return Fail(stat.error());
    if (*stat) processes.push_back(**std::move(stat));
  }
  return processes;
}

std::vector<ProcessStat> LivingGroup(pid_t pgid) {
  if (pgid <= 1) return {};
  std::vector<ProcessStat> members = AllProcesses().value_or(std::vector<ProcessStat>());
  std::erase_if(members, [&](const ProcessStat& process) {
    return (process.pgid != pgid && process.session != pgid) || !process.Lives();
  });
  return members;
}

std::optional<std::string> ReadEnviron(pid_t pid, std::string_view name) {
  if (pid <= 0) return std::nullopt;
  const auto text = ReadFile(ProcPath(pid, "environ"), kEnvironLimit);
  if (!text) return std::nullopt;
  const auto value = FindVariable(*text, name);
  if (!value) return std::nullopt;
  return std::string(*value);
}

Result<std::map<pid_t, std::string>> FindByEnviron(std::string_view name, std::string_view prefix) {
  const auto pids = AllPids();
  if (!pids) return Fail(pids.error());
  std::map<pid_t, std::string> found;
  for (const pid_t pid : *pids) {
    const auto text = ReadFile(ProcPath(pid, "environ"), kEnvironLimit);
    if (!text && text.error().code == Errc::kIo)
      return Fail(Errc::kIo, fmt::format("{}: {}", kLooking, text.error().what));
    const auto value = text ? FindVariable(*text, name) : std::nullopt;
    if (!value || !value->starts_with(prefix)) continue;
    const auto stat = LookAt(pid);
    if (!stat) return Fail(stat.error());
    if (*stat && (*stat)->Lives()) found.emplace(pid, std::string(*value));
  }
  return found;
}

std::optional<std::string> ReadFdTarget(pid_t pid, int fd) {
  if (pid <= 0 || fd < 0) return std::nullopt;
  const std::string link = ProcPath(pid, "fd/" + std::to_string(fd));
  // The kernel gives at most a page (PATH_MAX).
  std::array<char, 4096> target{};
  const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
  if (length < 0) return std::nullopt;
  return std::string(target.data(), static_cast<std::size_t>(length));
}

std::chrono::milliseconds UptimeOf(std::uint64_t start_ticks) {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const auto since_boot = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  const auto started = std::chrono::milliseconds(start_ticks * 1000 / TicksPerSecond());
  return std::max(std::chrono::milliseconds(0),
                  std::chrono::duration_cast<std::chrono::milliseconds>(since_boot) - started);
}

}  // namespace shipmate::os
