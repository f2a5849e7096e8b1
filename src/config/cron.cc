#include "config/cron.h"

#include <date/tz.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <vector>

#include "base/text.h"

namespace shipmate::config {

namespace {

using std::chrono::days;
using std::chrono::minutes;
using std::chrono::seconds;

// 29 February comes at least every eight years (1896, 1904).
constexpr days kHorizon{8 * 366 + 1};

struct Field {
  std::string_view name;
  unsigned low;
  unsigned high;
  std::vector<std::string> words;
  unsigned first_word;
};

const std::array<Field, 5>& Fields() {
  static const std::array<Field, 5> fields{
      Field{"minute", 0, 59, {}, 0},
      Field{"hour", 0, 23, {}, 0},
      Field{"day of month", 1, 31, {}, 0},
      Field{"month", 1, 12, {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}, 1},
      Field{"day of week", 0, 7, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, 0},
  };
  return fields;
}

std::unexpected<Error> Refuse(const Field& field, std::string_view text) {
  return Fail(Errc::kInvalid,
              fmt::format("the {} {} of the schedule is none of: *, {}-{}, a range 1-5, a list 1,3, a step */2{}",
                          field.name, base::Quote(text), field.low, field.high,
                          field.words.empty() ? "" : ", a name like " + field.words.front()));
}

std::optional<unsigned> Number(const Field& field, std::string_view text) {
  const std::string lower = base::ToLowerAscii(text);
  for (std::size_t i = 0; i < field.words.size(); ++i) {
    if (lower == field.words[i]) return static_cast<unsigned>(i) + field.first_word;
  }
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty() || value < field.low ||
      value > field.high) {
    return std::nullopt;
  }
  return value;
}

// The values of one field, in ascending order of what is written.
Result<std::vector<unsigned>> Values(const Field& field, std::string_view text) {
  std::vector<unsigned> values;
  for (const std::string_view item : base::Split(text, ',')) {
    const auto slash = item.find('/');
    const std::string_view range = item.substr(0, slash);
    unsigned low = field.low;
    unsigned high = field.high;
    if (range != "*") {
      const auto dash = range.find('-');
      const auto first = Number(field, range.substr(0, dash));
      const auto last = dash == std::string_view::npos ? first : Number(field, range.substr(dash + 1));
      if (!first || !last || *first > *last) return Refuse(field, text);
      low = *first;
      high = dash == std::string_view::npos && slash != std::string_view::npos ? field.high : *last;
    }
    unsigned step = 1;
    if (slash != std::string_view::npos) {
      const std::string_view digits = item.substr(slash + 1);
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
      if (error != std::errc() || end != digits.data() + digits.size() || step == 0 || step > field.high) {
        return Refuse(field, text);
      }
    }
    for (unsigned value = low; value <= high; value += step) values.push_back(value);
  }
  return values;
}

std::string Expand(std::string_view text) {
  const std::string lower = base::ToLowerAscii(text);
  if (lower == "@hourly") return "0 * * * *";
  if (lower == "@daily" || lower == "@midnight") return "0 0 * * *";
  if (lower == "@weekly") return "0 0 * * 0";
  if (lower == "@monthly") return "0 0 1 * *";
  if (lower == "@yearly" || lower == "@annually") return "0 0 1 1 *";
  return std::string(text);
}

Result<const date::time_zone*> Zone(const std::string& zone) {
  try {
    return zone.empty() ? date::current_zone() : date::locate_zone(zone);
  } catch (const std::exception&) {
    std::vector<std::string> names;
    try {
      for (const auto& known : date::get_tzdb().zones) names.push_back(known.name());
    } catch (const std::exception&) {
      return Fail(Errc::kNotFound, "this machine has no time zone data: install tzdata");
    }
    const std::string nearest = base::Nearest(zone, names);
    return Fail(Errc::kNotFound, fmt::format("there is no time zone {}{}", base::Quote(zone),
                                             nearest.empty() ? "" : fmt::format(" (did you mean {}?)", nearest)));
  }
}

}  // namespace

Result<CronSchedule> CronSchedule::Parse(std::string_view text) {
  const std::string expanded = Expand(base::Trim(text));
  std::vector<std::string_view> words;
  for (const std::string_view word : base::Split(expanded, ' ')) {
    if (!word.empty()) words.push_back(word);
  }
  if (words.size() != 5) {
    return Fail(Errc::kInvalid, fmt::format("a schedule has five fields (minute hour day month weekday), {} has {}",
                                            base::Quote(text), words.size()));
  }
  std::array<std::vector<unsigned>, 5> values;
  for (std::size_t i = 0; i < 5; ++i) {
    auto parsed = Values(Fields()[i], words[i]);
    if (!parsed) return Fail(parsed.error());
    values[i] = std::move(*parsed);
  }
  CronSchedule schedule;
  for (const unsigned value : values[0]) schedule.minutes_.set(value);
  for (const unsigned value : values[1]) schedule.hours_.set(value);
  for (const unsigned value : values[2]) schedule.days_.set(value);
  for (const unsigned value : values[3]) schedule.months_.set(value);
  for (const unsigned value : values[4]) schedule.weekdays_.set(value % 7);
  schedule.any_hour_ = words[1].starts_with('*');
  schedule.any_day_ = words[2].starts_with('*');
  schedule.any_weekday_ = words[4].starts_with('*');

  const std::array<unsigned, 13> longest{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool comes = !schedule.any_weekday_;
  for (unsigned month = 1; month <= 12 && !comes; ++month) {
    for (unsigned day = 1; day <= longest[month] && !comes; ++day) {
      comes = schedule.months_.test(month) && schedule.days_.test(day);
    }
  }
  if (!comes) return Fail(Errc::kInvalid, fmt::format("the date of schedule {} never comes", base::Quote(text)));
  return schedule;
}

bool CronSchedule::DayFits(unsigned day, unsigned month, unsigned weekday) const {
  if (!months_.test(month)) return false;
  if (any_day_ || any_weekday_) return days_.test(day) && weekdays_.test(weekday);
  return days_.test(day) || weekdays_.test(weekday);
}

Result<base::WallTime> CronSchedule::Next(base::WallTime after, const std::string& zone) const {
  const auto found = Zone(zone);
  if (!found) return Fail(found.error());
  const date::time_zone* place = *found;
  const auto start = std::chrono::floor<minutes>(after);
  const auto local_start = place->to_local(std::chrono::floor<seconds>(start));
  auto day = std::chrono::floor<days>(local_start);
  for (const auto last = day + kHorizon; day <= last; day += days(1)) {
    const date::year_month_day civil{date::local_days(day)};
    const date::weekday weekday{date::local_days(day)};
    if (!DayFits(static_cast<unsigned>(civil.day()), static_cast<unsigned>(civil.month()), weekday.c_encoding()))
      continue;
    std::optional<base::WallTime> first;
    const auto offer = [&](base::WallTime moment) {
      if (moment > after && (!first || moment < *first)) first = moment;
    };
    for (unsigned hour = 0; hour < 24; ++hour) {
      for (unsigned minute = 0; hours_.test(hour) && minute < 60; ++minute) {
        if (!minutes_.test(minute)) continue;
        const auto local = std::chrono::time_point_cast<seconds>(day + std::chrono::hours(hour) + minutes(minute));
        // A skipped time maps to the moment of the change.
        offer(place->to_sys(local, date::choose::earliest));
        if (any_hour_) offer(place->to_sys(local, date::choose::latest));
      }
    }
    if (first) return *first;
  }
  return Fail(Errc::kInvalid, "the schedule's next date is too far away");
}

Result<void> CheckTimeZone(const std::string& zone) {
  if (const auto found = Zone(zone); !found) return Fail(found.error());
  return {};
}

std::string FormatInZone(base::WallTime time, const std::string& zone) {
  const auto moment = std::chrono::floor<seconds>(time);
  const auto found = Zone(zone);
  if (!found) return date::format("%F %H:%M UTC", moment);
  return date::format("%F %H:%M %Z", date::make_zoned(*found, moment));
}

}  // namespace shipmate::config
