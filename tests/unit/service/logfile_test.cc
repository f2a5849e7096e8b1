#include "service/logfile.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <random>
#include <set>

#include "base/text.h"
#include "base/time_text.h"
#include "fakes/temp_dir.h"
#include "os/guarded_files.h"

using namespace shipmate;
using namespace shipmate::service;
using tests::ReadText;
using tests::TempDir;
using tests::WriteText;

namespace {

const base::WallTime kNow = base::WallTime(std::chrono::seconds(1711000000));

// Gives `path` a modification time, `age` seconds before a fixed moment.
void MakeFile(const std::string& path, int age) {
  WriteText(path, "x");
  const timespec time{.tv_sec = 1711000000 - age, .tv_nsec = 0};
  const timespec times[2] = {time, time};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

std::set<std::string> Names(const std::string& dir) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) names.insert(entry.path().filename().string());
  return names;
}

// What stands in the file of a start of `pid`, line by line.
std::string Marker(pid_t pid) {
  return "=== Started at " + base::FormatRfc3339(kNow) + " (pid " + std::to_string(pid) + ") ===";
}

StartingLog OpenLog(const std::string& dir, const std::string& name, std::uint64_t generation) {
  auto log = StartingLog::Open(dir, name, generation, kNow);
  REQUIRE(log.has_value());
  return *std::move(log);
}

}  // namespace

TEST_CASE("LogPath") {
  CHECK(LogPath("/tmp/logs", "web", 1234) == "/tmp/logs/web.1234.log");
  CHECK(LogPath("/tmp//logs/../logs/", "web", 1) == "/tmp/logs/web.1.log");
  CHECK(LogPath("./logs", "web.api", 7) == "logs/web.api.7.log");
}

TEST_CASE("TailLogFile") {
  const TempDir dir;
  const std::string path = dir / "web.1.log";
  SUBCASE("all of a smaller file") {
    WriteText(path, "line one\nline two\n");
    CHECK(TailLogFile(path, 1000) == "line one\nline two\n");
    CHECK(TailLogFile(path, 18) == "line one\nline two\n");
    CHECK(TailLogFile(path, SIZE_MAX) == "line one\nline two\n");
    WriteText(path, "small");
    CHECK(TailLogFile(path, 1000) == "small");
  }
  SUBCASE("bounded, and no line is lost for the sake of alignment when there is but one") {
    WriteText(path, std::string(200, 'x') + "\n");
    CHECK(TailLogFile(path, 100) == std::string(99, 'x') + "\n");
  }
  SUBCASE("from the start of a line") {
    WriteText(path, "line one\nline two\nline three\n");
    CHECK(TailLogFile(path, 15) == "line three\n");
    CHECK(TailLogFile(path, 20) == "line two\nline three\n");
    CHECK(TailLogFile(path, 19) == "line three\n");
    CHECK(TailLogFile(path, 11) == "line three\n");
    CHECK(TailLogFile(path, 10) == "ine three\n");
  }
  SUBCASE("nothing there") {
    CHECK(TailLogFile(path, 100).empty());
    WriteText(path, "");
    CHECK(TailLogFile(path, 100).empty());
    WriteText(path, "abc");
    CHECK(TailLogFile(path, 0).empty());
    CHECK(TailLogFile(dir.Path(), 100).empty());
  }
  SUBCASE("links and pipes are not followed or waited for") {
    WriteText(dir / "secret", "secret\n");
    REQUIRE(::symlink((dir / "secret").c_str(), path.c_str()) == 0);
    CHECK(TailLogFile(path, 100).empty());
    REQUIRE(::mkfifo((dir / "fifo").c_str(), 0600) == 0);
    CHECK(TailLogFile(dir / "fifo", 100).empty());
  }
}

TEST_CASE("TailLogFile cuts between code points, wherever the cut falls") {
  const TempDir dir;
  const std::string path = dir / "web.1.log";
  std::string text;
  for (int i = 0; i < 20; ++i) text += "a\U0001F600é世";
  WriteText(path, text);
  for (std::size_t count = 1; count <= text.size(); ++count) {
    CAPTURE(count);
    const std::string tail = TailLogFile(path, count);
    CHECK(tail.size() <= count);
    CHECK(tail.size() + 3 >= count);
    CHECK(base::IsValidUtf8(tail));
    CHECK(text.ends_with(tail));
  }
}

TEST_CASE("TailLogFile keeps invalid bytes, and takes no more than three for the rest of a code point") {
  const TempDir dir;
  const std::string path = dir / "web.1.log";
  WriteText(path, std::string(100, '\x80'));
  for (std::size_t count = 1; count <= 100; ++count) CHECK(TailLogFile(path, count).size() == count);
  std::mt19937 random(1);
  std::string noise;
  for (int i = 0; i < 3000; ++i) noise.push_back(static_cast<char>(random() % 255 + (random() % 255 == '\n' ? 1 : 0)));
  std::erase(noise, '\n');
  WriteText(path, noise);
  for (std::size_t count = 1; count < noise.size(); count += 7) {
    const std::string tail = TailLogFile(path, count);
    CHECK(tail.size() <= count);
    CHECK(tail.size() + 3 >= count);
    CHECK(noise.ends_with(tail));
  }
}

TEST_CASE("TailLogFile starts at a line or code point behind a freed head") {
  const TempDir dir;
  const std::string path = dir / "web.1.log";
  std::string text;
  while (text.size() < 3 * 4096) text += "0123456789 line é\n";
  WriteText(path, text);
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(fd >= 0);
  const int punched = ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
  ::close(fd);
  // A file system without holes has nothing to show here.
  if (punched != 0) return;
  const std::string tail = TailLogFile(path, 1'000'000);
  CHECK(tail.starts_with("0123456789 line"));
  CHECK(text.ends_with(tail));
  CHECK(tail.size() > 2 * 4096 - 20);
}

TEST_CASE("IsLogOf knows the service's own files by name and directory") {
  CHECK(IsLogOf("/l/web.12.log", "/l", "web"));
  CHECK(IsLogOf("/l/web.12-3.log", "/l/", "web"));
  CHECK(IsLogOf("/l/web.starting-5.log", "/l", "web"));
  CHECK(IsLogOf("/l/x/../web.starting-5-1.log", "/l", "web"));
  CHECK(IsLogOf("/l/web.api.12.log", "/l", "web.api"));
  for (const char* foreign :
       {"/l/web.api.12.log", "/l/web.log", "/l/web..log", "/l/web.12.log.1", "/l/web.12x.log", "/l/web.-1.log",
        "/l/web.12-.log", "/l/web.starting-.log", "/l/web.starting.log", "/l/web1.12.log", "/l/aweb.12.log", "/l/web",
        "/other/web.12.log", "/l/x/web.12.log", "/etc/shadow", "", "web.12.log"}) {
    CAPTURE(std::string(foreign));
    CHECK(!IsLogOf(foreign, "/l", "web"));
  }
}

TEST_CASE("FindNewestLog") {
  const TempDir dir;
  CHECK(!FindNewestLog(dir.Path(), "web").has_value());
  CHECK(!FindNewestLog(dir / "gone", "web").has_value());
  MakeFile(dir / "web.1.log", 30);
  MakeFile(dir / "web.2.log", 10);
  MakeFile(dir / "web.3.log", 20);
  MakeFile(dir / "web.api.4.log", 1);
  CHECK(FindNewestLog(dir.Path(), "web") == dir / "web.2.log");
  MakeFile(dir / "web.starting-8.log", 5);
  CHECK(FindNewestLog(dir.Path(), "web") == dir / "web.starting-8.log");
}

TEST_CASE("a log that cannot be written to does not keep a service from starting") {
  const TempDir dir;
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
  rlimit none = limit;
  none.rlim_cur = 0;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &none) == 0);
  auto log = StartingLog::Open(dir.Path(), "web", 1, kNow);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  std::signal(SIGXFSZ, before);
  REQUIRE(log.has_value());
  CHECK(log->OutputFd() >= 0);
  CHECK(log->Finish(12).value_or("") == dir / "web.12.log");
}

TEST_CASE("the start marker stands before any output, and the pid is put into it in place") {
  const TempDir dir;
  const std::string logs = dir / "made/on/demand";
  StartingLog log = OpenLog(logs, "web", 3);
  CHECK(log.Path() == logs + "/web.starting-3.log");
  const std::string begun = ReadText(log.Path());
  CHECK(begun.starts_with("=== Started at " + base::FormatRfc3339(kNow) + " (pid ?) ==="));
  CHECK(begun.ends_with("\n"));
  CHECK(std::ranges::count(begun, '\n') == 1);

  // The process writes before its pid is known here.
  REQUIRE(os::WriteAll(log.OutputFd(), "first\n").has_value());
  const auto path = log.Finish(4194304);
  REQUIRE(path.has_value());
  CHECK(*path == logs + "/web.4194304.log");
  REQUIRE(os::WriteAll(log.OutputFd(), "second\n").has_value());
  const std::string content = ReadText(*path);
  CHECK(content.size() == begun.size() + 13);
  CHECK(content.starts_with(Marker(4194304)));
  CHECK(content.find_first_not_of(' ', Marker(4194304).size()) == content.find('\n'));
  CHECK(content.ends_with("\nfirst\nsecond\n"));
  CHECK(Names(logs) == std::set<std::string>{"web.4194304.log"});
  log.Discard();
  CHECK(Names(logs).size() == 1);
}

TEST_CASE("a log is not for every user") {
  const TempDir dir;
  const mode_t before = ::umask(0);
  const StartingLog log = OpenLog(dir / "logs", "web", 1);
  ::umask(before);
  struct stat info{};
  REQUIRE(::stat(log.Path().c_str(), &info) == 0);
  CHECK((info.st_mode & 07777U) == 0640U);
  REQUIRE(::stat((dir / "logs").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777U) == 0750U);
  CHECK((::fcntl(log.OutputFd(), F_GETFL) & O_APPEND) != 0);
  CHECK((::fcntl(log.OutputFd(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("an older log of the same pid is moved aside") {
  const TempDir dir;
  WriteText(dir / "web.12.log", "oldest");
  StartingLog first = OpenLog(dir.Path(), "web", 1);
  REQUIRE(first.Finish(12).has_value());
  CHECK(ReadText(dir / "web.12-1.log") == "oldest");
  StartingLog second = OpenLog(dir.Path(), "web", 2);
  REQUIRE(second.Finish(12).has_value());
  CHECK(ReadText(dir / "web.12-1.log") == "oldest");
  CHECK(ReadText(dir / "web.12-2.log").starts_with(Marker(12)));
  CHECK(ReadText(dir / "web.12.log").starts_with(Marker(12)));
}

TEST_CASE("what stands at the temporary name is neither appended to nor followed") {
  const TempDir dir;
  WriteText(dir / "web.starting-1.log", "left behind");
  WriteText(dir / "target", "kept");
  REQUIRE(::symlink((dir / "target").c_str(), (dir / "web.starting-1-1.log").c_str()) == 0);
  REQUIRE(::mkfifo((dir / "web.starting-1-2.log").c_str(), 0600) == 0);
  const StartingLog log = OpenLog(dir.Path(), "web", 1);
  CHECK(log.Path() == dir / "web.starting-1-3.log");
  CHECK(ReadText(dir / "web.starting-1.log") == "left behind");
  CHECK(ReadText(dir / "target") == "kept");
}

TEST_CASE("a start that failed leaves no file") {
  const TempDir dir;
  StartingLog log = OpenLog(dir.Path(), "web", 1);
  log.Discard();
  CHECK(Names(dir.Path()).empty());
  log.Discard();
}

TEST_CASE("a log that cannot be opened says why") {
  const TempDir dir;
  WriteText(dir / "file", "");
  const auto no_dir = StartingLog::Open(dir / "file", "web", 1, kNow);
  REQUIRE(!no_dir.has_value());
  CHECK(no_dir.error().what.starts_with("creating log dir: "));
  const auto no_file = StartingLog::Open(dir.Path(), "sub/web", 1, kNow);
  REQUIRE(!no_file.has_value());
  CHECK(no_file.error().what.starts_with("creating log file: "));
}

TEST_CASE("a head that the service has rewritten is left alone") {
  const TempDir dir;
  StartingLog log = OpenLog(dir.Path(), "web", 1);
  const std::string own(200, 'x');
  WriteText(log.Path(), own);
  const auto path = log.Finish(12);
  REQUIRE(path.has_value());
  CHECK(ReadText(*path) == own);
}

TEST_CASE("a log directory that vanished is reported") {
  const TempDir dir;
  StartingLog log = OpenLog(dir / "logs", "web", 1);
  std::filesystem::remove_all(dir / "logs");
  const auto path = log.Finish(12);
  REQUIRE(!path.has_value());
  CHECK(path.error().code == Errc::kNotFound);
  CHECK(path.error().what.starts_with("naming a log file: "));
}

TEST_CASE("AdoptStartingLog names the log of a start that was not recorded") {
  const TempDir dir;
  const std::string temporary = OpenLog(dir.Path(), "web", 4).Path();
  SUBCASE("by its own path") {
    CHECK(AdoptStartingLog(temporary, dir.Path(), "web", 99).value() == dir / "web.99.log");
    CHECK(ReadText(dir / "web.99.log").starts_with(Marker(99)));
    // Found a second time, under its final name.
    CHECK(AdoptStartingLog(dir / "web.99.log", dir.Path(), "web", 99).value() == dir / "web.99.log");
  }
  SUBCASE("through a link to the directory") {
    REQUIRE(::symlink(dir.Path().c_str(), (dir / "link").c_str()) == 0);
    CHECK(AdoptStartingLog(temporary, dir / "link", "web", 99).value() == (dir / "link/web.99.log"));
    CHECK(ReadText(dir / "web.99.log").starts_with(Marker(99)));
  }
  SUBCASE("not a log of this service") {
    WriteText(dir / "other", "untouched");
    WriteText(dir / "web.api.starting-1.log", "untouched");
    for (const std::string& path : {dir / "other", dir / "web.api.starting-1.log", temporary + " (deleted)",
                                    std::string("/dev/null"), std::string("pipe:[123]"), std::string()}) {
      const auto adopted = AdoptStartingLog(path, dir.Path(), "web", 99);
      REQUIRE(!adopted.has_value());
      CHECK(adopted.error().code == Errc::kNotFound);
    }
    CHECK(!AdoptStartingLog(temporary, dir / "elsewhere", "web", 99).has_value());
    CHECK(Names(dir.Path()).contains("web.starting-4.log"));
  }
}

TEST_CASE("AppendMarker writes a line of its own") {
  const TempDir dir;
  const std::string path = dir / "web.1.log";
  CHECK(AppendMarker(path, "=== Stopped ===").error().code == Errc::kNotFound);
  CHECK(!std::filesystem::exists(path));
  WriteText(path, "");
  REQUIRE(AppendMarker(path, "=== one ===").has_value());
  REQUIRE(AppendMarker(path, "=== two ===\n").has_value());
  CHECK(ReadText(path) == "=== one ===\n=== two ===\n");
  WriteText(path, "no newline");
  REQUIRE(AppendMarker(path, "=== three ===").has_value());
  CHECK(ReadText(path) == "no newline\n=== three ===\n");

  WriteText(dir / "target", "kept");
  REQUIRE(::symlink((dir / "target").c_str(), (dir / "web.2.log").c_str()) == 0);
  CHECK(AppendMarker(dir / "web.2.log", "=== x ===").error().code == Errc::kRefused);
  CHECK(ReadText(dir / "target") == "kept");
  REQUIRE(::mkfifo((dir / "web.3.log").c_str(), 0600) == 0);
  CHECK(!AppendMarker(dir / "web.3.log", "=== x ===").has_value());
}
