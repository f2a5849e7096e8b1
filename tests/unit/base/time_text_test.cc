#include "base/time_text.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>

using namespace shipmate::base;
using namespace std::chrono_literals;

namespace {

class TimeZone {
 public:
  explicit TimeZone(const char* name) {
    setenv("TZ", name, 1);
    tzset();
  }
  ~TimeZone() {
    unsetenv("TZ");
    tzset();
  }
  TimeZone(const TimeZone&) = delete;
  TimeZone& operator=(const TimeZone&) = delete;
};

constexpr WallTime kMoment{std::chrono::seconds(1711000000) + 120ms};

}  // namespace

TEST_CASE("RFC 3339 times in the machine's zone, trailing zeros trimmed") {
  {
    const TimeZone utc("UTC");
    CHECK(FormatRfc3339Nano(kMoment) == "2024-03-21T05:46:40.12Z");
    CHECK(FormatRfc3339(kMoment) == "2024-03-21T05:46:40Z");
  }
  const TimeZone india("Asia/Kolkata");
  CHECK(FormatRfc3339Nano(kMoment) == "2024-03-21T11:16:40.12+05:30");
  CHECK(ParseRfc3339(FormatRfc3339Nano(kMoment)) == kMoment);
}

TEST_CASE("ParseRfc3339 reads any offset and refuses anything else") {
  CHECK(ParseRfc3339("2024-03-21T05:46:40.12Z") == kMoment);
  CHECK(ParseRfc3339("2024-03-21T00:46:40.120000000-05:00") == kMoment);
  for (const char* bad :
       {"", "2024-03-21", "2024-13-21T05:46:40Z", "2024-02-30T05:46:40Z", "2024-03-21T05:46:40", "2024-03-21T25:46:40Z",
        "2024-03-21T05:46:40.Z", "2024-03-21T05:46:40Zx", "9999-03-21T05:46:40Z"}) {
    CAPTURE(std::string(bad));
    CHECK_FALSE(ParseRfc3339(bad).has_value());
  }
}

TEST_CASE("durations are short enough for a phone") {
  CHECK(FormatDuration(-5s) == "0s");
  CHECK(FormatDuration(59s) == "59s");
  CHECK(FormatDuration(61s) == "1m 1s");
  CHECK(FormatDuration(3h) == "3h");
  CHECK(FormatDuration(3h + 20min) == "3h 20m");
  CHECK(FormatDuration(49h) == "2d 1h");
}
