#pragma once

// From what a service file says to what its process is started with: environment, settings for the exec helper, and the
// control group.

#include <string>
#include <vector>

#include "os/cgroup.h"
#include "os/exec_settings.h"
#include "service/backend.h"

namespace shipmate::service::backends {

/// The environment of a process of `service` that bears `mark` and runs in `dir`. What describes our own user is left
/// out where it runs as another: the helper fills that in.
std::vector<std::string> EnvironmentOf(const BackendContext& context, const std::string& mark, const std::string& dir);

/// What the helper has to apply; nothing when the service asks for nothing and there is no group to enter. Each limit
/// that cannot be enforced here becomes a line in `warnings`.
os::ExecSettings SettingsOf(const config::ServiceConfig& service, const os::ServiceGroup& group,
                            std::vector<std::string>& warnings);

}  // namespace shipmate::service::backends
