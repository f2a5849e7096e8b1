#include "base/time_text.h"

#include <fmt/format.h>

#include <charconv>
#include <ctime>

namespace shipmate::base {

namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

std::string Format(WallTime time, bool with_fraction) {
  const auto whole = std::chrono::floor<seconds>(time);
  const auto fraction = (time - whole).count();
  const std::time_t unix_seconds = whole.time_since_epoch().count();
  std::tm local{};
  localtime_r(&unix_seconds, &local);
  std::string out = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", local.tm_year + 1900, local.tm_mon + 1,
                                local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
  if (with_fraction && fraction != 0) {
    std::string digits = fmt::format(".{:09}", fraction);
    digits.erase(digits.find_last_not_of('0') + 1);
    out += digits;
  }
  const long offset_minutes = local.tm_gmtoff / 60;
  if (offset_minutes == 0) return out + "Z";
  const long magnitude = offset_minutes < 0 ? -offset_minutes : offset_minutes;
  return out + fmt::format("{}{:02}:{:02}", offset_minutes < 0 ? '-' : '+', magnitude / 60, magnitude % 60);
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  std::optional<int> Number(std::size_t digits) {
    if (text_.size() < digits) return std::nullopt;
    int value = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + digits, value);
    if (error != std::errc() || end != text_.data() + digits || value < 0) return std::nullopt;
    text_.remove_prefix(digits);
    return value;
  }
  bool Skip(std::string_view one_of) {
    if (text_.empty() || one_of.find(text_[0]) == std::string_view::npos) return false;
    text_.remove_prefix(1);
    return true;
  }
  std::optional<nanoseconds> Fraction() {
    std::int64_t value = 0;
    std::size_t digits = 0;
    for (; !text_.empty() && text_[0] >= '0' && text_[0] <= '9'; text_.remove_prefix(1), ++digits) {
      if (digits < 9) value = value * 10 + (text_[0] - '0');
    }
    if (digits == 0) return std::nullopt;
    for (; digits < 9; ++digits) value *= 10;
    return nanoseconds(value);
  }
  char Peek() const { return text_.empty() ? '\0' : text_[0]; }
  bool AtEnd() const { return text_.empty(); }

 private:
  std::string_view text_;
};

}  // namespace

std::string FormatRfc3339Nano(WallTime time) {
  return Format(time, true);
}
std::string FormatRfc3339(WallTime time) {
  return Format(time, false);
}

std::optional<WallTime> ParseRfc3339(std::string_view text) {
  Reader reader(text);
  const auto year = reader.Number(4);
  if (!year || !reader.Skip("-")) return std::nullopt;
  const auto month = reader.Number(2);
  if (!month || !reader.Skip("-")) return std::nullopt;
  const auto day = reader.Number(2);
  if (!day || !reader.Skip("Tt ")) return std::nullopt;
  const auto hour = reader.Number(2);
  if (!hour || !reader.Skip(":")) return std::nullopt;
  const auto minute = reader.Number(2);
  if (!minute || !reader.Skip(":")) return std::nullopt;
  const auto second = reader.Number(2);
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  nanoseconds fraction{0};
  if (reader.Skip(".")) {
    const auto parsed = reader.Fraction();
    if (!parsed) return std::nullopt;
    fraction = *parsed;
  }
  std::chrono::minutes offset{0};
  if (!reader.Skip("Zz")) {
    const bool west = reader.Peek() == '-';
    if (!reader.Skip("+-")) return std::nullopt;
    const auto offset_hours = reader.Number(2);
    if (!offset_hours || !reader.Skip(":")) return std::nullopt;
    const auto offset_minutes = reader.Number(2);
    if (!offset_minutes || *offset_hours > 23 || *offset_minutes > 59) return std::nullopt;
    offset = std::chrono::hours(*offset_hours) + std::chrono::minutes(*offset_minutes);
    if (west) offset = -offset;
  }
  if (!reader.AtEnd()) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  // Beyond these years a nanosecond count no longer fits 64 bits.
  if (*year < 1678 || *year > 2261) return std::nullopt;
  return WallTime(std::chrono::sys_days(date).time_since_epoch()) + std::chrono::hours(*hour) +
         std::chrono::minutes(*minute) + seconds(*second) + fraction - offset;
}

std::string FormatDuration(nanoseconds duration) {
  const auto total = std::chrono::duration_cast<seconds>(duration).count();
  if (total < 0) return "0s";
  if (total < 60) return fmt::format("{}s", total);
  if (total < 3600)
    return total % 60 == 0 || total >= 600 ? fmt::format("{}m", total / 60)
                                           : fmt::format("{}m {}s", total / 60, total % 60);
  if (total < 86400) {
    const auto minutes = total % 3600 / 60;
    return minutes == 0 ? fmt::format("{}h", total / 3600) : fmt::format("{}h {}m", total / 3600, minutes);
  }
  const auto hours = total % 86400 / 3600;
  return hours == 0 ? fmt::format("{}d", total / 86400) : fmt::format("{}d {}h", total / 86400, hours);
}

}  // namespace shipmate::base
