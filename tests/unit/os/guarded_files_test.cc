#include "os/guarded_files.h"

#include <sys/stat.h>

#include <fstream>

#include "unit/os/support.h"

using namespace shipmate;
using namespace shipmate::os;
using shipmate::tests::TempDir;

namespace {

void Write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string Content(const std::string& path) {
  return ReadFile(path, 100000).value();
}

}  // namespace

TEST_CASE("ListRegularFiles and StatRegularFile see files, and neither links nor pipes nor directories") {
  const TempDir dir;
  Write(dir / "file", "12345");
  std::filesystem::create_hard_link(dir / "file", dir / "twin");
  std::filesystem::create_symlink("file", dir / "link");
  std::filesystem::create_directory(dir / "sub");
  REQUIRE(::mkfifo((dir / "fifo").c_str(), 0600) == 0);
  CHECK(ListRegularFiles(dir.Path()).size() == 2);
  CHECK(ListRegularFiles(dir / "none").empty());
  const auto file = StatRegularFile(dir / "file");
  REQUIRE(file.has_value());
  CHECK(file->name == "file");
  CHECK(file->size == 5);
  CHECK(file->SameFile(*StatRegularFile(dir / "twin")));
  CHECK_FALSE(StatRegularFile(dir / "link").has_value());
  CHECK_FALSE(StatRegularFile(dir / "fifo").has_value());
  CHECK_FALSE(StatRegularFile(dir / "none").has_value());
}

TEST_CASE("ReadTrustedFile refuses what others could have written") {
  const TempDir dir;
  Write(dir / "file", "content");
  CHECK(ReadTrustedFile(dir / "file", 7).value() == "content");
  CHECK(ReadTrustedFile(dir / "file", 6).error().code == Errc::kTooLarge);
  CHECK(ReadTrustedFile(dir / "none", 6).error().code == Errc::kNotFound);
  std::filesystem::create_symlink("file", dir / "link");
  CHECK(ReadTrustedFile(dir / "link", 100).error().what == "reading " + dir / "link" + ": it is a symbolic link");
  CHECK(ReadTrustedFile(dir.Path(), 100).error().code == Errc::kRefused);
  REQUIRE(::mkfifo((dir / "fifo").c_str(), 0600) == 0);
  CHECK(ReadTrustedFile(dir / "fifo", 100).error().code == Errc::kRefused);
  REQUIRE(::chmod((dir / "file").c_str(), 0666) == 0);
  CHECK(ReadTrustedFile(dir / "file", 100).error().what == "reading " + dir / "file" + ": every user may write it");
  if (::geteuid() == 0) {
    REQUIRE(::chmod((dir / "file").c_str(), 0600) == 0);
    REQUIRE(::chown((dir / "file").c_str(), 12345, static_cast<gid_t>(-1)) == 0);
    CHECK(ReadTrustedFile(dir / "file", 100).error().code == Errc::kRefused);
  }
}

TEST_CASE("CreateForAppend, AppendLine and ReplaceInPlace on one log") {
  const TempDir dir;
  const std::string log = dir / "log";
  CHECK(AppendLine(log, "nothing").error().code == Errc::kNotFound);
  const auto fd = CreateForAppend(log, 0600);
  REQUIRE(fd.has_value());
  CHECK(CreateForAppend(log, 0600).error().code == Errc::kBusy);
  CHECK(WriteAll(fd->Get(), "mark: 0000\nno newline").has_value());
  CHECK(AppendLine(log, "own line").has_value());
  CHECK(AppendLine(log, "next\n").has_value());
  CHECK(WriteAll(fd->Get(), "child\n").has_value());
  CHECK(ReplaceInPlace(log, 100, "0000", "1234").value());
  CHECK_FALSE(ReplaceInPlace(log, 100, "0000", "1234").value());
  CHECK_FALSE(ReplaceInPlace(log, 5, "1234", "5678").value());
  CHECK(Content(log) == "mark: 1234\nno newline\nown line\nnext\nchild\n");
  std::filesystem::create_symlink("log", dir / "link");
  CHECK(AppendLine(dir / "link", "x").error().code == Errc::kRefused);
  CHECK(CreateForAppend(dir / "link", 0600).error().code == Errc::kBusy);
}

TEST_CASE("RenameNew never replaces") {
  const TempDir dir;
  Write(dir / "a", "a");
  Write(dir / "b", "b");
  CHECK(RenameNew(dir / "a", dir / "b").error().code == Errc::kBusy);
  CHECK(Content(dir / "b") == "b");
  CHECK(RenameNew(dir / "a", dir / "c").has_value());
  CHECK(Content(dir / "c") == "a");
  CHECK(RenameNew(dir / "a", dir / "d").error().code == Errc::kNotFound);
}

TEST_CASE("RemoveTemporaries: what a cut-off write left, and nothing else") {
  const TempDir dir;
  for (const std::string name : {"web.json.0123456789abcdef.tmp", ".id.0123456789abcdef.tmp"}) {
    std::ofstream(dir / name) << "{";
  }
  const std::vector<std::string> kept = {"web.json",          "web.json.tmp",
                                         "notes.tmp",         "web.json.0123456789abcdeg.tmp",
                                         "web.json.0123.tmp", ".0123456789abcdef.tmp"};
  for (const std::string& name : kept) std::ofstream(dir / name) << "{}";
  std::filesystem::create_directory(dir / "dir.0123456789abcdef.tmp");
  RemoveTemporaries(dir.Path());
  for (const std::string& name : kept) CHECK(std::filesystem::exists(dir / name));
  CHECK_FALSE(std::filesystem::exists(dir / "web.json.0123456789abcdef.tmp"));
  CHECK_FALSE(std::filesystem::exists(dir / ".id.0123456789abcdef.tmp"));
  CHECK(std::filesystem::exists(dir / "dir.0123456789abcdef.tmp"));
  RemoveTemporaries(dir / "missing");
}
