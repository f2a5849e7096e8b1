#include "app/reload.h"

#include <fmt/format.h>

#include <algorithm>
#include <expected>
#include <utility>
#include <vector>

#include "config/load.h"

namespace shipmate::app {

namespace {

using Commands = std::vector<config::CommandSpec>;

struct Read {
  config::Config config;
  Commands commands;
  std::vector<std::string> warnings;
};

void Append(std::vector<std::string>& to, const std::vector<std::string>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

std::expected<Read, config::Problems> ReadFiles(const std::string& config_file) {
  auto config = config::LoadConfig(config_file);
  if (!config) return std::unexpected(config.error());
  Read read{.config = std::move(config->value), .commands = {}, .warnings = std::move(config->warnings)};
  if (read.config.commands_dir.empty()) return read;
  auto commands = config::LoadCommands(read.config.commands_dir, read.config.base_dir, chat::Verbs::BuiltIn().Names());
  if (!commands) return std::unexpected(commands.error());
  read.commands = std::move(commands->value);
  Append(read.warnings, commands->warnings);
  return read;
}

Commands Custom(const chat::Verbs& verbs) {
  Commands custom;
  std::ranges::copy_if(verbs.All(), std::back_inserter(custom),
                       [](const config::CommandSpec& spec) { return spec.run.has_value(); });
  return custom;
}

// How many of `commands` are not the same in `others`.
std::size_t CountOthers(const Commands& commands, const Commands& others) {
  return static_cast<std::size_t>(std::ranges::count_if(commands, [&](const config::CommandSpec& command) {
    const auto other = std::ranges::find(others, command.name, &config::CommandSpec::name);
    return other == others.end() || !(*other == command);
  }));
}

std::size_t CountGone(const Commands& before, const Commands& now) {
  return static_cast<std::size_t>(std::ranges::count_if(before, [&](const config::CommandSpec& command) {
    return std::ranges::find(now, command.name, &config::CommandSpec::name) == now.end();
  }));
}

}  // namespace

Task<chat::ReloadOutcome> Reload(ReloadParts parts) {
  auto read = co_await parts.pool.Run([file = parts.config_file] { return ReadFiles(file); });
  if (!read) co_return std::unexpected(std::move(read.error()));
  auto services = co_await parts.manager.Reload();
  if (!services) co_return std::unexpected(std::move(services.error()));

  // Nothing can fail from here on.
  chat::Reloaded reloaded{.services = *std::move(services)};
  auto& warnings = reloaded.services.warnings;
  warnings.insert(warnings.begin(), read->warnings.begin(), read->warnings.end());
  chat::Access access(read->config.access);
  if (!(access == parts.access)) {
    parts.access = std::move(access);
    reloaded.also.emplace_back("access changed");
  }
  const Commands before = Custom(parts.verbs);
  const std::size_t changed = CountOthers(read->commands, before) + CountGone(before, read->commands);
  if (changed > 0) {
    parts.verbs.SetCustom(std::move(read->commands));
    reloaded.also.push_back(fmt::format("{} command{} changed", changed, changed == 1 ? "" : "s"));
  }
  if (!reloaded.also.empty()) parts.custom.ForgetQuestions();
  read->config.access = parts.running.access;
  read->config.commands_dir = parts.running.commands_dir;
  if (!(read->config == parts.running)) {
    warnings.emplace_back("what else has changed in config.yaml is applied when Shipmate is restarted");
  }
  co_return reloaded;
}

}  // namespace shipmate::app
