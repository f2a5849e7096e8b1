#pragma once

// Reads the `health:` section of a service file.

#include "config/config.h"
#include "config/fields.h"

namespace shipmate::config {

/// Reports every key that is wrong, and unless exactly one of `http`, `tcp` and `exec` is there.
HealthConfig ReadHealth(Fields& fields);

}  // namespace shipmate::config
