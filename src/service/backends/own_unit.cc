#include "service/backends/own_unit.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <utility>

#include "base/text.h"
#include "os/files.h"
#include "service/backends/unit_command.h"

namespace shipmate::service::backends {

namespace {

constexpr std::string_view kService = ".service";
constexpr std::chrono::seconds kOwnLimit{5};

std::vector<std::string> Systemctl(UnitScope scope) {
  std::vector<std::string> argv{"systemctl"};
  if (scope == UnitScope::kUser) argv.emplace_back("--user");
  argv.emplace_back("--no-ask-password");
  return argv;
}

OwnUnit ParseOwnUnit(std::string_view shown, const CgroupUnit& found) {
  OwnUnit unit{.id = found.id, .scope = found.scope};
  for (const std::string_view line : base::Split(shown, '\n')) {
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, equals);
    const std::string_view value = line.substr(equals + 1);
    if (key == "Id" && !value.empty()) unit.id = value;
    if (key == "KillMode") unit.kill_mode = value;
    if (key == "MainPID") std::from_chars(value.data(), value.data() + value.size(), unit.main_pid);
    if (key != "Names") continue;
    for (const std::string_view name : base::Split(value, ' ')) {
      if (!name.empty()) unit.names.emplace_back(name);
    }
  }
  if (unit.names.empty()) unit.names.push_back(unit.id);
  return unit;
}

}  // namespace

bool OwnUnit::Is(std::string_view unit, UnitScope unit_scope) const {
  std::string name(unit);
  if (!name.contains('.')) name += kService;
  return unit_scope == scope && std::ranges::find(names, name) != names.end();
}

std::optional<CgroupUnit> UnitOfCgroup(std::string_view cgroup) {
  for (const std::string_view line : base::Split(cgroup, '\n')) {
    // "0::/path" is the unified hierarchy, "1:name=systemd:/path" systemd's own in the older one.
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view hierarchy = line.substr(first + 1, second - first - 1);
    if (!hierarchy.empty() && hierarchy != "name=systemd") continue;
    CgroupUnit unit;
    for (const std::string_view part : base::Split(line.substr(second + 1), '/')) {
      if (!part.ends_with(kService) || part.size() == kService.size()) continue;
      // A user's own systemd is itself a service of the machine's: what it runs is below.
      if (part.starts_with("user@")) {
        unit.scope = UnitScope::kUser;
        continue;
      }
      unit.id = part;
      return unit;
    }
  }
  return std::nullopt;
}

Task<Result<std::optional<OwnUnit>>> FindOwnUnit(std::vector<std::string> environment) {
  using Outcome = Result<std::optional<OwnUnit>>;
  if (std::getenv("INVOCATION_ID") == nullptr) co_return Outcome(std::nullopt);
  constexpr std::size_t kMost = std::size_t{64} * 1024;
  const auto cgroup = os::ReadFile("/proc/self/cgroup", kMost);
  const auto found = cgroup ? UnitOfCgroup(*cgroup) : std::nullopt;
  if (!found || !CheckUnitName("unit", found->id)) co_return Outcome(std::nullopt);
  UnitCommand command;
  command.argv = Systemctl(found->scope);
  command.argv.insert(command.argv.end(),
                      {"show", "-p", "Id", "-p", "Names", "-p", "KillMode", "-p", "MainPID", "--", found->id});
  command.environment = std::move(environment);
  command.what = "systemctl show " + found->id;
  command.limit = kOwnLimit;
  const auto shown = co_await RunUnitCommand(std::move(command));
  if (!shown) co_return Fail(shown.error());
  co_return Outcome(ParseOwnUnit(*shown, *found));
}

Task<Result<void>> RestartOwnUnit(OwnUnit unit, std::vector<std::string> environment) {
  UnitCommand command;
  command.argv = Systemctl(unit.scope);
  command.argv.insert(command.argv.end(), {"restart", "--no-block", "--", unit.id});
  command.environment = std::move(environment);
  command.what = "systemctl restart " + unit.id;
  auto done = co_await RunUnitCommand(std::move(command));
  if (!done) co_return Fail(std::move(done).error());
  co_return Result<void>{};
}

}  // namespace shipmate::service::backends
