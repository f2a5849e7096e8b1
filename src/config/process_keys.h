#pragma once

// The keys of a service file that say how its process runs, beyond what runs: variables from files, user, umask,
// priorities, limits; and what follows when it ends.

#include <map>
#include <string>

#include "config/config.h"
#include "config/fields.h"

namespace shipmate::config {

/// `env:`, a mapping of variables to texts.
std::map<std::string, std::string> ReadVariables(Fields& fields);

/// Reads them into `service`, whose `dir` and `env` are read already: `env` wins over the files of `env_file`. Looks
/// into those files and into the user database.
void ReadProcessKeys(Fields& fields, const std::string& base_dir, ServiceConfig& service);

/// `restart`, `backoff`, `start_limit`, `min_uptime`, `success_exit_codes`, `autostart`.
void ReadRestartKeys(Fields& fields, ServiceConfig& service);

/// `schedule` and `timezone`, and what they mean for the keys above. REQUIRES: ReadRestartKeys was called.
void ReadScheduleKeys(Fields& fields, ServiceConfig& service);

/// Warns of the keys that need a process of ours where `service` has none. REQUIRES: its `kind` is decided.
void WarnOfProcessKeys(Fields& fields, const ServiceConfig& service);

}  // namespace shipmate::config
