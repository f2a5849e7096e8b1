#include "os/files.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "unit/os/support.h"

using namespace shipmate;
using namespace shipmate::os;
using shipmate::tests::TempDir;

namespace {

void Write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::ptrdiff_t Entries(const std::string& dir) {
  return std::distance(std::filesystem::directory_iterator(dir), std::filesystem::directory_iterator());
}

mode_t ModeOf(const std::string& path) {
  struct stat info{};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777U;
}

}  // namespace

TEST_CASE("WriteFileAtomically: new and old files, synced or not") {
  const TempDir dir;
  for (const Sync sync : {Sync::kNone, Sync::kData}) {
    CHECK(WriteFileAtomically(dir / "state.json", "one\n", 0600, sync).has_value());
    CHECK(ReadFile(dir / "state.json", 100).value() == "one\n");
    CHECK(WriteFileAtomically(dir / "state.json", std::string(300000, 'x'), 0640, sync).has_value());
    CHECK(ReadFile(dir / "state.json", 1000000).value() == std::string(300000, 'x'));
  }
  CHECK((ModeOf(dir / "state.json") & ~0640U) == 0);
  CHECK(Entries(dir.Path()) == 1);
}

TEST_CASE("WriteFileAtomically replaces a symbolic link and leaves its target alone") {
  const TempDir dir;
  Write(dir / "precious", "keep");
  std::filesystem::create_symlink("precious", dir / "state");
  CHECK(WriteFileAtomically(dir / "state", "new", 0600, Sync::kNone).has_value());
  CHECK(ReadFile(dir / "precious", 100).value() == "keep");
  CHECK(ReadFile(dir / "state", 100).value() == "new");
  CHECK_FALSE(std::filesystem::is_symlink(dir / "state"));
}

TEST_CASE("WriteFileAtomically: a failure names path and step and leaves the old content and nothing beside it") {
  const TempDir dir;
  const auto missing = WriteFileAtomically(dir / "no/file", "x", 0600, Sync::kData);
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().what ==
        "writing " + dir / "no/file" + ": creating a temporary file beside it: no such file or directory");
  CHECK(missing.error().code == Errc::kNotFound);

  std::filesystem::create_directory(dir / "taken");
  const auto onto_directory = WriteFileAtomically(dir / "taken", "x", 0600, Sync::kData);
  REQUIRE_FALSE(onto_directory.has_value());
  CHECK(onto_directory.error().what ==
        "writing " + dir / "taken" + ": renaming the temporary file over it: is a directory");
  CHECK(Entries(dir.Path()) == 1);

  // A file size limit stands for the full disk.
  Write(dir / "file", "old");
  struct rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler_before = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small{.rlim_cur = 1000, .rlim_max = before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto full = WriteFileAtomically(dir / "file", std::string(5000, 'x'), 0600, Sync::kNone);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler_before);
  REQUIRE_FALSE(full.has_value());
  CHECK(full.error().what == "writing " + dir / "file" + ": writing its temporary file: file too large");
  CHECK(ReadFile(dir / "file", 100).value() == "old");
  CHECK(Entries(dir.Path()) == 2);
}

TEST_CASE("ReadFile: whole regular files up to the limit") {
  const TempDir dir;
  Write(dir / "ten", "0123456789");
  Write(dir / "empty", "");
  CHECK(ReadFile(dir / "ten", 10).value() == "0123456789");
  CHECK(ReadFile(dir / "empty", 0).value().empty());
  CHECK(ReadFile(dir / "ten", 9).error().code == Errc::kTooLarge);
  CHECK(ReadFile(dir / "ten", 9).error().what == "reading " + dir / "ten" + ": larger than 9 bytes");
  CHECK(ReadFile(dir / "none", 9).error().code == Errc::kNotFound);
  CHECK(ReadFile(dir / "none", 9).error().what == "reading " + dir / "none" + ": no such file or directory");
  CHECK(ReadFile(dir.Path(), 9).error().code == Errc::kInvalid);
  REQUIRE(::mkfifo((dir / "fifo").c_str(), 0600) == 0);
  CHECK(ReadFile(dir / "fifo", 9).error().what == "reading " + dir / "fifo" + ": not a regular file");
  CHECK(ReadFile("/dev/zero", 9).error().code == Errc::kInvalid);
  CHECK(ReadFile("/proc/self/stat", 65536).value().size() > 20);
}

TEST_CASE("ReadTail: the end, all of a smaller file, and nothing of what is no file") {
  const TempDir dir;
  Write(dir / "log", "line one\nline two\n");
  CHECK(ReadTail(dir / "log", 1000) == "line one\nline two\n");
  CHECK(ReadTail(dir / "log", 9) == "line two\n");
  CHECK(ReadTail(dir / "log", 0).empty());
  Write(dir / "long", std::string(200, 'a') + "\n");
  CHECK(ReadTail(dir / "long", 100) == std::string(99, 'a') + "\n");
  Write(dir / "empty", "");
  CHECK(ReadTail(dir / "empty", 100).empty());
  CHECK(ReadTail(dir / "none", 100).empty());
  CHECK(ReadTail(dir.Path(), 100).empty());
  // Whoever plants a pipe or a link where the log should be gets neither a hang nor another file.
  REQUIRE(::mkfifo((dir / "fifo").c_str(), 0600) == 0);
  CHECK(ReadTail(dir / "fifo", 100).empty());
  std::filesystem::create_symlink("log", dir / "link");
  CHECK(ReadTail(dir / "link", 100).empty());
}

TEST_CASE("ReadTail of a 10 GB file reads no more than it gives") {
  const TempDir dir;
  Write(dir / "big", "head\n");
  std::filesystem::resize_file(dir / "big", 10000000000U);
  const auto before_hole = TailBytesRead();
  CHECK(ReadTail(dir / "big", 65536).empty());
  CHECK(TailBytesRead() == before_hole);
  std::ofstream(dir / "big", std::ios::app) << std::string(100000, 'x') << "the end\n";
  const auto before = TailBytesRead();
  const std::string tail = ReadTail(dir / "big", 65536);
  CHECK(tail == std::string(65528, 'x') + "the end\n");
  CHECK(TailBytesRead() - before == 65536);
}

TEST_CASE("ReadTail skips the hole of a freed head") {
  const TempDir dir;
  constexpr std::size_t kBlock = 65536;
  Write(dir / "log", std::string(2 * kBlock, 'a') + "tail\n");
  const UniqueFd fd(::open((dir / "log").c_str(), O_WRONLY | O_CLOEXEC));
  REQUIRE(::fallocate(fd.Get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(kBlock)) == 0);
  const auto before = TailBytesRead();
  CHECK(ReadTail(dir / "log", 1000000) == std::string(kBlock, 'a') + "tail\n");
  CHECK(TailBytesRead() - before == kBlock + 5);
}

TEST_CASE("MakeDirectories: parents too, and again") {
  const TempDir dir;
  CHECK(MakeDirectories(dir / "a/b//c/", 0700).has_value());
  CHECK(std::filesystem::is_directory(dir / "a/b/c"));
  CHECK(ModeOf(dir / "a/b") == 0700);
  CHECK(MakeDirectories(dir / "a/b/c", 0700).has_value());
  CHECK(MakeDirectories("/", 0700).has_value());
  Write(dir / "file", "x");
  CHECK(MakeDirectories(dir / "file/sub", 0700).error().what ==
        "creating directory " + dir / "file/sub" + ": " + dir / "file" + " is not a directory");
  CHECK(MakeDirectories(dir / "file", 0700).error().code == Errc::kInvalid);
  CHECK(MakeDirectories("", 0700).error().code == Errc::kInvalid);
  CHECK(MakeDirectories("/proc/shipmate", 0700).error().what ==
        "creating directory /proc/shipmate: no such file or directory");
}

TEST_CASE("AbsolutePath: by text alone") {
  const std::string here = std::filesystem::current_path().string();
  CHECK(AbsolutePath("/a//b/./c/../d/") == "/a/b/d");
  CHECK(AbsolutePath("/../..") == "/");
  CHECK(AbsolutePath("/") == "/");
  CHECK(AbsolutePath("x/y") == here + "/x/y");
  CHECK(AbsolutePath("") == here);
  CHECK(AbsolutePath(".") == here);
  CHECK(AbsolutePath("x/..") == here);
}
