#include "service/environment.h"

#include <algorithm>
#include <charconv>

#include "os/users.h"

namespace shipmate::service {

namespace {
std::string_view NameOf(std::string_view variable) {
  return variable.substr(0, variable.find('='));
}

constexpr const char* kUsualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

bool IsSet(const std::vector<std::string>& base, std::string_view name) {
  return std::ranges::any_of(base, [name](const std::string& variable) {
    return NameOf(variable) == name && variable.size() > name.size() + 1;
  });
}
}  // namespace

std::string InstanceMark(const std::string& state_id, const std::string& service, std::uint64_t generation) {
  return state_id + "/" + service + "/" + std::to_string(generation);
}

bool ParseMark(std::string_view value, const std::string& state_id, Mark& mark) {
  if (!value.starts_with(state_id + "/")) return false;
  value.remove_prefix(state_id.size() + 1);
  const std::size_t slash = value.find('/');
  if (slash == std::string_view::npos || slash == 0) return false;
  const std::string_view number = value.substr(slash + 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), mark.number);
  if (error != std::errc() || end != number.data() + number.size()) return false;
  mark.service = std::string(value.substr(0, slash));
  return true;
}

std::vector<std::string> WithVariables(const std::vector<std::string>& base,
                                       const std::map<std::string, std::string>& extra) {
  std::vector<std::string> result;
  result.reserve(base.size() + extra.size());
  for (const std::string& variable : base) {
    if (!extra.contains(std::string(NameOf(variable)))) result.push_back(variable);
  }
  for (const auto& [name, value] : extra) result.push_back(name + "=" + value);
  return result;
}

std::vector<std::string> WithUsualVariables(std::vector<std::string> base) {
  std::map<std::string, std::string> missing;
  if (!IsSet(base, "PATH")) missing["PATH"] = kUsualPath;
  if (!IsSet(base, "HOME")) {
    const auto user = os::FindUser(std::to_string(os::OwnUid()));
    missing["HOME"] = user && !user->home.empty() ? user->home : "/";
  }
  return missing.empty() ? base : WithVariables(base, missing);
}

std::vector<std::string> WithoutVariables(const std::vector<std::string>& base, const std::vector<std::string>& names) {
  std::vector<std::string> result;
  for (const std::string& variable : base) {
    if (std::ranges::find(names, NameOf(variable)) == names.end()) result.push_back(variable);
  }
  return result;
}

}  // namespace shipmate::service
