#include "os/exec_helper.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "os/posix.h"
#include "os/users.h"

namespace shipmate::os {

namespace {

// As a shell: the program could not be started.
constexpr int kFailed = 127;

// The lines of the report: kAlive first, then warnings, then at most one error. Anything else than a clean end after
// kAlive is a failure.
constexpr char kAlive = '.';
constexpr char kWarning = 'w';
constexpr char kError = 'e';

void Report(char kind, const std::string& text) {
  std::string line = kind + text;
  std::ranges::replace(line, '\n', ' ');
  line += '\n';
  // Without a reader there is nobody to tell.
  (void)internal::RetryInterrupted([&] { return ::write(internal::kReportFd, line.data(), line.size()); });
}

Result<std::string> ReadPlan() {
  std::string text;
  std::array<char, 65536> piece{};
  while (true) {
    const ssize_t got =
        internal::RetryInterrupted([&] { return ::read(internal::kPlanFd, piece.data(), piece.size()); });
    if (got < 0) return FailErrno(errno, "reading the plan of the start");
    if (got == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  ::close(internal::kPlanFd);
  return text;
}

Result<void> WriteOwn(const std::string& path, const std::string& value, const std::string& attempt) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.Get(), value.data(), value.size()) < 0) return FailErrno(errno, attempt);
  return {};
}

Result<void> Limit(__rlimit_resource resource, const char* name, const std::optional<std::uint64_t>& value) {
  if (!value) return {};
  const rlimit limit{.rlim_cur = *value, .rlim_max = *value};
  if (::setrlimit(resource, &limit) != 0) {
    return FailErrno(errno, std::string("setting limits.") + name + " to " + std::to_string(*value));
  }
  return {};
}

// What needs the rights we came with; all of it is inherited over the change of user.
Result<void> ApplyToProcess(const ExecSettings& settings) {
  for (const std::string& dir : settings.groups) {
    // "0" is whoever writes it (cgroups(7)).
    const auto entered = WriteOwn(dir + "/cgroup.procs", "0", "entering control group " + dir);
    if (!entered) Report(kWarning, entered.error().what);
  }
  if (settings.oom_score_adj) {
    const std::string value = std::to_string(*settings.oom_score_adj);
    if (auto set = WriteOwn("/proc/self/oom_score_adj", value, "setting oom_score_adj to " + value); !set) return set;
  }
  if (settings.nice && ::setpriority(PRIO_PROCESS, 0, *settings.nice) != 0) {
    return FailErrno(errno, "setting nice to " + std::to_string(*settings.nice));
  }
  if (auto set = Limit(RLIMIT_NOFILE, "open_files", settings.open_files); !set) return set;
  if (auto set = Limit(RLIMIT_NPROC, "processes", settings.processes); !set) return set;
  if (auto set = Limit(RLIMIT_CORE, "core", settings.core); !set) return set;
  if (settings.umask) ::umask(static_cast<mode_t>(*settings.umask));
  return {};
}

void AddVariable(std::vector<std::string>& env, const std::string& name, const std::string& value) {
  const bool there =
      std::ranges::any_of(env, [&](const std::string& variable) { return variable.starts_with(name + "="); });
  if (!there) env.push_back(name + "=" + value);
}

// Supplementary groups, group, user: in this order, since each step takes the right to do the ones before it.
Result<void> BecomeUser(internal::ExecPlan& plan) {
  const ExecSettings& settings = plan.settings;
  if (settings.user.empty() && settings.group.empty()) return {};
  const auto user = FindUser(settings.user.empty() ? std::to_string(::geteuid()) : settings.user);
  if (!user && !settings.user.empty()) return Fail(user.error());
  gid_t gid = user ? user->gid : ::getegid();
  if (!settings.group.empty()) {
    const auto group = FindGroup(settings.group);
    if (!group) return Fail(group.error());
    gid = *group;
  }
  if (!settings.user.empty()) {
    AddVariable(plan.env, "HOME", user->home);
    AddVariable(plan.env, "USER", user->name);
    AddVariable(plan.env, "LOGNAME", user->name);
    AddVariable(plan.env, "SHELL", user->shell.empty() ? "/bin/sh" : user->shell);
  }
  const uid_t uid = user ? user->uid : ::geteuid();
  // Nothing to change, and so no right needed.
  if (::geteuid() != 0 && uid == ::geteuid() && gid == ::getegid()) return {};
  const std::string who = settings.user.empty() ? "group " + settings.group : "user " + settings.user;
  const int groups_set = user ? ::initgroups(user->name.c_str(), gid) : ::setgroups(1, &gid);
  if (groups_set != 0) return FailErrno(errno, "taking the groups of " + who);
  if (::setgid(gid) != 0) return FailErrno(errno, "taking group " + std::to_string(gid) + " for " + who);
  if (::setuid(uid) != 0) return FailErrno(errno, "becoming " + who);
  if (uid != 0 && ::setuid(0) == 0) return Fail(Errc::kInvalid, "becoming " + who + ": root could be had again");
  return {};
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

Result<void> Become(internal::ExecPlan plan) {
  if (auto applied = ApplyToProcess(plan.settings); !applied) return applied;
  if (auto become = BecomeUser(plan); !become) return become;
  // As the user: what it may not enter is no working directory for it, whatever we may.
  if (!plan.dir.empty() && ::chdir(plan.dir.c_str()) != 0) return FailErrno(errno, "chdir " + plan.dir);
  const std::vector<char*> argv = Pointers(plan.argv);
  const std::vector<char*> env = Pointers(plan.env);
  ::execve(plan.program.c_str(), argv.data(), env.data());
  return FailErrno(errno, "fork/exec " + plan.program);
}

}  // namespace

bool IsExecHelper(int argc, const char* const* argv) {
  return argc == 1 && argv[0] == kExecHelperName;
}

int RunExecHelper() {
  if (::fcntl(internal::kReportFd, F_SETFD, FD_CLOEXEC) != 0) return kFailed;
  Report(kAlive, "");
  const auto text = ReadPlan();
  auto plan = text ? internal::DecodePlan(*text) : Result<internal::ExecPlan>(Fail(text.error()));
  const Result<void> failed = plan ? Become(*std::move(plan)) : Result<void>(Fail(plan.error()));
  Report(kError, failed.error().what);
  return kFailed;
}

}  // namespace shipmate::os
