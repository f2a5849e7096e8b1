#include "app/settings.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "chat/verbs.h"
#include "os/sd_notify.h"

namespace shipmate::app {

namespace {

void Append(std::vector<std::string>& to, const std::vector<std::string>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

std::expected<Settings, config::Problems> LoadSettings(const Options& options, const Secrets& secrets) {
  Settings settings;
  config::Problems problems;
  auto environment = config::ProcessEnvironment();
  environment.insert(secrets.begin(), secrets.end());
  auto env = config::LoadEnv(options.env, environment);
  if (env) {
    settings.env = std::move(env->value);
    Append(settings.warnings, env->warnings);
  } else {
    Append(problems, env.error());
  }
  auto loaded = config::LoadConfig(options.config);
  if (!loaded) {
    Append(problems, loaded.error());
    return std::unexpected(std::move(problems));
  }
  settings.config = std::move(loaded->value);
  Append(settings.warnings, loaded->warnings);
  auto services = config::LoadServices(settings.config.services_dir, settings.config.base_dir);
  if (services) {
    settings.services = std::move(services->value);
    Append(settings.warnings, services->warnings);
  } else {
    Append(problems, services.error());
  }
  if (!settings.config.commands_dir.empty()) {
    auto commands =
        config::LoadCommands(settings.config.commands_dir, settings.config.base_dir, chat::Verbs::BuiltIn().Names());
    if (commands) {
      settings.commands = std::move(commands->value);
      Append(settings.warnings, commands->warnings);
    } else {
      Append(problems, commands.error());
    }
  }
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return settings;
}

void TakeSecretsFromEnvironment(Secrets& secrets) {
  for (const std::string& name : config::SecretNames()) {
    if (char* value = std::getenv(name.c_str())) {
      secrets[name] = value;
      std::memset(value, 0, std::strlen(value));
      unsetenv(name.c_str());
    }
  }
}

std::vector<std::string> HiddenVariables() {
  std::vector<std::string> names = config::SecretNames();
  Append(names, os::ServiceLink::Variables());
  return names;
}

}  // namespace shipmate::app
