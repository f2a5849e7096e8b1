#include "chat/table.h"

#include <doctest/doctest.h>

#include <random>

#include "base/text.h"

namespace shipmate::chat {
namespace {

using Lines = std::vector<std::string>;

TEST_CASE("columns as wide as they need") {
  CHECK(TableLines({{"name", "state", "up"}, {"api", "running", "3h"}, {"worker-1", "failed", ""}}, 40) ==
        Lines{"name      state    up", "api       running  3h", "worker-1  failed"});
  CHECK(TableLines({}, 40).empty());
  CHECK(TableLines({{"a\nb\x1b"}}, 40) == Lines{"a\\nb\\x1b"});
}

TEST_CASE("the widest column gives way") {
  const std::string name(60, 'n');
  CHECK(TableLines({{name, "running", "3h"}}, 40) == Lines{std::string(26, 'n') + "~  running  3h"});
  CHECK(TableLines({{name, name}}, 40) == Lines{std::string(18, 'n') + "~  " + std::string(18, 'n') + "~"});
  CHECK(TableLines({{"abcdef", "x"}}, 5) == Lines{"a~  x"});
  CHECK(TableLines({{"ab", "cd", "ef"}}, 4) == Lines{"~  ~"});
}

TEST_CASE("whatever the cells, no line is too long and none is lost") {
  std::mt19937 random(3);
  const auto any = [&random](std::size_t below) { return random() % below; };
  for (int round = 0; round < 10'000; ++round) {
    std::vector<std::vector<std::string>> rows(any(6));
    for (auto& row : rows) {
      row.resize(any(8));
      for (std::string& cell : row) {
        for (std::size_t i = any(40); i > 0; --i) {
          base::AppendRune(cell, static_cast<char32_t>(any(4) == 0 ? 0x4E16 + any(100) : any(0x7F)));
        }
      }
    }
    const std::size_t width = 1 + any(60);
    const Lines lines = TableLines(rows, width);
    if (!lines.empty()) REQUIRE(lines.size() == rows.size());
    for (const std::string& line : lines) {
      REQUIRE(base::RuneCount(line) <= width);
      REQUIRE(base::IsValidUtf8(line));
      REQUIRE_FALSE(line.contains('\n'));
    }
  }
}

}  // namespace
}  // namespace shipmate::chat
