#include "config/names.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <utility>

#include "config/config.h"

namespace shipmate::config {

namespace {

constexpr std::size_t kMaxServiceName = 63;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Signals that can end a process, or that a program may take as the wish to end.
constexpr std::array<std::pair<std::string_view, int>, 9> kSignals = {{
    {"TERM", SIGTERM},
    {"INT", SIGINT},
    {"HUP", SIGHUP},
    {"QUIT", SIGQUIT},
    {"USR1", SIGUSR1},
    {"USR2", SIGUSR2},
    {"KILL", SIGKILL},
    {"ABRT", SIGABRT},
    {"WINCH", SIGWINCH},
}};

}  // namespace

bool IsServiceName(std::string_view text) {
  const auto alphanumeric = [](char c) { return IsLetter(c) || IsDigit(c); };
  const auto inner = [&](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; };
  return !text.empty() && text.size() <= kMaxServiceName && alphanumeric(text[0]) && std::ranges::all_of(text, inner) &&
         text.find("..") == std::string_view::npos;
}

bool IsVariableName(std::string_view text) {
  const auto inner = [](char c) { return IsLetter(c) || IsDigit(c) || c == '_'; };
  return !text.empty() && !IsDigit(text[0]) && std::ranges::all_of(text, inner);
}

std::optional<int> SignalNumber(std::string_view name) {
  if (name.starts_with("SIG")) name.remove_prefix(3);
  for (const auto& [known, number] : kSignals) {
    if (known == name) return number;
  }
  return std::nullopt;
}

const std::vector<std::string>& SignalNames() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const auto& [name, number] : kSignals) names.emplace_back(name);
    return names;
  }();
  return kNames;
}

bool IsSnowflake(std::string_view text) {
  return text.size() >= 17 && text.size() <= 20 && std::ranges::all_of(text, IsDigit);
}

bool IsMattermostId(std::string_view text) {
  constexpr std::size_t kLength = 26;
  return text.size() == kLength &&
         std::ranges::all_of(text, [](char c) { return IsDigit(c) || (c >= 'a' && c <= 'z'); });
}

bool IsMattermostName(std::string_view text) {
  return !text.empty() && text.find_first_of("/ \t?#@") == std::string_view::npos;
}

bool IsTeamAndChannel(std::string_view text) {
  const std::size_t slash = text.find('/');
  return slash != std::string_view::npos && IsMattermostName(text.substr(0, slash)) &&
         IsMattermostName(text.substr(slash + 1));
}

std::string ResolvePath(const std::string& base, const std::string& path) {
  std::string clean = (std::filesystem::path(base) / path).lexically_normal().string();
  while (clean.size() > 1 && clean.back() == '/') clean.pop_back();
  return clean;
}

const std::vector<std::string>& SecretNames() {
  static const std::vector<std::string> kNames = {
      "DISCORD_TOKEN",        "MATTERMOST_TOKEN",       "GITHUB_WEBHOOK_SECRET", "GITLAB_WEBHOOK_SECRET",
      "GITEA_WEBHOOK_SECRET", "GENERIC_WEBHOOK_SECRET", "MATRIX_ACCESS_TOKEN",   "MATRIX_PICKLE_KEY"};
  return kNames;
}

bool ServiceConfig::RunsAlike(const ServiceConfig& other) const {
  return name == other.name && kind == other.kind && dir == other.dir && entrypoint == other.entrypoint &&
         process_cmd == other.process_cmd && service_name == other.service_name && user_service == other.user_service &&
         sudo == other.sudo && env == other.env && user == other.user && group == other.group && umask == other.umask &&
         nice == other.nice && oom_score_adj == other.oom_score_adj && limits == other.limits;
}

}  // namespace shipmate::config
