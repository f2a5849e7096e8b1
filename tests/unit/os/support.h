#pragma once

// What the tests of this floor share: a directory of their own, real children that never outlive a test, and bounded
// waiting for what only /proc can tell.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "os/child_process.h"
#include "os/exit_watch.h"
#include "os/files.h"
#include "os/proc_info.h"
#include "os/unique_fd.h"

namespace shipmate::tests {

class TempDir {
 public:
  TempDir() : path_("/tmp/shipmate-os-XXXXXX") { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& Path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// Asks `condition` every few milliseconds until it holds; false when it does not within thirty seconds.
template <class Condition>
bool Eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

/// A child started by os::Spawn with its output in a file; killed with all of its session, and reaped, at the end.
class TestChild {
 public:
  explicit TestChild(std::vector<std::string> argv, std::string dir = "",
                     std::vector<std::string> env = os::InheritedEnvironment({})) {
    const os::UniqueFd output(::open(OutputPath().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    REQUIRE(output);
    auto child =
        os::Spawn({.argv = std::move(argv), .dir = std::move(dir), .env = std::move(env), .output_fd = output.Get()});
    REQUIRE_MESSAGE(child.has_value(), (child ? std::string() : child.error().what));
    child_ = *std::move(child);
  }
  static std::vector<std::string> Shell(std::string script) { return {"/bin/sh", "-c", std::move(script)}; }

  ~TestChild() {
    static_cast<void>(os::SignalSession(child_.pid, SIGKILL));
    if (!os::ReapExited(child_.pidfd.Get())) {
      siginfo_t info{};
      ::waitid(P_PIDFD, static_cast<id_t>(child_.pidfd.Get()), &info, WEXITED);
    }
    os::ReleaseChild(child_.pid);
  }
  TestChild(const TestChild&) = delete;
  TestChild& operator=(const TestChild&) = delete;

  pid_t Pid() const { return child_.pid; }
  int Pidfd() const { return child_.pidfd.Get(); }
  std::string OutputPath() const { return dir_ / "output"; }
  std::string Output() const { return os::ReadFile(OutputPath(), std::size_t{1} << 20U).value_or(""); }
  /// Blocks until the process has exited, and reaps it.
  os::ExitStatus Wait() const {
    siginfo_t info{};
    int result = -1;
    do {
      result = ::waitid(P_PIDFD, static_cast<id_t>(child_.pidfd.Get()), &info, WEXITED | WNOWAIT);
    } while (result != 0 && (errno == EINTR || errno == EAGAIN));
    return os::ReapExited(child_.pidfd.Get()).value_or(os::ExitStatus{});
  }
  /// The number that the child has printed as its first line; waits for it.
  pid_t PrintedPid() const {
    REQUIRE(Eventually([&] { return Output().contains('\n'); }));
    return static_cast<pid_t>(std::stol(Output()));
  }

 private:
  TempDir dir_;
  os::ChildProcess child_;
};

}  // namespace shipmate::tests
