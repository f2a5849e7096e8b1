#include "app/settings.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "chat/verbs.h"
#include "os/files.h"
#include "os/sd_notify.h"
#include "webhook/secrets.h"

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

std::shared_ptr<const base::Masker> MaskerOf(const config::Env& env) {
  auto masker = std::make_shared<base::Masker>();
  masker->Add(env.discord_token);
  masker->Add(env.mattermost_token);
  for (const base::Secret* setting : {&env.github_webhook_secret, &env.gitlab_webhook_secret, &env.gitea_webhook_secret,
                                      &env.generic_webhook_secret}) {
    masker->Add(*setting);
    for (const base::Secret& secret : webhook::SplitSecrets(*setting)) masker->Add(secret);
  }
  return masker;
}

Result<base::LogOptions> LogOptionsOf(const Options& options, const config::Config& config,
                                      std::shared_ptr<const base::Masker> masker) {
  base::LogOptions log;
  log.level = options.verbose ? base::LogLevel::kDebug : base::LogLevel::kInfo;
  log.masker = std::move(masker);
  if (options.interactive && isatty(STDIN_FILENO) != 0) {
    if (const auto made = os::MakeDirectories(config.log_dir, 0750); !made) {
      return Fail(made.error().code, "create log dir: " + made.error().what);
    }
    log.file = config.log_dir + "/shipmate.log";
  }
  return log;
}

std::vector<std::string> HiddenVariables() {
  std::vector<std::string> names = config::SecretNames();
  Append(names, os::ServiceLink::Variables());
  return names;
}

}  // namespace shipmate::app
