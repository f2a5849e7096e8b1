#pragma once

// Everything that is read before a service is touched: files, and the environment with its secrets.

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "app/handover.h"
#include "app/options.h"
#include "base/log.h"
#include "base/mask.h"
#include "base/result.h"
#include "config/config.h"
#include "config/load.h"

namespace shipmate::app {

struct Settings {
  config::Config config;
  config::Env env;
  std::vector<config::ServiceConfig> services;
  std::vector<config::CommandSpec> commands;
  std::vector<std::string> warnings;
};

/// All files that `options` name, with `secrets` beside the environment. The problems of all of them.
std::expected<Settings, config::Problems> LoadSettings(const Options& options, const Secrets& secrets);

/// Secrets that came by the environment stay readable in /proc/PID/environ until their bytes are overwritten there.
/// They are kept in `secrets`, for a later reading of the settings and for the program that may take our place.
void TakeSecretsFromEnvironment(Secrets& secrets);

/// Of all secrets in `env`.
std::shared_ptr<const base::Masker> MaskerOf(const config::Env& env);

/// Where and what to log. A terminal that is being typed into is no place for log lines: then there is a file, whose
/// directory is made; an error when that cannot be.
Result<base::LogOptions> LogOptionsOf(const Options& options, const config::Config& config,
                                      std::shared_ptr<const base::Masker> masker);

/// What our children do not inherit.
std::vector<std::string> HiddenVariables();

}  // namespace shipmate::app
