#pragma once

// Everything that is read before a service is touched: files, and the environment with its secrets.

#include <expected>
#include <string>
#include <vector>

#include "app/handover.h"
#include "app/options.h"
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

/// What our children do not inherit.
std::vector<std::string> HiddenVariables();

}  // namespace shipmate::app
