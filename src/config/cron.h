#pragma once

// CronSchedule: five-field cron times (minute, hour, day of month, month, day of week) in a time zone, as pure data:
// when is the next one after this moment?
//
// Fields: `*`, numbers, ranges `1-5`, lists `1,15`, steps `*/10` and `8-18/2`; months and days of the week also by
// their first three English letters, in any case; 7 is Sunday, too. Also @hourly, @daily, @weekly, @monthly and
// @yearly. As in the crons of old, a time fits when day of month AND month fit, but where both day fields are
// restricted (do not begin with `*`), one of them is enough.
//
// Changes of the clock in the zone: times that fall into a skipped hour come once, at the first moment after it. A time
// in a repeated hour comes once, the first time; where the hour field begins with `*`, both times.

#include <bitset>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace shipmate::config {

class CronSchedule {
 public:
  /// kInvalid, naming the field and what is allowed, for anything else; also for a date that never comes (30 February).
  static Result<CronSchedule> Parse(std::string_view text);

  /// The first fitting minute after `after` in time zone `zone` (a name of the IANA data base, "UTC", or "" for the
  /// machine's own). kNotFound for an unknown zone.
  Result<base::WallTime> Next(base::WallTime after, const std::string& zone) const;

  bool operator==(const CronSchedule&) const = default;

 private:
  CronSchedule() = default;
  bool DayFits(unsigned day, unsigned month, unsigned weekday) const;

  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;
  bool any_hour_ = false;
  bool any_day_ = false;
  bool any_weekday_ = false;
};

/// kNotFound, with the nearest known name, when `zone` is not in the machine's time zone data.
Result<void> CheckTimeZone(const std::string& zone);

/// "2026-11-26 03:00 CET": `time` as a clock in `zone` shows it; in UTC where the zone is not known.
std::string FormatInZone(base::WallTime time, const std::string& zone);

}  // namespace shipmate::config
