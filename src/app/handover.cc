#include "app/handover.h"

#include <fmt/format.h>
#include <linux/close_range.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "os/child_process.h"
#include "os/files.h"
#include "os/unique_fd.h"

namespace shipmate::app {

namespace {

// "<descriptor of the lock> <descriptor of the secrets>"
constexpr const char* kVariable = "SHIPMATE_HANDOVER";
constexpr const char* kSecretsName = "shipmate-secrets";
constexpr std::size_t kMostSecrets = std::size_t{64} * 1024;

std::optional<int> Number(std::string_view text) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string LinkTarget(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : "";
}

// NAME=value, each ended by a NUL; in memory only.
Result<os::UniqueFd> WriteSecrets(const Secrets& secrets) {
  os::UniqueFd fd(::memfd_create(kSecretsName, MFD_CLOEXEC));
  if (!fd) return FailErrno(errno, "handing on the secrets");
  std::string text;
  for (const auto& [name, value] : secrets) {
    text += fmt::format("{}={}", name, value);
    text += '\0';
  }
  if (::pwrite(fd.Get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return FailErrno(errno, "handing on the secrets");
  }
  return fd;
}

Secrets ReadSecrets(const os::UniqueFd& fd) {
  std::string text(kMostSecrets, '\0');
  const ssize_t length = ::pread(fd.Get(), text.data(), text.size(), 0);
  text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  Secrets secrets;
  for (const std::string_view entry : base::Split(text, '\0')) {
    const std::size_t equals = entry.find('=');
    if (equals != std::string_view::npos) secrets.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return secrets;
}

bool IsThisProgram(const std::string& path) {
  struct stat named{};
  struct stat ours{};
  return ::stat(path.c_str(), &named) == 0 && ::stat("/proc/self/exe", &ours) == 0 && named.st_ino == ours.st_ino &&
         named.st_dev == ours.st_dev;
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  // execve(2) takes pointers to mutable text for historical reasons, and does not write to it.
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

Inherited TakeOver() {
  Inherited inherited;
  const char* value = std::getenv(kVariable);
  if (value == nullptr) return inherited;
  const std::string text = value;
  ::unsetenv(kVariable);
  const std::vector<std::string_view> parts = base::Split(text, ' ');
  if (parts.size() != 2) return inherited;
  const auto lock = Number(parts[0]);
  const auto secrets = Number(parts[1]);
  // Whoever set the variable by hand gets none of our other descriptors read or closed.
  if (secrets && LinkTarget(fmt::format("/proc/self/fd/{}", *secrets)).contains(kSecretsName)) {
    inherited.secrets = ReadSecrets(os::UniqueFd(*secrets));
  }
  inherited.lock_fd = lock.value_or(-1);
  return inherited;
}

std::string ProgramPath(const std::string& argv0) {
  if (argv0.contains('/')) {
    std::string path = os::AbsolutePath(argv0);
    if (IsThisProgram(path)) return path;
  } else if (const char* search = std::getenv("PATH")) {
    for (const std::string_view folder : base::Split(search, ':')) {
      std::string path = os::AbsolutePath(fmt::format("{}/{}", folder.empty() ? "." : folder, argv0));
      if (IsThisProgram(path)) return path;
    }
  }
  return LinkTarget("/proc/self/exe");
}

Result<os::DirLock> TakeLock(const std::string& state_dir, int inherited) {
  if (inherited >= 0) {
    if (auto lock = os::DirLock::Inherit(state_dir, inherited)) return lock;
    // The new configuration names another directory: the old one's lock is nobody's business any more.
    ::close(inherited);
  }
  return os::DirLock::Take(state_dir);
}

Result<void> Become(const std::string& path, const std::vector<std::string>& argv, os::DirLock& lock,
                    const Secrets& secrets) {
  auto memory = WriteSecrets(secrets);
  if (!memory) return Fail(memory.error());
  // Nothing of ours but these two stays open, whatever a library forgot.
  if (::close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC) != 0 && errno != ENOSYS && errno != EINVAL) {
    return FailErrno(errno, "exec " + path);
  }
  const auto lock_fd = lock.HandOn();
  if (!lock_fd) return Fail(lock_fd.error());
  const int secrets_fd = ::dup(memory->Get());
  if (secrets_fd < 0) {
    lock.Keep();
    return FailErrno(errno, "handing on the secrets");
  }
  const os::UniqueFd inherited(secrets_fd);

  std::vector<std::string> environment = os::InheritedEnvironment({kVariable});
  environment.push_back(fmt::format("{}={} {}", kVariable, *lock_fd, secrets_fd));
  std::vector<std::string> arguments = argv;
  if (arguments.empty()) arguments.emplace_back();
  arguments.front() = path;
  const std::vector<char*> argument_pointers = Pointers(arguments);
  const std::vector<char*> environment_pointers = Pointers(environment);
  std::fflush(nullptr);
  // Until the new program listens to it, a reload that is asked for would end it; TERM and INT may.
  struct sigaction ignore{};
  struct sigaction before{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGHUP, &ignore, &before);
  ::execve(path.c_str(), argument_pointers.data(), environment_pointers.data());
  const int error = errno;
  ::sigaction(SIGHUP, &before, nullptr);
  lock.Keep();
  return FailErrno(error, "exec " + path);
}

}  // namespace shipmate::app
