#include <doctest/doctest.h>

#include "fakes/temp_dir.h"
#include "platforms/discord/identify_budget.h"

using namespace shipmate;
using namespace shipmate::platforms::discord;
using namespace std::chrono_literals;

namespace {

const base::WallTime kNoon{std::chrono::sys_days(std::chrono::year(2026) / 8 / 1) + 12h};

}  // namespace

TEST_CASE("identifies are five seconds apart, and the reserve of a day is never touched") {
  IdentifyBudget budget;
  CHECK(budget.Wait(kNoon) == 0ms);
  budget.Record(kNoon);
  CHECK(budget.Wait(kNoon) == 5s);
  CHECK(budget.Wait(kNoon + 4999ms) == 1ms);
  CHECK(budget.Wait(kNoon + 5s) == 0ms);
  for (int i = 1; i < 950; ++i) budget.Record(kNoon + i * 10s);
  const base::WallTime now = kNoon + 9500s;
  CHECK(budget.Used(now) == 950);
  CHECK(budget.Wait(now) == 24h - 9500s);
  CHECK(budget.Wait(kNoon + 24h) == 0ms);
  CHECK(budget.Used(kNoon + 24h) == 949);
}

TEST_CASE("a clock that was set back holds nothing up for longer than a day") {
  IdentifyBudget budget;
  budget.Record(kNoon + 24h * 365);
  CHECK(budget.Wait(kNoon) == 5s);
  CHECK(budget.Wait(kNoon + 5s) == 0ms);
  CHECK(budget.Used(kNoon + 24h) == 0);
}

TEST_CASE("the count survives a restart, and a broken file is begun anew with a warning") {
  const tests::TempDir dir;
  const std::string path = dir / "identifies.json";
  std::string warning;
  IdentifyBudget first = IdentifyBudget::Load(path, &warning);
  CHECK(warning.empty());
  first.Record(kNoon);
  first.Record(kNoon + 10s);
  REQUIRE(first.Save().has_value());

  IdentifyBudget second = IdentifyBudget::Load(path, &warning);
  CHECK(warning.empty());
  CHECK(second.Used(kNoon + 11s) == 2);
  CHECK(second.Wait(kNoon + 11s) == 4s);

  for (const std::string content : {"{", "[]", "{\"identifies_ms\":7}", "\xff"}) {
    tests::WriteText(path, content);
    warning.clear();
    CHECK(IdentifyBudget::Load(path, &warning).Used(kNoon) == 0);
    CHECK(warning.find("identifies.json") != std::string::npos);
  }
  tests::WriteText(path, R"({"identifies_ms":[-5,9223372036854775807,1.5,"x",null,1785585600000]})");
  warning.clear();
  CHECK(IdentifyBudget::Load(path, &warning).Used(kNoon) == 1);
  CHECK(warning.empty());
}
