// The plan as text: a sequence of key, NUL, value, NUL. Written and read by the same program, so any surprise is an
// error.

#include <charconv>
#include <concepts>

#include "os/exec_helper.h"

namespace shipmate::os::internal {

namespace {

void Put(std::string& text, std::string_view key, std::string_view value) {
  text += key;
  text += '\0';
  text += value;
  text += '\0';
}

template <std::integral T>
void Put(std::string& text, std::string_view key, const std::optional<T>& value) {
  if (value) Put(text, key, std::to_string(*value));
}

template <std::integral T>
bool Get(std::string_view value, std::optional<T>& into) {
  T number{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (value.empty() || error != std::errc() || end != value.data() + value.size()) return false;
  into = number;
  return true;
}

bool Take(std::string_view key, std::string_view value, ExecPlan& plan) {
  ExecSettings& settings = plan.settings;
  if (key == "nice") return Get(value, settings.nice);
  if (key == "umask") return Get(value, settings.umask);
  if (key == "oom_score_adj") return Get(value, settings.oom_score_adj);
  if (key == "open_files") return Get(value, settings.open_files);
  if (key == "processes") return Get(value, settings.processes);
  if (key == "core") return Get(value, settings.core);
  const std::string text(value);
  if (key == "program") {
    plan.program = text;
  } else if (key == "arg") {
    plan.argv.push_back(text);
  } else if (key == "env") {
    plan.env.push_back(text);
  } else if (key == "dir") {
    plan.dir = text;
  } else if (key == "user") {
    settings.user = text;
  } else if (key == "group") {
    settings.group = text;
  } else if (key == "enter") {
    settings.groups.push_back(text);
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::string EncodePlan(const ExecPlan& plan) {
  std::string text;
  Put(text, "program", plan.program);
  for (const std::string& word : plan.argv) Put(text, "arg", word);
  for (const std::string& variable : plan.env) Put(text, "env", variable);
  Put(text, "dir", plan.dir);
  const ExecSettings& settings = plan.settings;
  Put(text, "user", settings.user);
  Put(text, "group", settings.group);
  Put(text, "umask", settings.umask);
  Put(text, "nice", settings.nice);
  Put(text, "oom_score_adj", settings.oom_score_adj);
  Put(text, "open_files", settings.open_files);
  Put(text, "processes", settings.processes);
  Put(text, "core", settings.core);
  for (const std::string& dir : settings.groups) Put(text, "enter", dir);
  return text;
}

Result<ExecPlan> DecodePlan(std::string_view text) {
  const auto next = [&text](std::string_view& field) {
    const std::size_t end = text.find('\0');
    if (end == std::string_view::npos) return false;
    field = text.substr(0, end);
    text.remove_prefix(end + 1);
    return true;
  };
  ExecPlan plan;
  while (!text.empty()) {
    std::string_view key;
    std::string_view value;
    if (!next(key) || !next(value) || !Take(key, value, plan)) {
      return Fail(Errc::kInvalid, "the plan of the start is damaged at " + std::string(key));
    }
  }
  if (plan.program.empty() || plan.argv.empty()) return Fail(Errc::kInvalid, "the plan of the start names no program");
  return plan;
}

}  // namespace shipmate::os::internal
