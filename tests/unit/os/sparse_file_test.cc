#include "os/sparse_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <boost/asio/io_context.hpp>
#include <fstream>

#include "os/modify_watch.h"
#include "unit/os/support.h"
#include "unit/run_task.h"

using namespace shipmate;
using namespace shipmate::os;
using shipmate::tests::RunTask;
using shipmate::tests::TempDir;

namespace {

constexpr std::size_t kLimit = std::size_t{64} << 20U;

// Lines of one width, so that a line's number tells its place.
std::string Lines(int first, int count) {
  std::string text;
  for (int i = first; i < first + count; ++i) {
    std::string number = std::to_string(i);
    number.insert(0, 15 - number.size(), '0');
    text += number + "\n";
  }
  return text;
}

void Write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string Read(const std::string& path) {
  return ReadFile(path, kLimit).value();
}

struct Freed {
  std::string before;
  std::string after;
};

// A file of `lines` lines of 16 bytes, freed from 4096 to `end`.
Freed MakeFreed(const std::string& path, int lines, std::uint64_t end) {
  const std::string text = Lines(0, lines);
  Write(path, text);
  REQUIRE(FreeRange(path, kFreeUnit, end, Timestamp::kTouched).has_value());
  return {.before = text.substr(0, kFreeUnit), .after = text.substr(end)};
}

}  // namespace

TEST_CASE("FreeRange gives blocks back and leaves size and time as they are") {
  const TempDir dir;
  const std::string path = dir / "log";
  Write(path, Lines(0, 65536));
  const auto before = InspectFile(path);
  REQUIRE(before.has_value());
  CHECK(before->size == 1U << 20U);
  CHECK_FALSE(before->HasHole());

  REQUIRE(FreeRange(path, kFreeUnit, 512U << 10U, Timestamp::kKept).has_value());
  const auto after = InspectFile(path);
  REQUIRE(after.has_value());
  CHECK(after->size == before->size);
  CHECK(after->used <= (516U << 10U) + kFreeUnit);
  CHECK(after->hole_begin == kFreeUnit);
  CHECK(after->hole_end == 512U << 10U);
  CHECK(after->modified == before->modified);
  CHECK(Read(path).substr(512U << 10U) == Lines(32768, 32768));

  CHECK(InspectFile(dir / "gone").error().code == Errc::kNotFound);
  CHECK(FreeRange(dir / "gone", 0, 4096, Timestamp::kKept).error().code == Errc::kNotFound);
  std::filesystem::create_symlink("log", dir / "link");
  CHECK(InspectFile(dir / "link").error().code == Errc::kRefused);
  CHECK(FreeRange(dir / "link", 0, 4096, Timestamp::kKept).error().code == Errc::kRefused);
  CHECK(CompactFile(dir / "link", dir / "tmp", "x").error().code == Errc::kRefused);
}

TEST_CASE("ReadTail gives only what follows the freed part") {
  const TempDir dir;
  const std::string path = dir / "log";
  const Freed freed = MakeFreed(path, 4096, 32768);
  CHECK(ReadTail(path, 100) == freed.after.substr(freed.after.size() - 100));
  CHECK(ReadTail(path, 1U << 20U) == freed.after);
  CHECK(ReadHead(path, 32) == Lines(0, 2));
}

TEST_CASE("CompactFile leaves an ordinary file with every retained byte, its mode and its time") {
  const TempDir dir;
  const std::string path = dir / "log";
  const Freed freed = MakeFreed(path, 4096, 32768);
  REQUIRE(::chmod(path.c_str(), 0604) == 0);
  const auto before = InspectFile(path);
  Write(dir / "log.tmp", "left behind by one that died");
  const auto moved = CompactFile(path, dir / "log.tmp", "=== gap ===");
  REQUIRE_MESSAGE(moved.has_value(), (moved ? std::string() : moved.error().what));
  CHECK(Read(path) == freed.before + "=== gap ===\n" + freed.after);
  CHECK(*moved == 32768 - 4096 - 12);
  CHECK_FALSE(std::filesystem::exists(dir / "log.tmp"));
  CHECK(InspectFile(path)->modified == before->modified);
  struct stat info{};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777U) == 0604U);
  // Nothing more to do.
  CHECK(CompactFile(path, dir / "log.tmp", "=== gap ===").value() == 0);
}

TEST_CASE("CompactFile keeps its hands off a file that somebody writes to") {
  const TempDir dir;
  const std::string path = dir / "log";
  MakeFreed(path, 4096, 32768);
  const std::string content = Read(path);
  {
    const UniqueFd writer(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    REQUIRE(writer);
    const auto moved = CompactFile(path, dir / "log.tmp", "x");
    REQUIRE_FALSE(moved.has_value());
    CHECK(moved.error().code == Errc::kBusy);
  }
  CHECK(Read(path) == content);
  CHECK_FALSE(std::filesystem::exists(dir / "log.tmp"));
  // A reader does not matter.
  const UniqueFd reader(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  CHECK(CompactFile(path, dir / "log.tmp", "x").has_value());
}

TEST_CASE("Killed at any moment, CompactFile leaves the old file or the new one, whole") {
  const TempDir dir;
  const std::string path = dir / "log";
  const Freed freed = MakeFreed(path, 131072, 65536);
  const std::string old_file = Read(path);
  const std::string new_file = freed.before + "=== gap ===\n" + freed.after;
  std::filesystem::copy_file(path, dir / "original");
  int old_seen = 0;
  for (int round = 0; round < 24; ++round) {
    // A copy of our own would have no hole.
    MakeFreed(path, 131072, 65536);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      const auto done = CompactFile(path, dir / "log.tmp", "=== gap ===");
      ::_exit(done ? 0 : 1);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(150 * round));
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    const std::string now = Read(path);
    const bool whole = now == old_file || now == new_file;
    CHECK(whole);
    if (now == old_file) ++old_seen;
  }
  CHECK(old_seen > 0);
  MakeFreed(path, 131072, 65536);
  REQUIRE(CompactFile(path, dir / "log.tmp", "=== gap ===").has_value());
  CHECK(Read(path) == new_file);
}

namespace {

Task<void> CloseWatch(ModifyWatch& watch) {
  co_await watch.Close();
}

}  // namespace

TEST_CASE("ModifyWatch tells once, however often a file is written to, and not after Disarm") {
  const TempDir dir;
  boost::asio::io_context loop;
  auto created = ModifyWatch::Create(loop.get_executor());
  REQUIRE(created.has_value());
  ModifyWatch& watch = **created;
  Write(dir / "a", "x");
  Write(dir / "b", "x");
  int fired = 0;
  const auto run_until = [&](int wanted) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (fired < wanted && std::chrono::steady_clock::now() < end) {
      loop.restart();
      loop.run_for(std::chrono::milliseconds(10));
    }
    return fired == wanted;
  };
  REQUIRE(watch.Arm(dir / "a", [&] { ++fired; }).has_value());
  const auto other = watch.Arm(dir / "b", [&] { fired += 100; });
  REQUIRE(other.has_value());
  watch.Disarm(*other);
  for (int i = 0; i < 50; ++i) {
    std::ofstream(dir / "a", std::ios::app) << "more\n";
    std::ofstream(dir / "b", std::ios::app) << "more\n";
  }
  CHECK(run_until(1));
  loop.restart();
  loop.run_for(std::chrono::milliseconds(30));
  CHECK(fired == 1);
  // Armed again, and by truncation.
  REQUIRE(watch.Arm(dir / "a", [&] { ++fired; }).has_value());
  REQUIRE(::truncate((dir / "a").c_str(), 0) == 0);
  CHECK(run_until(2));
  CHECK(watch.Arm(dir / "gone", [] {}).error().code == Errc::kNotFound);
  RunTask(loop, CloseWatch(watch));
}
