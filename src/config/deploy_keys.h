#pragma once

// Reading the keys of a service file that say how it is deployed, and who is asked before.

#include "config/config.h"
#include "config/fields.h"

namespace shipmate::config {

void ReadDeployKeys(Fields& fields, ServiceConfig& service);

}  // namespace shipmate::config
