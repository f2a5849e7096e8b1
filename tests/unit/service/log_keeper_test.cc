// The keeping of log files with real writers: what is retained, what it takes up, and that it costs nothing while all
// is quiet.

#include "service/log_keeper.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "os/files.h"
#include "os/sparse_file.h"
#include "unit/service/machine.h"

using namespace shipmate;
using namespace shipmate::service;
using tests::Lives;
using tests::Machine;
using tests::ProcessService;
using tests::ReadText;
using tests::TempDir;
using tests::WriteText;

namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
constexpr std::uint64_t kBound = kMiB;

void Touch(const std::string& path, int age) {
  if (!std::filesystem::exists(path)) WriteText(path, "x");
  const timespec time{.tv_sec = 1711000000 - age, .tv_nsec = 0};
  const timespec times[2] = {time, time};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

std::set<std::string> Names(const std::string& dir) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) names.insert(entry.path().filename().string());
  return names;
}

TidyRequest RequestOf(const std::string& dir, const std::string& current) {
  TidyRequest request;
  request.dir = dir;
  request.name = "web";
  request.current = current;
  request.bound = kBound;
  return request;
}

os::FileUse UseOf(const std::string& path) {
  const auto use = os::InspectFile(path);
  REQUIRE_MESSAGE(use.has_value(), (use ? std::string() : use.error().what));
  return *use;
}

// The numbers that `text` consists of, line by line; other lines, and one that was cut at the start, are passed over.
struct Numbers {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::size_t count = 0;
  std::size_t gaps = 0;
};
Numbers ReadNumbers(std::string_view text) {
  constexpr std::size_t kDigits = 10;
  Numbers numbers;
  for (const std::string_view line : base::Split(text, '\n')) {
    if (line.size() != kDigits || line.find_first_not_of("0123456789") != std::string_view::npos) continue;
    const std::uint64_t number = std::stoull(std::string(line));
    if (numbers.count == 0) numbers.first = number;
    if (numbers.count > 0 && number != numbers.last + 1) ++numbers.gaps;
    numbers.last = number;
    ++numbers.count;
  }
  return numbers;
}

// The log in use of a service that runs.
std::string LogOf(Machine& machine, const std::string& name) {
  const int pid = machine.Pid(name);
  REQUIRE(pid > 0);
  return machine.config.log_dir + "/" + name + "." + std::to_string(pid) + ".log";
}

std::string Log(Machine& machine, const std::string& name, const LogQuery& query = {}) {
  const auto answer = machine.Run(machine.manager->ReadLog(name, query));
  REQUIRE_MESSAGE(answer.has_value(), (answer ? std::string() : answer.error().what));
  return answer->text;
}

}  // namespace

TEST_CASE("TidyLogs never touches what is not the service's") {
  const std::vector<std::string> others = {"web.api.1.log", "web.api.2.log", "web[1].3.log", "web*.4.log",
                                           "web.log",       "web.1.log.gz",  "web.5.6.log",  "web.starting-x.log",
                                           "webb.1.log",    "WEB.1.log",     "web.json",     "web.starting.1.log"};
  const TempDir dir;
  for (const std::string& other : others) Touch(dir / other, 1000);
  REQUIRE(::mkdir((dir / "web.77.log").c_str(), 0700) == 0);
  WriteText(dir / "target", "kept");
  REQUIRE(::symlink((dir / "target").c_str(), (dir / "web.78.log").c_str()) == 0);
  std::set<std::string> expected = Names(dir.Path());
  Touch(dir / "web.1.log", 1);
  Touch(dir / "web.1-1.log", 2);
  Touch(dir / "web.starting-9.log", 3);
  Touch(dir / "web.5.log", 4);
  // Half written when somebody died.
  Touch(dir / "web.1.log.compact", 5);
  TidyRequest request = RequestOf(dir.Path(), dir.Path() + "//./web.5.log");
  request.bound = 0;
  CHECK(TidyLogs(request).problems.empty());
  expected.insert("web.5.log");
  CHECK(Names(dir.Path()) == expected);
  request.name = "web*";
  request.current.clear();
  TidyLogs(request);
  expected.erase("web*.4.log");
  CHECK(Names(dir.Path()) == expected);
  request.dir = dir / "gone";
  CHECK(TidyLogs(request).problems.empty());
}

TEST_CASE("A log written at full speed stays within the bound and loses no line of what is within it") {
  const TempDir dir;
  const std::string path = dir / "web.1.log";
  const os::UniqueFd output(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  REQUIRE(output);
  os::SpawnOptions options;
  options.argv = {"seq", "1000000000", "1004000000"};
  options.env = os::InheritedEnvironment({});
  options.output_fd = output.Get();
  auto child = os::Spawn(options);
  REQUIRE(child.has_value());
  TidyRequest request = RequestOf(dir.Path(), path);
  request.others = 0;
  int looks = 0;
  std::optional<os::ExitStatus> ended;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!ended && std::chrono::steady_clock::now() < end) {
    ended = os::ReapExited(child->pidfd.Get());
    const auto report = TidyLogs(request);
    CHECK(report.problems.empty());
    ++looks;
  }
  REQUIRE(ended.has_value());
  os::ReleaseChild(child->pid);
  TidyLogs(request);
  const os::FileUse use = UseOf(path);
  CHECK(use.size == 4000001U * 11);
  CHECK(use.used <= kBound + os::kFreeUnit);
  // What is gone is no more than what was outside the bound.
  CHECK(use.used + os::kFreeUnit >= kBound);
  const Numbers kept = ReadNumbers(os::ReadTail(path, 2 * kMiB));
  CHECK(kept.gaps == 0);
  CHECK(kept.last == 1004000000U);
  CHECK(kept.count * 11 + 2 * os::kFreeUnit >= kBound);
  CHECK(looks > 1);
}

TEST_CASE("A flood is held by the running bot; the file is an ordinary one after the run; other logs are whole") {
  Machine machine;
  auto flood = ProcessService("web", "seq 1000000000 1003000000; exec sleep 3600");
  flood.log_max_size = kBound;
  auto calm = ProcessService("web.api", "seq 1000000000 1000002000; exec sleep 3600");
  machine.Start({flood, calm});
  REQUIRE(machine.Do("web", "start") == "started");
  REQUIRE(machine.Do("web.api", "start") == "started");
  const std::string path = LogOf(machine, "web");
  REQUIRE(machine.Until([&] {
    const os::FileUse use = UseOf(path);
    return use.size >= 3000001U * 11 && use.used <= kBound + os::kFreeUnit;
  }));
  CHECK(Log(machine, "web").ends_with("\n1003000000\n"));
  const Numbers others = ReadNumbers(ReadText(LogOf(machine, "web.api")));
  CHECK(others.count == 2001U);
  CHECK(others.gaps == 0);

  REQUIRE(machine.Do("web", "stop") == "stopped");
  REQUIRE(machine.Until([&] { return !UseOf(path).HasHole(); }));
  const std::string text = ReadText(path);
  CHECK(text.starts_with("=== Started at "));
  CHECK(text.find('\0') == std::string::npos);
  const std::size_t gap = text.find("\n=== ", 1);
  REQUIRE(gap != std::string::npos);
  CHECK(text.substr(gap + 1, 60).contains(" bytes were freed here, by log_max_size ==="));
  const Numbers kept = ReadNumbers(std::string_view(text).substr(gap));
  CHECK(kept.gaps == 0);
  CHECK(kept.last == 1003000000U);
  CHECK(kept.count * 11 + 4 * os::kFreeUnit >= kBound);
  CHECK(text.contains("\n=== Stopped at "));
}

TEST_CASE("A loop of sixty crashes keeps the log of the first") {
  Machine machine;
  machine.Start({ProcessService("web", "n=$(cat n 2>/dev/null || echo 0); n=$((n + 1)); echo $n >n; echo crash $n")});
  for (int i = 1; i <= 60; ++i) {
    // It may have ended by the time of the answer.
    REQUIRE(machine.Do("web", "start").starts_with("started"));
    REQUIRE(machine.Until([&] { return machine.Pid("web") == 0; }));
  }
  LogQuery query;
  query.previous = 59;
  REQUIRE(machine.Until([&] { return Names(machine.config.log_dir).size() == 60; }));
  CHECK(Log(machine, "web", query).contains("\ncrash 1\n"));
  query.previous = 1;
  CHECK(Log(machine, "web", query).contains("\ncrash 59\n"));
}

TEST_CASE("Invalid bytes are on disk as they were written, and do not end the capture") {
  Machine machine;
  machine.Start({ProcessService(
      "web",
      R"(printf 'GET /..\301\034..\n'; printf '\377\376\000\n'; printf '\033[2J\r\007'; echo after; exec sleep 3600)")});
  REQUIRE(machine.Do("web", "start") == "started");
  REQUIRE(machine.Until([&] { return Log(machine, "web").ends_with("after\n"); }));
  std::string written = "\nGET /..\301\034..\n\377\376";
  written += '\0';
  written += "\n\033[2J\r\007after\n";
  CHECK(Log(machine, "web").ends_with(written));
}

TEST_CASE("A line of many megabytes: its end is read, and nothing more") {
  Machine machine;
  machine.Start({ProcessService("web", "head -c 20000000 /dev/zero | tr '\\0' x; exec sleep 3600")});
  REQUIRE(machine.Do("web", "start") == "started");
  const std::string path = LogOf(machine, "web");
  REQUIRE(machine.Until([&] { return UseOf(path).size > 20000000U; }));
  CHECK(Log(machine, "web") == std::string(1500, 'x'));
  LogQuery query;
  query.text = "xx";
  CHECK(Log(machine, "web", query).size() <= query.bytes);
}

TEST_CASE("The bot is in nobody's way: a service writes on without it, with no gap and no repeat") {
  Machine machine;
  const auto service = ProcessService("web", "n=1000000000; while :; do echo $n; n=$((n + 1)); sleep 0.01; done");
  machine.Start({service});
  REQUIRE(machine.Do("web", "start") == "started");
  const std::string path = LogOf(machine, "web");
  REQUIRE(machine.Until([&] { return ReadNumbers(ReadText(path)).count > 5; }));
  machine.StopManager();
  const auto size = UseOf(path).size;
  REQUIRE(machine.Until([&] { return UseOf(path).size > size + 200; }));
  machine.Start({service});
  CHECK(LogOf(machine, "web") == path);
  const auto later = UseOf(path).size;
  REQUIRE(machine.Until([&] { return UseOf(path).size > later + 200; }));
  const Numbers numbers = ReadNumbers(ReadText(path));
  CHECK(numbers.first == 1000000000U);
  CHECK(numbers.gaps == 0);
}

TEST_CASE("A log that its own service cuts short is told of once, with the cure") {
  Machine machine;
  machine.Start({ProcessService("web",
                                "echo before; echo x >/dev/stderr; while [ ! -e go ]; do sleep 0.05; done; "
                                "echo y >/dev/stderr; echo z; exec sleep 3600")});
  REQUIRE(machine.Do("web", "start") == "started");
  REQUIRE(machine.Until([&] { return Log(machine, "web").contains("write `>&2` instead of `> /dev/stderr`"); }));
  CHECK_FALSE(Log(machine, "web").contains("before"));
  WriteText(machine.dir / "go", "");
  REQUIRE(machine.Until([&] { return Log(machine, "web").contains("z\n"); }));
  machine.Settle();
  CHECK_FALSE(Log(machine, "web").contains("cut its own log short"));
}

TEST_CASE("since: what was written after that time, by how the file grew") {
  Machine machine;
  machine.Start({ProcessService("web", "echo old; while [ ! -e go ]; do sleep 0.05; done; echo new; exec sleep 3600")});
  REQUIRE(machine.Do("web", "start") == "started");
  REQUIRE(machine.Until([&] { return Log(machine, "web").contains("old\n"); }));
  LogQuery query;
  query.since = std::chrono::milliseconds(0);
  // Until the growth has been seen.
  REQUIRE(machine.Until([&] { return Log(machine, "web", query).empty(); }));
  machine.clock.Advance(std::chrono::hours(1));
  WriteText(machine.dir / "go", "");
  query.since = std::chrono::minutes(10);
  REQUIRE(machine.Until([&] { return Log(machine, "web").contains("new\n"); }));
  CHECK(Log(machine, "web", query) == "new\n");
  query.since = std::chrono::minutes(90);
  CHECK(Log(machine, "web", query).contains("old\nnew\n"));
}

TEST_CASE("Quiet services wake nobody") {
  Machine machine;
  std::vector<config::ServiceConfig> services;
  for (int i = 0; i < 5; ++i) services.push_back(tests::Sleeper("quiet" + std::to_string(i)));
  machine.Start(services);
  CHECK(machine.Run(machine.manager->StartAll()).done.size() == 5);
  // What the starts have set going ends within a moment.
  std::size_t handlers = 1;
  for (int i = 0; i < 20 && handlers > 0; ++i) {
    machine.loop.restart();
    handlers = machine.loop.run_for(std::chrono::milliseconds(1500));
  }
  CHECK(handlers == 0);
}

TEST_CASE("A smaller bound comes into force without a restart") {
  Machine machine;
  auto service = ProcessService("web", "seq 1000000000 1000200000; exec sleep 3600");
  machine.Start({service});
  REQUIRE(machine.Do("web", "start") == "started");
  const std::string path = LogOf(machine, "web");
  REQUIRE(machine.Until([&] { return UseOf(path).size > 200000U * 11; }));
  CHECK_FALSE(UseOf(path).HasHole());
  WriteText(machine.config.services_dir + "/web.yaml",
            "process:\n  cmd: seq 1000000000 1000200000; exec sleep 3600\nstop_timeout: 10s\nlog_max_size: 1MiB\n");
  const auto reloaded = machine.Run(machine.manager->Reload());
  REQUIRE(reloaded.has_value());
  CHECK(reloaded->restarted.empty());
  CHECK(machine.Until([&] { return UseOf(path).used <= kBound + os::kFreeUnit; }));
}
