#include "os/child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "os/exec_helper.h"
#include "os/exit_watch.h"
#include "os/owned_children.h"
#include "os/posix.h"
#include "os/proc_info.h"

// glibc 2.36 declares these without C linkage for C++.
extern "C" {
#include <sys/pidfd.h>
}

namespace shipmate::os {

namespace {

using internal::FailErrnoAs;

// What execvp(3) searches when the environment has no PATH.
std::string SystemPath() {
  std::array<char, 256> buffer{};
  const std::size_t length = ::confstr(_CS_PATH, buffer.data(), buffer.size());
  return length == 0 || length > buffer.size() ? "/bin:/usr/bin" : std::string(buffer.data());
}

std::string PathOf(const std::vector<std::string>& env) {
  constexpr std::string_view kName = "PATH=";
  for (const std::string& variable : env) {
    if (variable.starts_with(kName)) return variable.substr(kName.size());
  }
  return SystemPath();
}

bool IsExecutableFile(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
}

// The path to hand to exec(2) for the bare program name `name`, valid once the child has changed to `dir`.
std::optional<std::string> SearchPath(const std::string& name, const std::string& path, const std::string& dir) {
  if (name.empty()) return std::nullopt;
  for (const std::string_view element : base::Split(path, ':')) {
    // An empty element has always meant the current directory.
    std::string candidate = fmt::format("{}/{}", element.empty() ? "." : element, name);
    const bool relative = candidate.front() != '/';
    if (IsExecutableFile(relative && !dir.empty() ? fmt::format("{}/{}", dir, candidate) : candidate)) return candidate;
  }
  return std::nullopt;
}

Result<void> CheckDirectory(const std::string& dir) {
  if (dir.empty()) return {};
  const std::string attempt = "chdir " + dir;
  struct stat info{};
  if (::stat(dir.c_str(), &info) != 0) return FailErrnoAs(Errc::kSpawn, errno, attempt);
  if (!S_ISDIR(info.st_mode)) return FailErrnoAs(Errc::kSpawn, ENOTDIR, attempt);
  if (::faccessat(AT_FDCWD, dir.c_str(), X_OK, AT_EACCESS) != 0) return FailErrnoAs(Errc::kSpawn, errno, attempt);
  return {};
}

bool HasNul(const std::string& text) {
  return text.find('\0') != std::string::npos;
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  // posix_spawn takes `char* const[]` for historical reasons and does not write to the strings.
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;

  // 0, or an errno value.
  int Fill(int output_fd, const std::string& dir) {
    int error = Standard(output_fd);
    if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    if (error == 0 && !dir.empty()) error = posix_spawn_file_actions_addchdir_np(&actions_, dir.c_str());
    return error;
  }
  // For the helper, which changes to the directory itself. REQUIRES: `plan` and `report` are above kReportFd.
  int FillForHelper(int output_fd, int plan, int report) {
    int error = Standard(output_fd);
    if (error == 0) error = posix_spawn_file_actions_adddup2(&actions_, plan, internal::kPlanFd);
    if (error == 0) error = posix_spawn_file_actions_adddup2(&actions_, report, internal::kReportFd);
    if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(&actions_, internal::kReportFd + 1);
    return error;
  }
  const posix_spawn_file_actions_t* Get() const { return &actions_; }

 private:
  int Standard(int output_fd) {
    int error = posix_spawn_file_actions_adddup2(&actions_, output_fd, STDOUT_FILENO);
    if (error == 0) error = posix_spawn_file_actions_adddup2(&actions_, output_fd, STDERR_FILENO);
    // After the copies, in case the output is our descriptor 0.
    if (error == 0) error = posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    return error;
  }

  posix_spawn_file_actions_t actions_;
};

class Attributes {
 public:
  Attributes() { posix_spawnattr_init(&attributes_); }
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;

  int Fill() {
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    // A disposition of "ignore" and a blocked signal survive exec(2): SIGPIPE, which we ignore, must kill a child's
    // `yes | head` as ever.
    int error = posix_spawnattr_setsigdefault(&attributes_, &all);
    if (error == 0) error = posix_spawnattr_setsigmask(&attributes_, &none);
    if (error == 0) {
      error =
          posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    }
    return error;
  }
  const posix_spawnattr_t* Get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

Result<ChildProcess> SpawnFile(const std::string& file, const FileActions& actions,
                               const std::vector<std::string>& words, const std::vector<std::string>& variables,
                               const std::string& attempt) {
  Attributes attributes;
  int error = attributes.Fill();
  if (error != 0) return FailErrnoAs(Errc::kSpawn, error, attempt);
  const std::vector<char*> argv = Pointers(words);
  const std::vector<char*> env = Pointers(variables);
  ChildProcess child;
  error = ::posix_spawn(&child.pid, file.c_str(), actions.Get(), attributes.Get(), argv.data(), env.data());
  if (error != 0) return FailErrnoAs(Errc::kSpawn, error, attempt);

  // No race: the pid stays the child's until we reap it.
  child.pidfd.Reset(::pidfd_open(child.pid, 0));
  if (!child.pidfd) {
    error = errno;
    ::kill(-child.pid, SIGKILL);
    internal::RetryInterrupted([&] { return ::waitpid(child.pid, nullptr, 0); });
    return FailErrnoAs(Errc::kSpawn, error, attempt + ": opening a pidfd");
  }
  internal::OwnChild(child.pid);
  return child;
}

// The plan in a file that only this descriptor leads to, to be read from its beginning.
Result<UniqueFd> PlanFile(const std::string& text, const std::string& attempt) {
  UniqueFd file(::memfd_create("shipmate-exec", MFD_CLOEXEC));
  for (std::size_t written = 0; file && written < text.size();) {
    const ssize_t count = internal::RetryInterrupted([&] {
      return ::pwrite(file.Get(), text.data() + written, text.size() - written, static_cast<off_t>(written));
    });
    if (count < 0) file.Reset();
    if (count > 0) written += static_cast<std::size_t>(count);
  }
  if (!file) return FailErrnoAs(Errc::kSpawn, errno, attempt + ": writing down what to set");
  return file;
}

// `fd` as a number that is not in the way of those the helper knows.
Result<UniqueFd> MovedUp(UniqueFd fd, const std::string& attempt) {
  UniqueFd moved(::fcntl(fd.Get(), F_DUPFD_CLOEXEC, internal::kReportFd + 1));
  if (!moved) return FailErrnoAs(Errc::kSpawn, errno, attempt);
  return moved;
}

Result<ChildProcess> SpawnByHelper(const SpawnOptions& options, const std::string& path) {
  const std::string attempt = "fork/exec " + options.argv.front();
  if (options.exec_helper.empty()) {
    return Fail(Errc::kSpawn, attempt + ": nothing here can apply user, group, umask, nice, limits or oom_score_adj");
  }
  auto plan = PlanFile(internal::EncodePlan({.program = path,
                                             .argv = options.argv,
                                             .env = options.env,
                                             .dir = options.dir,
                                             .settings = options.settings}),
                       attempt);
  if (plan) plan = MovedUp(*std::move(plan), attempt);
  if (!plan) return Fail(plan.error());
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return FailErrnoAs(Errc::kSpawn, errno, attempt);
  UniqueFd reading(ends[0]);
  const auto writing = MovedUp(UniqueFd(ends[1]), attempt);
  if (!writing) return Fail(writing.error());

  FileActions actions;
  const int error = actions.FillForHelper(options.output_fd, plan->Get(), writing->Get());
  if (error != 0) return FailErrnoAs(Errc::kSpawn, error, attempt);
  std::vector<std::string> env;
  if (!options.mark.empty()) env.push_back(options.mark);
  auto child = SpawnFile(options.exec_helper, actions, {std::string(kExecHelperName)}, env,
                         "fork/exec " + options.exec_helper + " for " + options.argv.front());
  if (child) child->report = std::move(reading);
  return child;
}

std::string GroupPhrase(pid_t pgid, int signal) {
  return "sending " + SignalName(signal) + " to process group " + std::to_string(pgid);
}

// Which signals may go to which group is decided here alone.
Result<void> CheckGroup(pid_t pgid, int signal) {
  if (pgid <= 1) return Fail(Errc::kInvalid, GroupPhrase(pgid, signal) + ": not a process group of a service");
  // The leader of our session is who started us: a shell, an init. A service has a session of its own.
  if (pgid == ::getpgrp() || pgid == ::getsid(0)) {
    return Fail(Errc::kInvalid, GroupPhrase(pgid, signal) + ": that is our own group or session");
  }
  return {};
}

}  // namespace

Result<ChildProcess> Spawn(const SpawnOptions& options) {
  if (options.argv.empty()) return Fail(Errc::kSpawn, "exec: no command");
  const std::string& program = options.argv.front();
  const std::string attempt = "fork/exec " + program;
  if (std::ranges::any_of(options.argv, HasNul) || std::ranges::any_of(options.env, HasNul) || HasNul(options.dir)) {
    return Fail(Errc::kSpawn, "fork/exec " + base::EscapeControls(program) +
                                  ": a NUL byte in its arguments, directory or environment");
  }
  if (const auto checked = CheckDirectory(options.dir); !checked) return Fail(checked.error());

  std::string path = program;
  if (!program.contains('/')) {
    const auto found = SearchPath(program, PathOf(options.env), options.dir);
    if (!found) {
      return Fail(Errc::kSpawn, "exec: " + base::Quote(program) + ": executable file not found in $PATH");
    }
    path = *found;
  }

  if (options.settings.Any()) return SpawnByHelper(options, path);
  FileActions actions;
  const int error = actions.Fill(options.output_fd, options.dir);
  if (error != 0) return FailErrnoAs(Errc::kSpawn, error, attempt);
  auto child = SpawnFile(path, actions, options.argv, options.env, attempt);
  if (!child) {
    // posix_spawn does not say which of its steps failed: the directory may have gone in the meantime.
    if (const auto checked = CheckDirectory(options.dir); !checked) return Fail(checked.error());
  }
  return child;
}

void ReleaseChild(pid_t pid) {
  if (!internal::IsSpokenFor(pid)) return;
  internal::DisownChild(pid);
  if (internal::IsSpokenFor(pid)) return;
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG);
}

std::vector<std::string> InheritedEnvironment(const std::vector<std::string>& without_names) {
  std::vector<std::string> result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view variable(*entry);
    const std::string_view name = variable.substr(0, variable.find('='));
    if (std::ranges::find(without_names, name) == without_names.end()) result.emplace_back(variable);
  }
  return result;
}

bool MaySignalGroup(pid_t pgid) {
  return CheckGroup(pgid, 0).has_value();
}

Result<void> SignalGroup(pid_t pgid, int signal) {
  if (const auto checked = CheckGroup(pgid, signal); !checked) return checked;
  if (::kill(-pgid, signal) != 0) return FailErrno(errno, GroupPhrase(pgid, signal));
  return {};
}

Result<void> SignalSession(pid_t pgid, int signal) {
  auto result = SignalGroup(pgid, signal);
  if (!result && result.error().code == Errc::kInvalid) return result;
  for (const ProcessStat& member : LivingGroup(pgid)) {
    if (member.pgid == pgid || member.pid == ::getpid()) continue;
    const auto pidfd = OpenPidfd(member.pid);
    if (!pidfd) continue;
    // Looked up again now that the pidfd holds it: the same process, so no other one can be hit.
    const auto now = ReadStat(member.pid);
    if (!now || now->start_ticks != member.start_ticks) continue;
    if (SignalPidfd(pidfd->Get(), signal)) result = Result<void>();
  }
  return result;
}

Result<void> SignalPidfd(int pidfd, int signal) {
  if (::pidfd_send_signal(pidfd, signal, nullptr, 0) != 0) {
    return FailErrno(errno, "sending " + SignalName(signal) + " through a pidfd");
  }
  return {};
}

Result<UniqueFd> OpenPidfd(pid_t pid) {
  const std::string attempt = "opening a pidfd of process " + std::to_string(pid);
  if (pid <= 1) return Fail(Errc::kInvalid, attempt + ": not a process of a service");
  UniqueFd pidfd(::pidfd_open(pid, 0));
  if (!pidfd) return FailErrno(errno, attempt);
  return pidfd;
}

Result<UniqueFd> OpenRecorded(const ProcessState& recorded) {
  if (!HasIdentity(recorded)) {
    return Fail(Errc::kInvalid, "process " + std::to_string(recorded.pid) + ": nothing recorded but its pid");
  }
  auto pidfd = OpenPidfd(recorded.pid);
  if (!pidfd) return pidfd;
  // Only now: whatever happens to the pid from here on, the descriptor stays with the process that was looked at.
  const auto stat = ReadStat(recorded.pid);
  if (!stat || !stat->Lives()) {
    return Fail(Errc::kNotFound, "process " + std::to_string(recorded.pid) + ": it has ended");
  }
  if (!VerifyProcess(recorded)) {
    return Fail(Errc::kRefused, "pid " + std::to_string(recorded.pid) + " reused by different process");
  }
  return pidfd;
}

}  // namespace shipmate::os
