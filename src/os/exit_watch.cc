#include "os/exit_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <vector>

#include "async/deadline.h"
#include "os/files.h"
#include "os/owned_children.h"
#include "os/posix.h"
#include "os/proc_info.h"
#include "os/signals.h"

namespace shipmate::os {

namespace {

ExitStatus FromSiginfo(const siginfo_t& info) {
  ExitStatus status;
  if (info.si_code == CLD_EXITED) {
    status.code = info.si_status;
  } else {
    status.signal = info.si_status;
    status.core_dumped = info.si_code == CLD_DUMPED;
  }
  return status;
}

// What PIDFD_GET_INFO fills: the first version of struct pidfd_info (include/uapi/linux/pidfd.h), which the headers of
// an older system lack.
struct PidfdInfo {
  std::uint64_t mask = 0;
  std::uint64_t cgroup_id = 0;
  std::array<std::uint32_t, 11> ids{};  ///< pid, thread group, parent, and the user's and group's ids
  std::int32_t exit_code = 0;
};
static_assert(sizeof(PidfdInfo) == 64);

constexpr std::uint64_t kPidfdInfoExit = 8;
constexpr unsigned long kPidfdGetInfo = _IOWR(0xFF, 11, PidfdInfo);

enum class Told {
  kStatus,
  kLater,  ///< its parent has yet to reap it
  kNever,  ///< this kernel keeps no status
};

// The status of any process that has ended and was reaped, on Linux 6.15 and later. It is in the form of wait(2).
Told AskStatus(int pidfd, ExitStatus& status) {
  PidfdInfo info{.mask = kPidfdInfoExit};
  if (::ioctl(pidfd, kPidfdGetInfo, &info) != 0) return Told::kNever;
  if ((info.mask & kPidfdInfoExit) == 0) return Told::kLater;
  if (WIFEXITED(info.exit_code)) {
    status.code = WEXITSTATUS(info.exit_code);
  } else if (WIFSIGNALED(info.exit_code)) {
    status.signal = WTERMSIG(info.exit_code);
    status.core_dumped = WCOREDUMP(info.exit_code);
  }
  return Told::kStatus;
}

// The pid behind a pidfd, as /proc tells it (proc(5), fdinfo); -1 once the process has been reaped, 0 when unknown.
pid_t PidOf(int pidfd) {
  const auto text = ReadFile("/proc/self/fdinfo/" + std::to_string(pidfd), 4096);
  if (!text) return 0;
  constexpr std::string_view kKey = "\nPid:\t";
  const std::size_t at = text->find(kKey);
  if (at == std::string::npos) return 0;
  pid_t pid = 0;
  std::from_chars(text->data() + at + kKey.size(), text->data() + text->size(), pid);
  return pid;
}

// Our children, as one line of pids in each thread's `children` file. Cheaper than a walk over all of /proc, which is
// the fallback for kernels built without it.
std::vector<pid_t> Children() {
  std::vector<pid_t> pids;
  std::error_code failed;
  bool listed = false;
  std::filesystem::directory_iterator task("/proc/self/task", failed);
  for (const std::filesystem::directory_iterator end; !failed && task != end; task.increment(failed)) {
    std::ifstream file(task->path() / "children");
    listed = listed || file.is_open();
    for (pid_t pid = 0; file >> pid;) pids.push_back(pid);
  }
  if (listed) return pids;
  const auto processes = AllProcesses().value_or(std::vector<ProcessStat>());
  for (const ProcessStat& process : processes) {
    if (process.ppid == ::getpid()) pids.push_back(process.pid);
  }
  return pids;
}

void ReapIfExited(pid_t pid) {
  siginfo_t info{};
  internal::RetryInterrupted([&] { return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG); });
}

// Reaps every exited child that nobody owns. waitid(P_ALL) with WNOWAIT always shows the same first zombie, so it finds
// orphans only as long as no owned zombie stands before them; then the list of children is gone through once. That
// state is short: an owned zombie is reaped by its WaitExit in the same turn of the loop.
void ReapUnowned() {
  while (true) {
    siginfo_t info{};
    const int result =
        internal::RetryInterrupted([&] { return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT); });
    if (result != 0 || info.si_pid == 0) return;
    if (internal::IsSpokenFor(info.si_pid)) break;
    ReapIfExited(info.si_pid);
  }
  for (const pid_t pid : Children()) {
    if (!internal::IsSpokenFor(pid)) ReapIfExited(pid);
  }
}

// A copy, so that several may wait on one pidfd: the reactor takes each descriptor once. nullopt, and errno, when there
// is none left.
std::optional<boost::asio::posix::stream_descriptor> CopyToWatch(const Executor& executor, int pidfd) {
  UniqueFd copy(::fcntl(pidfd, F_DUPFD_CLOEXEC, 3));
  if (!copy) return std::nullopt;
  boost::asio::posix::stream_descriptor descriptor(executor);
  descriptor.assign(copy.Get());
  copy.Release();
  return descriptor;
}

// Asked after each wait: the reactor may tell a new descriptor of an event of another, closed one, whose record it
// has taken over, and a wait believes it.
bool HasExited(boost::asio::posix::stream_descriptor& descriptor) {
  pollfd look{.fd = descriptor.native_handle(), .events = POLLIN, .revents = 0};
  return internal::RetryInterrupted([&] { return ::poll(&look, 1, 0); }) > 0;
}

}  // namespace

std::string SignalName(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name == nullptr ? "signal " + std::to_string(signal) : "SIG" + std::string(name);
}

std::string ExitStatus::Describe() const {
  if (code) return "exited with status " + std::to_string(*code);
  if (signal) return "killed by " + SignalName(*signal) + (core_dumped ? " (core dumped)" : "");
  return "exited (status unknown)";
}

std::string ExitStatus::ErrorText() const {
  if (code) return *code == 0 ? "" : "exit status " + std::to_string(*code);
  if (!signal) return "exited (status unknown)";
  const char* description = ::sigdescr_np(*signal);
  std::string text = description == nullptr ? "signal " + std::to_string(*signal) : description;
  // "Killed" is "killed" there, but "CPU time limit exceeded" and "I/O possible" stay.
  if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z') {
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  }
  return "signal: " + text;
}

std::optional<ExitStatus> ReapExited(int pidfd) {
  const pid_t pid = PidOf(pidfd);
  siginfo_t info{};
  const int result =
      internal::RetryInterrupted([&] { return ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG); });
  if (result == 0) {
    // Still running, or a debugger has yet to let go of it.
    if (info.si_pid == 0) return std::nullopt;
    internal::DisownChild(info.si_pid);
    return FromSiginfo(info);
  }
  // The pidfd became non-blocking in WaitExitUnreaped, and then says "not yet" in this way (pidfd_open(2)).
  if (errno == EAGAIN) return std::nullopt;
  if (pid > 1) {
    const auto stat = ReadStat(pid);
    if (stat && stat->Lives()) return std::nullopt;
  }
  ExitStatus status;
  AskStatus(pidfd, status);
  return status;
}

Task<void> WaitExitUnreaped(int pidfd) {
  auto descriptor = CopyToWatch(co_await boost::asio::this_coro::executor, pidfd);
  if (!descriptor) throw boost::system::system_error(errno, boost::system::system_category(), "watching a pidfd");
  const internal::ExitClaim claim(PidOf(pidfd));
  do {
    co_await descriptor->async_wait(boost::asio::posix::stream_descriptor::wait_read, boost::asio::use_awaitable);
  } while (!HasExited(*descriptor));
}

struct ExitWatch::Wait {
  Wait(boost::asio::posix::stream_descriptor watched, pid_t pid, std::function<void()> then)
      : descriptor(std::move(watched)), claim(pid), exited(std::move(then)) {}

  static void Arm(const std::shared_ptr<Wait>& wait) {
    wait->descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                [weak = std::weak_ptr(wait)](const boost::system::error_code& aborted) {
                                  // Kept over the call, which may end the watch.
                                  const auto alive = weak.lock();
                                  if (!alive || aborted) return;
                                  if (HasExited(alive->descriptor)) return alive->exited();
                                  Arm(alive);
                                });
  }

  boost::asio::posix::stream_descriptor descriptor;
  internal::ExitClaim claim;
  std::function<void()> exited;
};

ExitWatch::ExitWatch(std::shared_ptr<Wait> wait) : wait_(std::move(wait)) {}
ExitWatch::~ExitWatch() = default;

Result<std::unique_ptr<ExitWatch>> ExitWatch::Create(const Executor& executor, int pidfd,
                                                     std::function<void()> exited) {
  auto descriptor = CopyToWatch(executor, pidfd);
  if (!descriptor) return FailErrno(errno, "watching a pidfd");
  auto wait = std::make_shared<Wait>(*std::move(descriptor), PidOf(pidfd), std::move(exited));
  Wait::Arm(wait);
  return std::unique_ptr<ExitWatch>(new ExitWatch(std::move(wait)));
}

Task<ExitStatus> WaitExit(int pidfd) {
  const internal::ExitClaim claim(PidOf(pidfd));
  co_await WaitExitUnreaped(pidfd);
  while (true) {
    if (auto status = ReapExited(pidfd)) {
      // A parent that reaps does so at once; one that does not is not waited for.
      constexpr int kLooks = 50;
      for (int look = 0; look < kLooks && !status->IsKnown(); ++look) {
        if (AskStatus(pidfd, *status) != Told::kLater) break;
        co_await async::Sleep(std::chrono::milliseconds(10));
      }
      co_return *status;
    }
    // Exited, but in the hands of a debugger, which tells nobody when it lets go.
    co_await async::Sleep(std::chrono::milliseconds(50));
  }
}

Task<void> ReapOrphans() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    throw boost::system::system_error(errno, boost::system::system_category(), "becoming a child subreaper");
  }
  SignalWatcher exits(co_await boost::asio::this_coro::executor, {SIGCHLD});
  while (true) {
    ReapUnowned();
    co_await exits.Next();
  }
}

}  // namespace shipmate::os
