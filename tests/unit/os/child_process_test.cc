#include "os/child_process.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "os/owned_children.h"
#include "unit/os/support.h"

using namespace shipmate;
using namespace shipmate::os;
using shipmate::tests::Eventually;
using shipmate::tests::TempDir;
using shipmate::tests::TestChild;

namespace {

std::string SpawnError(SpawnOptions options) {
  const UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  options.output_fd = null.Get();
  const auto child = Spawn(options);
  REQUIRE_FALSE(child.has_value());
  CHECK(child.error().code == Errc::kSpawn);
  return child.error().what;
}

void WriteScript(const std::string& path, const std::string& text) {
  std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
  REQUIRE(::chmod(path.c_str(), 0755) == 0);
}

std::string StatusLine(pid_t pid, const std::string& key) {
  std::istringstream status(ReadFile("/proc/" + std::to_string(pid) + "/status", 65536).value_or(""));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":\t")) return line.substr(key.size() + 2);
  }
  return "missing";
}

}  // namespace

TEST_CASE("Spawn: a session and group of its own, output to the file, directory and environment as told") {
  const TempDir dir;
  const TestChild child(TestChild::Shell("pwd; echo \"$COLOUR\" >&2; echo \"home=$HOME\"; read line; echo end=$?"),
                        dir.Path(), {"COLOUR=blue"});
  const auto stat = ReadStat(child.Pid());
  REQUIRE(stat);
  CHECK(stat->pgid == child.Pid());
  CHECK(stat->session == child.Pid());
  CHECK(stat->ppid == ::getpid());
  CHECK(child.Wait() == ExitStatus{.code = 0});
  // `read` from /dev/null ends at once with status 1.
  CHECK(child.Output() == dir.Path() + "\nblue\nhome=\nend=1\n");
}

TEST_CASE("Spawn: exactly descriptors 0, 1 and 2, even where others are open without close-on-exec") {
  const UniqueFd leak(::open("/dev/null", O_RDWR));
  const UniqueFd high(::dup2(leak.Get(), 200));
  REQUIRE(high.Get() == 200);
  const TestChild child({"/bin/sleep", "600"});
  const std::vector<std::string> expected{"0", "1", "2"};
  // While it loads its libraries it has one of them open for a moment; what was handed down stays.
  CHECK(Eventually([&] {
    std::vector<std::string> descriptors;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(child.Pid()) + "/fd")) {
      descriptors.push_back(entry.path().filename().string());
    }
    std::ranges::sort(descriptors);
    return descriptors == expected;
  }));
  CHECK(ReadFdTarget(child.Pid(), 0) == "/dev/null");
  CHECK(ReadFdTarget(child.Pid(), 1) == child.OutputPath());
  CHECK(ReadFdTarget(child.Pid(), 2) == child.OutputPath());
  CHECK(ReadFdTarget(child.Pid(), 200) == std::nullopt);
}

TEST_CASE("Spawn: default dispositions and an empty signal mask, whatever ours are") {
  struct sigaction ignore{};
  struct sigaction before{};
  ignore.sa_handler = SIG_IGN;
  REQUIRE(::sigaction(SIGPIPE, &ignore, &before) == 0);
  sigset_t blocked;
  sigset_t mask_before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigaddset(&blocked, SIGUSR1);
  REQUIRE(::sigprocmask(SIG_BLOCK, &blocked, &mask_before) == 0);
  {
    const TestChild child({"/bin/sleep", "600"});
    // But 32 and 33, which glibc keeps for itself: its posix_spawn leaves them ignored.
    constexpr unsigned long kInternal = 0x180000000UL;
    CHECK((std::stoul(StatusLine(child.Pid(), "SigIgn"), nullptr, 16) & ~kInternal) == 0);
    CHECK(StatusLine(child.Pid(), "SigBlk") == "0000000000000000");
    CHECK(SignalGroup(child.Pid(), SIGPIPE).has_value());
    CHECK(child.Wait() == ExitStatus{.signal = SIGPIPE});
  }
  ::sigprocmask(SIG_SETMASK, &mask_before, nullptr);
  ::sigaction(SIGPIPE, &before, nullptr);
}

TEST_CASE("Spawn: our own descriptors 0, 1 or 2 may be the output") {
  const TempDir dir;
  const UniqueFd saved(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10));
  const UniqueFd file(::open((dir / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(::dup2(file.Get(), STDIN_FILENO) == STDIN_FILENO);
  auto child = Spawn({.argv = {"/bin/sh", "-c", "echo out; echo err >&2"}, .env = {}, .output_fd = STDIN_FILENO});
  if (saved) {
    ::dup2(saved.Get(), STDIN_FILENO);
  } else {
    ::close(STDIN_FILENO);
  }
  REQUIRE(child.has_value());
  siginfo_t info{};
  CHECK(::waitid(P_PIDFD, static_cast<id_t>(child->pidfd.Get()), &info, WEXITED) == 0);
  ReleaseChild(child->pid);
  CHECK(ReadFile(dir / "out", 100).value_or("") == "out\nerr\n");
}

TEST_CASE("Spawn: bare names through PATH of the given environment, names with a slash from the directory") {
  const TempDir dir;
  MakeDirectories(dir / "sub/bin", 0755).value();
  MakeDirectories(dir / "tools/greet", 0755).value();
  WriteScript(dir / "sub/here", "echo here");
  WriteScript(dir / "sub/bin/greet", "echo relative");
  WriteScript(dir / "greet", "echo absolute");
  std::ofstream(dir / "tools/not-executable") << "echo no\n";
  const std::string sub = dir / "sub";
  const auto output_of = [](const std::vector<std::string>& argv, const std::string& in,
                            const std::vector<std::string>& env) {
    const TestChild child(argv, in, env);
    child.Wait();
    return child.Output();
  };
  CHECK(output_of({"./here"}, sub, {}) == "here\n");
  // A directory of that name is passed over; an absolute element is found from anywhere.
  CHECK(output_of({"greet"}, sub, {"PATH=" + dir / "tools" + ":" + dir.Path()}) == "absolute\n");
  // Relative and empty elements are seen from the child's directory.
  CHECK(output_of({"greet"}, sub, {"PATH=bin:" + dir.Path()}) == "relative\n");
  CHECK(output_of({"here"}, sub, {"PATH=:/nowhere"}) == "here\n");
  // No PATH: the system's own.
  CHECK(output_of({"sh", "-c", "echo found"}, "", {}) == "found\n");
  CHECK(SpawnError({.argv = {"not-executable"}, .env = {"PATH=" + dir / "tools"}}) ==
        "exec: \"not-executable\": executable file not found in $PATH");
}

TEST_CASE("Spawn: errors name what was tried") {
  const TempDir dir;
  std::ofstream(dir / "text") << "not a program\n";
  ::chmod((dir / "text").c_str(), 0755);
  const std::vector<std::string> env = {"PATH=/bin"};
  CHECK(SpawnError({.argv = {"/nonexistent/binary"}, .env = env}) ==
        "fork/exec /nonexistent/binary: no such file or directory");
  CHECK(SpawnError({.argv = {"foo-is-nowhere"}, .env = env}) ==
        "exec: \"foo-is-nowhere\": executable file not found in $PATH");
  CHECK(SpawnError({.argv = {"true"}, .dir = "/missing", .env = env}) == "chdir /missing: no such file or directory");
  CHECK(SpawnError({.argv = {"true"}, .dir = dir / "text", .env = env}) ==
        "chdir " + dir / "text" + ": not a directory");
  CHECK(SpawnError({.argv = {dir / "text"}, .env = env}) == "fork/exec " + dir / "text" + ": exec format error");
  CHECK(SpawnError({.argv = {dir.Path()}, .env = env}) == "fork/exec " + dir.Path() + ": permission denied");
  CHECK(SpawnError({.argv = {}, .env = env}) == "exec: no command");
  CHECK(SpawnError({.argv = {""}, .env = env}) == "exec: \"\": executable file not found in $PATH");
  CHECK(SpawnError({.argv = {"/bin/echo", std::string("a\0b", 3)}, .env = env}) ==
        "fork/exec /bin/echo: a NUL byte in its arguments, directory or environment");
}

TEST_CASE("InheritedEnvironment leaves out what it is told to, and a child sees none of it") {
  ::setenv("SHIPMATE_TEST_TOKEN", "hush", 1);
  ::setenv("SHIPMATE_TEST_TOKEN_2", "kept", 1);
  const auto env = InheritedEnvironment({"SHIPMATE_TEST_TOKEN", "NOT_SET_AT_ALL"});
  CHECK(std::ranges::none_of(env, [](const std::string& entry) { return entry.contains("hush"); }));
  CHECK(std::ranges::count(env, "SHIPMATE_TEST_TOKEN_2=kept") == 1);
  {
    const TestChild child({"/bin/sleep", "600"}, "", env);
    // Spawn may return a moment before the kernel shows the new program's environment.
    CHECK(Eventually([&] { return ReadEnviron(child.Pid(), "SHIPMATE_TEST_TOKEN_2") == "kept"; }));
    CHECK(ReadEnviron(child.Pid(), "SHIPMATE_TEST_TOKEN") == std::nullopt);
  }
  ::unsetenv("SHIPMATE_TEST_TOKEN");
  ::unsetenv("SHIPMATE_TEST_TOKEN_2");
}

TEST_CASE("Pids and groups of 1 and less, and our own group, are never signalled") {
  // Had one of these been sent, a signal of this kind would end this very test.
  for (const pid_t pgid : {0, 1, -1, -2, ::getpgrp(), ::getsid(0)}) {
    const auto group = SignalGroup(pgid, SIGKILL);
    REQUIRE_FALSE(group.has_value());
    CHECK(group.error().code == Errc::kInvalid);
    const auto session = SignalSession(pgid, SIGKILL);
    REQUIRE_FALSE(session.has_value());
    CHECK(session.error().code == Errc::kInvalid);
  }
  for (const pid_t pid : {0, 1, -1}) {
    const auto pidfd = OpenPidfd(pid);
    REQUIRE_FALSE(pidfd.has_value());
    CHECK(pidfd.error().code == Errc::kInvalid);
  }
  CHECK_FALSE(SignalPidfd(-1, SIGKILL).has_value());
}

TEST_CASE("OpenRecorded: the recorded process, and neither its heir nor its corpse") {
  const TestChild child({"/bin/sleep", "600"});
  const ProcessState recorded = *Identify(child.Pid());
  ProcessState recycled = recorded;
  recycled.start_ticks -= 1;
  CHECK(OpenRecorded(recycled).error().code == Errc::kRefused);
  CHECK(OpenRecorded(recycled).error().what == "pid " + std::to_string(child.Pid()) + " reused by different process");
  CHECK(OpenRecorded({.pid = child.Pid(), .pgid = child.Pid()}).error().code == Errc::kInvalid);
  CHECK(OpenRecorded({}).error().code == Errc::kInvalid);
  CHECK(ReadStat(child.Pid())->Lives());

  const auto pidfd = OpenRecorded(recorded);
  REQUIRE(pidfd.has_value());
  CHECK(SignalPidfd(pidfd->Get(), SIGTERM).has_value());
  CHECK(Eventually([&] { return !ReadStat(child.Pid())->Lives(); }));
  CHECK(OpenRecorded(recorded).error().code == Errc::kNotFound);
  CHECK(child.Wait() == ExitStatus{.signal = SIGTERM});
  CHECK(OpenRecorded(recorded).error().code == Errc::kNotFound);
}

TEST_CASE("A group or a process that is gone is kNotFound, not a success") {
  pid_t gone = 0;
  UniqueFd pidfd;
  {
    const TestChild child({"/bin/true"});
    gone = child.Pid();
    pidfd = *OpenPidfd(gone);
    child.Wait();
  }
  CHECK(SignalGroup(gone, SIGTERM).error().code == Errc::kNotFound);
  CHECK(SignalGroup(gone, SIGTERM).error().what ==
        "sending SIGTERM to process group " + std::to_string(gone) + ": no such process");
  CHECK(SignalPidfd(pidfd.Get(), SIGTERM).error().code == Errc::kNotFound);
  CHECK(OpenPidfd(gone).error().code == Errc::kNotFound);
}

TEST_CASE("SignalSession reaches a job that has a group of its own") {
  const TestChild child({"/bin/bash", "-c", "set -m; sleep 600 & echo $!; wait"});
  const pid_t job = child.PrintedPid();
  const auto stat = ReadStat(job);
  REQUIRE(stat);
  CHECK(stat->pgid == job);
  CHECK(stat->session == child.Pid());
  CHECK(SignalSession(child.Pid(), SIGKILL).has_value());
  CHECK(Eventually([&] { return LivingGroup(child.Pid()).empty(); }));
}

TEST_CASE("A child belongs to whoever started it until it is reaped or released") {
  const UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  auto child = Spawn({.argv = {"/bin/true"}, .env = {}, .output_fd = null.Get()});
  REQUIRE(child.has_value());
  CHECK(internal::IsSpokenFor(child->pid));
  CHECK(Eventually([&] { return !ReadStat(child->pid)->Lives(); }));
  ReleaseChild(child->pid);
  CHECK_FALSE(internal::IsSpokenFor(child->pid));
  CHECK(ReadStat(child->pid) == std::nullopt);
}
