#include "service/log_retention.h"

#include <doctest/doctest.h>

using namespace shipmate;
using namespace shipmate::service;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::uint64_t kKiB = 1024;

base::WallTime At(int second) {
  return base::WallTime(seconds(second));
}

LogUse File(std::string name, int second, std::uint64_t kib) {
  LogUse use;
  use.file = std::move(name);
  use.modified = At(second);
  use.size = kib * kKiB;
  use.used = kib * kKiB;
  return use;
}

LogUse Current(std::string name, int second, std::uint64_t kib) {
  LogUse use = File(std::move(name), second, kib);
  use.current = true;
  return use;
}

}  // namespace

TEST_CASE("within the bound nothing goes, whatever the number of files up to a hundred") {
  std::vector<LogUse> files;
  for (int i = 0; i < 99; ++i) files.push_back(File("crash" + std::to_string(i), i, 4));
  files.push_back(Current("now", 100, 64));
  CHECK(PlanLogs(files, 460 * kKiB, kLogFilesKept) == LogPlan{});
  // One more, and the oldest leaves.
  files.push_back(File("late", 99, 4));
  CHECK(PlanLogs(files, 1024 * kKiB, kLogFilesKept) == LogPlan{{"crash0"}, {}});
}

TEST_CASE("the oldest output goes first, and no more of it than the bound asks for") {
  const std::vector<LogUse> files = {Current("c", 1, 64), File("b", 3, 64), File("a", 2, 64)};
  CHECK(PlanLogs(files, 192 * kKiB, 100) == LogPlan{});
  CHECK(PlanLogs(files, 180 * kKiB, 100) == LogPlan{{}, {{"a", 4096, (4 + 12) * kKiB}}});
  // Less than a block outside the bound: nothing.
  CHECK(PlanLogs(files, 190 * kKiB, 100) == LogPlan{});
  CHECK(PlanLogs(files, 128 * kKiB, 100) == LogPlan{{"a"}, {}});
  CHECK(PlanLogs(files, 100 * kKiB, 100) == LogPlan{{"a"}, {{"b", 4096, (4 + 28) * kKiB}}});
  CHECK(PlanLogs(files, 40 * kKiB, 100) == LogPlan{{"a", "b"}, {{"c", 4096, (4 + 24) * kKiB}}});
}

TEST_CASE("a file that was freed in part is freed further on; its first and last blocks stay") {
  LogUse current = Current("c", 1, 1024);
  current.used = 132 * kKiB;
  current.retained_from = 896 * kKiB;
  CHECK(PlanLogs({current}, 68 * kKiB, 100) == LogPlan{{}, {{"c", 4096, 960 * kKiB}}});
  CHECK(PlanLogs({current}, 0, 100) == LogPlan{{}, {{"c", 4096, 1020 * kKiB}}});
  // Never deleted, and nothing to free in a file of two blocks.
  CHECK(PlanLogs({Current("c", 1, 8)}, 0, 0) == LogPlan{});
  CHECK(PlanLogs({}, 0, 0) == LogPlan{});
}

TEST_CASE(
    "LookPace: soon while it is not known what comes, later for a slow writer, never slower than the bound asks") {
  constexpr std::uint64_t kBound = 64 << 20U;
  LookPace pace;
  CHECK(pace.Next(100, seconds(3600), kBound, kBound) == milliseconds(100));
  CHECK(pace.Next(100, milliseconds(100), kBound, kBound) == milliseconds(200));
  CHECK(pace.Next(100, milliseconds(200), kBound, kBound) == milliseconds(400));
  CHECK(pace.Next(100, milliseconds(400), kBound, kBound) == milliseconds(800));
  CHECK(pace.Next(100, milliseconds(800), kBound, kBound) == milliseconds(1000));
  CHECK(pace.Next(100, milliseconds(1000), kBound, kBound) == milliseconds(1000));
  // 100 MiB/s at the bound: an eighth of it, 8 MiB, takes 80 ms.
  CHECK(pace.Next(100 << 20U, seconds(1), 0, kBound) == milliseconds(80));
  CHECK(pace.Next(100 << 20U, seconds(1), 12 << 20U, kBound) == milliseconds(200));
  CHECK(pace.Next(std::uint64_t{1} << 40U, seconds(1), 0, kBound) == milliseconds(50));
  pace.Wake();
  CHECK(pace.Next(100, seconds(1), kBound, kBound) == milliseconds(100));
}

TEST_CASE("SizeHistory knows how large the file was when") {
  SizeHistory history;
  CHECK_FALSE(history.SizeAt(At(5)).has_value());
  history.Add(At(10), 100);
  history.Add(At(20), 200);
  history.Add(At(20) + milliseconds(100), 250);
  history.Add(At(20) + milliseconds(900), 300);
  history.Add(At(60), 400);
  CHECK_FALSE(history.SizeAt(At(9)).has_value());
  CHECK(history.SizeAt(At(10)) == 100U);
  CHECK(history.SizeAt(At(19)) == 100U);
  // What came before a quiet time is not taken for what came after.
  CHECK(history.SizeAt(At(59)) == 300U);
  CHECK(history.SizeAt(At(1000)) == 400U);
  history.Shift(150);
  CHECK(history.SizeAt(At(59)) == 150U);
  CHECK(history.SizeAt(At(10)) == 0U);
}

TEST_CASE("a long SizeHistory becomes coarser, but reaches as far back") {
  SizeHistory history;
  for (int i = 0; i < 10000; ++i) history.Add(At(i * 10), static_cast<std::uint64_t>(i));
  for (const int i : {0, 1, 5000, 9000, 9999}) {
    const auto size = history.SizeAt(At(i * 10));
    REQUIRE(size.has_value());
    CHECK(*size <= static_cast<std::uint64_t>(i));
    CHECK(static_cast<int>(*size) >= i - (9999 - i) / 16 - 2);
  }
  CHECK(history.SizeAt(At(1'000'000)) == 9999U);
}
