#pragma once

// Reload: reads the files anew while we run, and applies what can be applied then: services, commands of the user's
// own, and who may do what. All or nothing: a problem anywhere leaves everything as it is.

#include <string>

#include "async/offload.h"
#include "async/task.h"
#include "chat/access.h"
#include "chat/custom_commands.h"
#include "chat/dispatcher.h"
#include "chat/verbs.h"
#include "config/config.h"
#include "service/manager.h"

namespace shipmate::app {

/// REQUIRES: all that is referred to is there until Reload has completed.
struct ReloadParts {
  std::string config_file;
  /// As it was read at the start.
  const config::Config& running;
  service::Manager& manager;
  chat::Verbs& verbs;
  chat::Access& access;
  chat::CustomCommands& custom;
  async::WorkerPool& pool;
};

/// What else has changed in config.yaml is told in a warning: it needs a start.
Task<chat::ReloadOutcome> Reload(ReloadParts parts);

}  // namespace shipmate::app
