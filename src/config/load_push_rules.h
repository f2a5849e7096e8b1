#pragma once

// Reads the keys of a service file that say which pushes deploy it.

#include "config/config.h"
#include "config/fields.h"

namespace shipmate::config {

/// `tags` and `paths`.
void ReadPushRules(Fields& fields, ServiceConfig& service);

}  // namespace shipmate::config
