// The keys of a service file that tell what follows when its process ends.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string>
#include <vector>

#include "config/process_keys.h"

namespace shipmate::config {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

RestartWhen ReadRestart(Fields& fields) {
  const auto word = fields.Text("restart");
  if (!word || word->text == "always") return RestartWhen::kAlways;
  if (word->text == "on-failure") return RestartWhen::kOnFailure;
  if (word->text != "no") {
    fields.Problem("restart", word->mark,
                   fmt::format("expected always, on-failure or no, found {}", Shown(word->text)));
  }
  return RestartWhen::kNo;
}

double ReadFactor(Fields& fields) {
  constexpr double kMost = 10;
  const auto text = fields.Text("factor");
  if (!text) return BackoffConfig().factor;
  double value = 0;
  const char* const last = text->text.data() + text->text.size();
  const auto [end, error] = std::from_chars(text->text.data(), last, value, std::chars_format::fixed);
  if (error == std::errc() && end == last && value >= 1 && value <= kMost) return value;
  fields.Problem("factor", text->mark, fmt::format("expected a number from 1 to 10, found {}", Shown(text->text)));
  return BackoffConfig().factor;
}

BackoffConfig ReadBackoff(Fields& root) {
  BackoffConfig backoff;
  auto fields = root.Section("backoff");
  if (!fields) return backoff;
  backoff.initial = fields->Duration("initial", milliseconds(0), hours(1)).value_or(backoff.initial);
  const auto most = fields->Duration("max", milliseconds(0), hours(24));
  backoff.max = most.value_or(std::max(backoff.max, backoff.initial));
  backoff.factor = ReadFactor(*fields);
  if (backoff.max < backoff.initial) {
    fields->Problem("max", fields->Find("max")->mark, "is less than backoff.initial");
  }
  fields->Finish();
  return backoff;
}

StartLimitConfig ReadStartLimit(Fields& root) {
  constexpr unsigned kMost = 1000;
  StartLimitConfig limit;
  auto fields = root.Section("start_limit");
  if (!fields) return limit;
  limit.count = static_cast<unsigned>(fields->Number("count", 0, kMost).value_or(limit.count));
  limit.window = fields->Duration("window", seconds(1), hours(24)).value_or(limit.window);
  fields->Finish();
  return limit;
}

std::vector<int> ReadExitCodes(Fields& fields) {
  constexpr int kMost = 255;
  std::vector<int> codes = ServiceConfig().success_exit_codes;
  const Node* list = fields.Find("success_exit_codes");
  if (list == nullptr) return codes;
  codes.clear();
  for (const Placed& text : fields.Texts("success_exit_codes")) {
    int code = 0;
    const char* const last = text.text.data() + text.text.size();
    const auto [end, error] = std::from_chars(text.text.data(), last, code);
    if (error != std::errc() || end != last || code < 0 || code > kMost) {
      fields.Problem("success_exit_codes", text.mark,
                     fmt::format("expected numbers from 0 to 255, found {}", Shown(text.text)));
    }
    codes.push_back(code);
  }
  return codes;
}

}  // namespace

void ReadScheduleKeys(Fields& fields, ServiceConfig& service) {
  const auto zone = fields.Text("timezone");
  const auto when = fields.Text("schedule");
  if (zone) {
    if (const auto known = CheckTimeZone(zone->text); !known)
      fields.Problem("timezone", zone->mark, known.error().what);
    if (!when) fields.Warn("timezone", fields.Find("timezone")->key_mark, "has no effect without schedule");
  }
  if (!when) return;
  auto parsed = CronSchedule::Parse(when->text);
  if (!parsed) return fields.Problem("schedule", when->mark, parsed.error().what);
  service.schedule = ScheduleConfig{.when = *std::move(parsed), .zone = zone ? zone->text : ""};
  if (const Node* restart = fields.Find("restart"); restart == nullptr) {
    service.restart = RestartWhen::kNo;
  } else if (service.restart == RestartWhen::kAlways) {
    fields.Problem("restart", restart->key_mark,
                   "always cannot stand beside schedule, whose process is to end; write no or on-failure");
  }
  if (const Node* autostart = fields.Find("autostart"); autostart != nullptr && service.autostart) {
    fields.Problem("autostart", autostart->key_mark, "true cannot stand beside schedule: the schedule starts it");
  }
  service.autostart = false;
}

void ReadRestartKeys(Fields& fields, ServiceConfig& service) {
  service.restart = ReadRestart(fields);
  service.backoff = ReadBackoff(fields);
  service.start_limit = ReadStartLimit(fields);
  service.min_uptime = fields.Duration("min_uptime", milliseconds(0), minutes(10)).value_or(service.min_uptime);
  service.success_exit_codes = ReadExitCodes(fields);
  service.autostart = fields.Switch("autostart").value_or(service.autostart);
}

}  // namespace shipmate::config
