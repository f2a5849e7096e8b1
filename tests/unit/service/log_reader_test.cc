#include "service/log_reader.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "fakes/temp_dir.h"
#include "os/files.h"
#include "os/unique_fd.h"
#include "service/logfile.h"

using namespace shipmate;
using namespace shipmate::service;
using shipmate::tests::TempDir;
using shipmate::tests::WriteText;

namespace {

base::WallTime At(int second) {
  return base::WallTime(std::chrono::seconds(1'700'000'000 + second));
}

void SetTime(const std::string& path, base::WallTime time) {
  const timespec value{.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count(),
                       .tv_nsec = 0};
  const timespec times[2] = {value, value};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

LogQuery Grep(std::string text) {
  LogQuery query;
  query.text = std::move(text);
  return query;
}

// Three runs of web, the last one going on, and one of web.api.
struct Runs {
  Runs() {
    const auto write = [&](const std::string& name, const std::string& text, int second) {
      WriteText(dir / name, text);
      SetTime(dir / name, At(second));
    };
    write("web.30.log", "first\n", 100);
    write("web.10.log", "second\nits end", 200);
    write("web.20.log", "third\nfourth\n", 300);
    write("web.api.99.log", "other\n", 250);
    source.dir = dir.Path();
    source.name = "web";
    source.current = dir / "web.20.log";
    source.now = At(310);
  }
  std::string Text(const LogQuery& query) const {
    const auto answer = ReadLog(source, query);
    REQUIRE_MESSAGE(answer.has_value(), (answer ? std::string() : answer.error().what));
    return answer->text;
  }
  TempDir dir;
  LogSource source;
};

}  // namespace

TEST_CASE("SelectLines: plain text, letter case as in the text asked for") {
  const std::string log = "one Timeout\ntwo\nthree timeout\n(a+)+$ %n%s\nend";
  CHECK(SelectLines(log, Grep("timeout")) == "one Timeout\nthree timeout\n");
  CHECK(SelectLines(log, Grep("Timeout")) == "one Timeout\n");
  CHECK(SelectLines(log, Grep("(a+)+$")) == "(a+)+$ %n%s\n");
  CHECK(SelectLines(log, Grep("%n%s")) == "(a+)+$ %n%s\n");
  CHECK(SelectLines(log, Grep(".*")).empty());
  CHECK(SelectLines(log, Grep("end")) == "end\n");
  LogQuery query = Grep("t");
  query.lines = 2;
  CHECK(SelectLines(log, query) == "two\nthree timeout\n");
  query.text.clear();
  CHECK(SelectLines(log, query) == "(a+)+$ %n%s\nend");
  query = LogQuery();
  query.bytes = 20;
  CHECK(SelectLines(log, query) == "(a+)+$ %n%s\nend");
  CHECK(SelectLines("", query).empty());
}

TEST_CASE("SelectLines: hostile patterns and lines are no work") {
  // What makes a backtracking or a naive search slow.
  const std::string line(kLogSearchLimit, 'a');
  CHECK(SelectLines(line, Grep(std::string(10000, 'a') + "b")).empty());
  LogQuery query = Grep(std::string(10000, 'a'));
  CHECK(SelectLines(line, query).size() <= query.bytes);
  // Of a long line the surroundings of the match.
  const std::string found = SelectLines(std::string(30000, 'x') + "needle" + std::string(30000, 'y'), Grep("needle"));
  CHECK(found == "..." + std::string(200, 'x') + "needle" + std::string(200, 'y') + "...\n");
}

TEST_CASE("ReadLog: earlier runs can be reached, and never another service's") {
  const Runs runs;
  CHECK(runs.Text({}) == "third\nfourth\n");
  LogQuery query;
  query.previous = 1;
  CHECK(runs.Text(query) == "second\nits end");
  CHECK(ReadLog(runs.source, query)->notes.size() == 1);
  query.previous = 2;
  CHECK(runs.Text(query) == "first\n");
  query.previous = 3;
  CHECK(ReadLog(runs.source, query).error().what == "only 2 earlier runs have a log");
  query.previous = 1;
  query.since = std::chrono::minutes(1);
  CHECK(ReadLog(runs.source, query).error().code == Errc::kInvalid);
}

TEST_CASE("ReadLog: since goes by the file's growth in the last run, and by whole runs before") {
  Runs runs;
  LogQuery query;
  query.since = std::chrono::seconds(60);
  CHECK(runs.Text(query) == "third\nfourth\n");
  CHECK(ReadLog(runs.source, query)->notes.size() == 1);
  runs.source.since_offset = 6;
  CHECK(runs.Text(query) == "fourth\n");
  CHECK(ReadLog(runs.source, query)->notes.empty());
  runs.source.since_offset = 13;
  CHECK(runs.Text(query).empty());
  query.since = std::chrono::seconds(150);
  runs.source.since_offset = 0;
  CHECK(runs.Text(query) == "second\nits end\nthird\nfourth\n");
  query.text = "th";
  CHECK(runs.Text(query) == "third\nfourth\n");
}

TEST_CASE("ReadLog: from where an answer ended") {
  const Runs runs;
  const auto answer = ReadLog(runs.source, {});
  LogQuery query;
  query.from_file = answer->file;
  query.from = answer->end;
  CHECK(runs.Text(query).empty());
  WriteText(runs.dir / "web.20.log", "third\nfourth\nfifth\n");
  CHECK(runs.Text(query) == "fifth\n");
  query.from_file = "another run's";
  CHECK(runs.Text(query) == "third\nfourth\nfifth\n");
}

TEST_CASE("ReadLog: without any log") {
  const TempDir dir;
  LogSource source;
  source.dir = dir.Path();
  source.name = "web";
  CHECK(ReadLog(source, {})->text.empty());
  LogQuery query;
  query.previous = 1;
  CHECK(ReadLog(source, query).error().code == Errc::kNotFound);
}

TEST_CASE("ReadLog reads the end alone, of ten gigabytes as of ten lines") {
  const TempDir dir;
  const std::string path = dir / "web.1.log";
  constexpr off_t kTenGigabytes = off_t{10} << 30U;
  {
    const os::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(file);
    // A hole in the middle, and 32 MiB of lines at the end.
    const std::string line = std::string(1023, 'x') + "\n";
    std::string block;
    for (int i = 0; i < 1024; ++i) block += line;
    for (int i = 0; i < 32; ++i) {
      const auto size = static_cast<ssize_t>(block.size());
      REQUIRE(::pwrite(file.Get(), block.data(), block.size(), kTenGigabytes + i * size) == size);
    }
  }
  LogSource source;
  source.dir = dir.Path();
  source.name = "web";
  source.current = path;
  const auto read_by = [&](const LogQuery& query) {
    const std::uint64_t before = os::TailBytesRead();
    const auto answer = ReadLog(source, query);
    REQUIRE(answer.has_value());
    return os::TailBytesRead() - before;
  };
  CHECK(read_by({}) <= 2000U);
  LogQuery query;
  query.lines = 1000;
  CHECK(read_by(query) <= 300U * 1024);
  CHECK(read_by(Grep("nowhere")) <= kLogSearchLimit + 16);
  const auto answer = ReadLog(source, Grep("nowhere"));
  REQUIRE(answer->notes.size() == 1);
  CHECK(answer->notes[0] == "only the last 8 MiB were searched");
}
