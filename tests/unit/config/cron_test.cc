#include "config/cron.h"

#include <doctest/doctest.h>

#include <string>

#include "base/time_text.h"

using shipmate::Errc;
using shipmate::base::ParseRfc3339;
using shipmate::base::WallTime;
using shipmate::config::CheckTimeZone;
using shipmate::config::CronSchedule;

namespace {

WallTime At(const std::string& text) {
  return ParseRfc3339(text).value();
}

WallTime Next(const std::string& schedule, const std::string& after, const std::string& zone) {
  const auto parsed = CronSchedule::Parse(schedule);
  REQUIRE_MESSAGE(parsed.has_value(), schedule);
  const auto next = parsed->Next(At(after), zone);
  REQUIRE(next.has_value());
  return *next;
}

}  // namespace

TEST_CASE("the next fitting minute, strictly after") {
  struct Row {
    std::string schedule;
    std::string after;
    std::string next;
  };
  const Row rows[] = {
      {"0 3 * * *", "2026-11-25T02:59:59Z", "2026-11-25T03:00:00Z"},
      {"0 3 * * *", "2026-11-25T03:00:00Z", "2026-11-26T03:00:00Z"},
      {"*/15 * * * *", "2026-11-25T10:15:01Z", "2026-11-25T10:30:00Z"},
      {"5/20 * * * *", "2026-11-25T10:26:00Z", "2026-11-25T10:45:00Z"},
      {"30 8-18/2 * * mon-fri", "2026-11-27T18:31:00Z", "2026-11-30T08:30:00Z"},
      {"0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"},
      {"0 0 31 * *", "2026-11-01T00:00:00Z", "2026-12-31T00:00:00Z"},
      {"0 12 * * 7", "2026-11-25T00:00:00Z", "2026-11-29T12:00:00Z"},
      {"0 12 * JAN sun", "2026-11-25T00:00:00Z", "2027-01-03T12:00:00Z"},
      // Both day fields restricted: either is enough.
      {"0 0 13 * fri", "2026-11-10T00:00:00Z", "2026-11-13T00:00:00Z"},
      {"0 0 13 * fri", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"},
      {"@hourly", "2026-11-25T10:00:00Z", "2026-11-25T11:00:00Z"},
      {"@yearly", "2026-11-25T10:00:00Z", "2027-01-01T00:00:00Z"},
      {"0,30 1,2 1 1 *", "2026-01-01T01:00:00Z", "2026-01-01T01:30:00Z"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.schedule);
    CAPTURE(row.after);
    CHECK(Next(row.schedule, row.after, "UTC") == At(row.next));
  }
}

TEST_CASE("the zone's clock is what counts, through its changes") {
  CHECK(Next("0 3 * * *", "2026-07-01T00:00:00Z", "Europe/Berlin") == At("2026-07-01T01:00:00Z"));
  CHECK(Next("0 3 * * *", "2026-01-01T00:00:00Z", "Europe/Berlin") == At("2026-01-01T02:00:00Z"));
  // 02:30 does not exist on 29 March 2026 in Berlin: the moment of the change.
  CHECK(Next("30 2 * * *", "2026-03-29T00:00:00Z", "Europe/Berlin") == At("2026-03-29T01:00:00Z"));
  // 02:30 exists twice on 25 October 2026: the first time only.
  CHECK(Next("30 2 * * *", "2026-10-25T00:00:00Z", "Europe/Berlin") == At("2026-10-25T00:30:00Z"));
  CHECK(Next("30 2 * * *", "2026-10-25T00:30:00Z", "Europe/Berlin") == At("2026-10-26T01:30:00Z"));
  // What comes in any hour comes in both.
  CHECK(Next("*/20 * * * *", "2026-10-25T00:05:00Z", "Europe/Berlin") == At("2026-10-25T00:20:00Z"));
  CHECK(Next("*/20 * * * *", "2026-10-25T00:40:00Z", "Europe/Berlin") == At("2026-10-25T01:00:00Z"));
  CHECK(Next("*/20 * * * *", "2026-10-25T01:40:00Z", "Europe/Berlin") == At("2026-10-25T02:00:00Z"));
  CHECK(Next("*/20 * * * *", "2026-03-29T00:40:00Z", "Europe/Berlin") == At("2026-03-29T01:00:00Z"));
  CHECK(Next("*/20 * * * *", "2026-03-29T01:00:00Z", "Europe/Berlin") == At("2026-03-29T01:20:00Z"));
}

TEST_CASE("what is no schedule is refused with what is allowed") {
  struct Row {
    std::string schedule;
    std::string part;
  };
  const Row rows[] = {
      {"", "five fields"},        {"* * * *", "has 4"},          {"* * * * * *", "has 6"},
      {"60 * * * *", "minute"},   {"* 24 * * *", "hour"},        {"* * 0 * *", "day of month"},
      {"* * * 13 *", "month"},    {"* * * * 8", "day of week"},  {"5-1 * * * *", "minute"},
      {"*/0 * * * *", "minute"},  {"a * * * *", "minute"},       {"1, * * * *", "minute"},
      {"-1 * * * *", "minute"},   {"0 0 30 2 *", "never comes"}, {"0 0 31 4,6,9,11 *", "never comes"},
      {"@reboot", "five fields"}, {"1-2-3 * * * *", "minute"},   {"99999999999 * * * *", "minute"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.schedule);
    const auto parsed = CronSchedule::Parse(row.schedule);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().code == Errc::kInvalid);
    CHECK(parsed.error().what.find(row.part) != std::string::npos);
  }
}

TEST_CASE("time zones are known by name") {
  CHECK(CheckTimeZone("UTC").has_value());
  CHECK(CheckTimeZone("Europe/Berlin").has_value());
  const auto unknown = CheckTimeZone("Europe/Berlni");
  REQUIRE_FALSE(unknown.has_value());
  CHECK(unknown.error().what.find("did you mean Europe/Berlin?") != std::string::npos);
}

TEST_CASE("a moment is shown by the zone's clock") {
  CHECK(shipmate::config::FormatInZone(At("2026-11-25T02:00:00Z"), "Europe/Berlin") == "2026-11-25 03:00 CET");
  CHECK(shipmate::config::FormatInZone(At("2026-07-25T02:00:00Z"), "Europe/Berlin") == "2026-07-25 04:00 CEST");
  CHECK(shipmate::config::FormatInZone(At("2026-11-25T02:00:59Z"), "UTC") == "2026-11-25 02:00 UTC");
}
