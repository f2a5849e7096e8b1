#include "base/truncate.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "base/text.h"

using shipmate::TruncateTailToRuneBudget;
using shipmate::base::IsValidUtf8;
using shipmate::base::RuneCount;

namespace {

std::string Repeat(const std::string& piece, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += piece;
  return out;
}

std::string Marker(int omitted) {
  return "... (truncated, " + std::to_string(omitted) + " earlier bytes omitted)\n";
}

}  // namespace

TEST_CASE("TruncateTailToRuneBudget keeps the seed's pinned cases") {
  CHECK(TruncateTailToRuneBudget("hello world", 100) == "hello world");
  CHECK(TruncateTailToRuneBudget(Repeat("a", 50), 50) == Repeat("a", 50));
  CHECK(TruncateTailToRuneBudget(Repeat("x", 51), 50) == Marker(43) + Repeat("x", 8));
  CHECK(TruncateTailToRuneBudget(Repeat("x", 100), 60) == Marker(82) + Repeat("x", 18));
  CHECK(TruncateTailToRuneBudget(Repeat("é", 100), 60) == Marker(166) + Repeat("é", 17));
  CHECK(TruncateTailToRuneBudget(Repeat("x", 10000), 500) == Marker(9544) + Repeat("x", 456));
  CHECK(TruncateTailToRuneBudget(Repeat("世", 2000), 100) == Marker(5832) + Repeat("世", 56));
  CHECK(TruncateTailToRuneBudget(Repeat("x", 1000), 10) == Repeat("x", 10));
  CHECK(TruncateTailToRuneBudget(Repeat("x", 1000), 43) == Repeat("x", 43));
  CHECK(TruncateTailToRuneBudget(Repeat("x", 1000), 44) == Marker(999) + "x");
  CHECK(TruncateTailToRuneBudget(Repeat("x", 1050), 1000) == Marker(92) + Repeat("x", 958));
  CHECK(TruncateTailToRuneBudget("abc", 2) == "bc");
  CHECK(TruncateTailToRuneBudget("abc", 0).empty());
  CHECK(TruncateTailToRuneBudget("abc", -1).empty());
}

TEST_CASE("TruncateTailToRuneBudget keeps the end, not the head") {
  const std::string cut = TruncateTailToRuneBudget("HEAD_MARKER" + Repeat("x", 5000) + "END_MARKER", 200);
  CHECK(cut.find("END_MARKER") != std::string::npos);
  CHECK(cut.find("HEAD_MARKER") == std::string::npos);
  CHECK(RuneCount(cut) == 200);
}

TEST_CASE("what was cut before is counted, too") {
  const std::string text = TruncateTailToRuneBudget(std::string(100, 'x'), 60, 1000);
  CHECK(text == "... (truncated, 1084 earlier bytes omitted)\n" + std::string(16, 'x'));
  CHECK(TruncateTailToRuneBudget("short", 60, 7) == "... (truncated, 7 earlier bytes omitted)\nshort");
  CHECK(TruncateTailToRuneBudget("short", 60, 0) == "short");
}

TEST_CASE("TruncateTailToRuneBudget on random bytes: valid, within budget, contiguous end, exact count") {
  std::mt19937 random(20261125);
  const std::string pieces[] = {"a", "é", "世", "😀", "\xff", "\xe4\xb8", "\n", "`"};
  for (int round = 0; round < 10000; ++round) {
    std::string text;
    const unsigned count = random() % 300;
    for (unsigned i = 0; i < count; ++i) text += pieces[random() % std::size(pieces)];
    const auto budget = static_cast<long>(random() % 320);
    const std::string cut = TruncateTailToRuneBudget(text, budget);
    REQUIRE(IsValidUtf8(cut));
    REQUIRE(RuneCount(cut) <= static_cast<std::size_t>(budget));
    const std::string whole = shipmate::base::RepairUtf8(text);
    if (RuneCount(text) <= static_cast<std::size_t>(budget)) {
      REQUIRE(cut == whole);
      continue;
    }
    std::string kept = cut;
    if (cut.starts_with("... (truncated, ")) {
      kept = cut.substr(cut.find('\n') + 1);
      const std::size_t omitted = std::stoul(cut.substr(16));
      const std::size_t kept_bytes = shipmate::base::LastRunes(text, RuneCount(kept)).size();
      REQUIRE(omitted == text.size() - kept_bytes);
    }
    REQUIRE(whole.ends_with(kept));
  }
}
