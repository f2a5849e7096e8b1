#include "os/proc_info.h"

#include <sys/resource.h>
#include <sys/syscall.h>

#include <algorithm>

#include "base/text.h"
#include "unit/os/support.h"

using namespace shipmate;
using namespace shipmate::os;
using namespace std::chrono_literals;
using shipmate::tests::Eventually;
using shipmate::tests::TempDir;
using shipmate::tests::TestChild;

namespace {

std::vector<pid_t> Pids(const std::vector<ProcessStat>& processes) {
  std::vector<pid_t> pids;
  for (const ProcessStat& process : processes) pids.push_back(process.pid);
  std::ranges::sort(pids);
  return pids;
}

}  // namespace

TEST_CASE("IsAlive: ourselves and foreign processes, but no group and nobody") {
  CHECK(IsAlive(::getpid()));
  CHECK(IsAlive(1));
  CHECK_FALSE(IsAlive(99999999));
  CHECK_FALSE(IsAlive(0));
  CHECK_FALSE(IsAlive(-1));
  CHECK_FALSE(IsAlive(-::getpgrp()));
}

TEST_CASE("ReadStat: what the kernel shows, with any name") {
  const TempDir dir;
  const std::string odd = dir / "a) R (b";
  std::filesystem::copy_file("/bin/sleep", odd);
  const TestChild child({odd, "600"});
  CHECK(Eventually([&] { return ReadStat(child.Pid())->name == "a) R (b"; }));
  const auto stat = ReadStat(child.Pid());
  REQUIRE(stat);
  CHECK(stat->pid == child.Pid());
  CHECK(stat->ppid == ::getpid());
  CHECK(stat->threads == 1);
  CHECK(stat->Lives());
  CHECK(stat->start_ticks > 0);
  CHECK(Eventually([&] { return ReadStat(child.Pid())->resident_bytes > 4096; }));
  CHECK(Eventually([&] { return ReadStat(child.Pid())->state == 'S'; }));
  CHECK_FALSE(ReadStat(0).has_value());
  CHECK_FALSE(ReadStat(-1).has_value());
  CHECK_FALSE(ReadStat(99999999).has_value());
  CHECK(UptimeOf(stat->start_ticks) < 1h);
  CHECK(UptimeOf(ReadStat(::getpid())->start_ticks) >= UptimeOf(stat->start_ticks));
  CHECK(UptimeOf(stat->start_ticks + 100000000) == 0ms);
}

TEST_CASE("A process whose main thread has ended is not dead") {
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::thread([] { ::pause(); }).detach();
    ::syscall(SYS_exit, 0);  // this thread alone; pthread_exit would unwind into the test runner's handlers
  }
  REQUIRE(pid > 0);
  CHECK(Eventually([&] { return ReadStat(pid)->state == 'Z'; }));
  CHECK(ReadStat(pid)->Lives());
  CHECK(Identify(pid).has_value());
  CHECK(::kill(pid, SIGKILL) == 0);
  CHECK(Eventually([&] { return !ReadStat(pid)->Lives(); }));
  CHECK(::waitpid(pid, nullptr, 0) == pid);

  CHECK(ProcessStat{.state = 'Z', .threads = 2}.Lives());
  CHECK_FALSE(ProcessStat{.state = 'Z'}.Lives());
  CHECK_FALSE(ProcessStat{.state = 'X'}.Lives());
  CHECK(ProcessStat{.state = 'D'}.Lives());
}

TEST_CASE("A zombie answers to signal 0, but is no living member of its group") {
  const TestChild child({"/bin/sleep", "600"});
  CHECK(Pids(LivingGroup(child.Pid())) == std::vector<pid_t>{child.Pid()});
  CHECK(SignalGroup(child.Pid(), SIGKILL).has_value());
  CHECK(Eventually([&] { return ReadStat(child.Pid())->state == 'Z'; }));
  CHECK(IsAlive(child.Pid()));
  CHECK(LivingGroup(child.Pid()).empty());
  CHECK_FALSE(Identify(child.Pid()).has_value());
  child.Wait();
  CHECK_FALSE(IsAlive(child.Pid()));
}

TEST_CASE("LivingGroup lists what outlived its leader, also in a group of its own in the session") {
  const TestChild child(TestChild::Shell("(trap '' TERM; exec sleep 600) & echo $!; exec sleep 600"));
  const pid_t stubborn = child.PrintedPid();
  CHECK(Eventually([&] { return ReadStat(stubborn)->name == "sleep"; }));
  CHECK(Eventually([&] { return ReadStat(child.Pid())->name == "sleep"; }));
  CHECK(Pids(LivingGroup(child.Pid())).size() == 2);
  CHECK(SignalGroup(child.Pid(), SIGTERM).has_value());
  CHECK(child.Wait() == ExitStatus{.signal = SIGTERM});
  CHECK(Pids(LivingGroup(child.Pid())) == std::vector<pid_t>{stubborn});
  CHECK(SignalGroup(child.Pid(), SIGKILL).has_value());
  CHECK(Eventually([&] { return LivingGroup(child.Pid()).empty(); }));

  const TestChild jobs({"/bin/bash", "-c", "set -m; sleep 600 & echo $!; wait"});
  const pid_t job = jobs.PrintedPid();
  CHECK(std::ranges::count(Pids(LivingGroup(jobs.Pid())), job) == 1);

  CHECK(LivingGroup(0).empty());
  CHECK(LivingGroup(1).empty());
  CHECK(LivingGroup(-1).empty());
}

TEST_CASE("Identify and VerifyProcess: exact by boot and ticks") {
  const TestChild child({"/bin/sleep", "600"});
  const auto identity = Identify(child.Pid());
  REQUIRE(identity);
  CHECK(identity->pid == child.Pid());
  CHECK(identity->pgid == child.Pid());
  CHECK(identity->boot_id.size() == 36);
  CHECK(identity->start_ticks == ReadStat(child.Pid())->start_ticks);
  CHECK(identity->create_time % 1000 == 0);
  CHECK(identity->create_time >= identity->boot_time * 1000);
  CHECK(identity->log_path.empty());
  CHECK(HasIdentity(*identity));
  CHECK(VerifyProcess(*identity));

  // The wall clock was stepped by an hour since: no matter.
  ProcessState stepped = *identity;
  stepped.boot_time += 3600;
  stepped.create_time += 3600 * 1000;
  CHECK(VerifyProcess(stepped));

  // The pid of today belongs to another: one tick apart is another process, and so is everything of another boot.
  ProcessState recycled = *identity;
  recycled.start_ticks -= 1;
  CHECK_FALSE(VerifyProcess(recycled));
  ProcessState rebooted = *identity;
  rebooted.boot_id = "00000000-0000-0000-0000-000000000000";
  CHECK_FALSE(VerifyProcess(rebooted));

  SignalGroup(child.Pid(), SIGKILL).value();
  child.Wait();
  CHECK_FALSE(VerifyProcess(*identity));
  CHECK_FALSE(Identify(child.Pid()).has_value());
}

TEST_CASE("VerifyProcess: records of the reference program, within two seconds") {
  const TestChild child({"/bin/sleep", "600"});
  ProcessState legacy = *Identify(child.Pid());
  legacy.boot_id.clear();
  legacy.start_ticks = 0;
  CHECK(HasIdentity(legacy));
  CHECK(VerifyProcess(legacy));
  for (const int shift : {-2, -1, 1, 2}) {
    ProcessState near = legacy;
    near.boot_time += shift;
    near.create_time += shift * 1000;
    // One second less where the kernel's own rounding of btime may have moved since.
    if (std::abs(shift) < 2) CHECK(VerifyProcess(near));
    near = legacy;
    near.create_time += 10 * shift * 1000;
    CHECK_FALSE(VerifyProcess(near));
    near = legacy;
    near.boot_time += 10 * shift;
    CHECK_FALSE(VerifyProcess(near));
  }
  ProcessState gone = legacy;
  gone.pid = 99999999;
  CHECK_FALSE(VerifyProcess(gone));
}

TEST_CASE("A record without an identity verifies, as the reference's does, but names nobody") {
  ProcessState bare{.pid = ::getpid()};
  CHECK(VerifyProcess(bare));
  CHECK_FALSE(HasIdentity(bare));
  bare.boot_time = Identify(::getpid())->boot_time;
  CHECK_FALSE(HasIdentity(bare));
  bare.start_ticks = 5;
  CHECK_FALSE(HasIdentity(bare));
  for (const pid_t pid : {0, 1, -1}) {
    ProcessState nobody = *Identify(::getpid());
    nobody.pid = pid;
    CHECK_FALSE(HasIdentity(nobody));
    CHECK_FALSE(VerifyProcess(nobody));
    CHECK_FALSE(Identify(pid).has_value());
  }
}

TEST_CASE("FindByEnviron finds the marked processes, their heirs too, and nobody else") {
  const std::string mark = "SHIPMATE_TEST_MARK_" + std::to_string(::getpid());
  const TestChild marked(TestChild::Shell("sleep 600 & echo $!; wait"), "", {"A=1", mark + "=dir/api/7", "PATH=/bin"});
  const TestChild other({"/bin/sleep", "600"}, "", {mark + "=elsewhere/api/7"});
  const TestChild near({"/bin/sleep", "600"}, "", {mark + "_LONGER=dir/api/7"});
  const pid_t heir = marked.PrintedPid();
  const std::map<pid_t, std::string> expected = {{marked.Pid(), "dir/api/7"}, {heir, "dir/api/7"}};
  CHECK(Eventually([&] { return FindByEnviron(mark, "dir/").value() == expected; }));
  CHECK(Eventually([&] { return FindByEnviron(mark, "").value().size() == 3; }));
  CHECK(FindByEnviron(mark, "dir/api/8").value().empty());
  CHECK(ReadEnviron(marked.Pid(), "A") == "1");
  CHECK(ReadEnviron(marked.Pid(), "B") == std::nullopt);
  CHECK(ReadEnviron(0, "PATH") == std::nullopt);
}

TEST_CASE("AllProcesses holds ourselves") {
  const auto processes = AllProcesses().value();
  CHECK(std::ranges::count(Pids(processes), ::getpid()) == 1);
  CHECK(processes.size() > 1);
}

TEST_CASE("who cannot be looked at is not taken for gone") {
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  rlimit none = limit;
  none.rlim_cur = 0;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto processes = AllProcesses();
  const auto marked = FindByEnviron("PATH", "");
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  REQUIRE_FALSE(processes.has_value());
  CHECK(processes.error().what == "looking at the processes of this machine: too many open files");
  CHECK_FALSE(marked.has_value());
}
