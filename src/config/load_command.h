#pragma once

// What every command file has, a built-in one and a user's own: name, aliases, arguments, help, role, places.

#include "config/config.h"
#include "config/fields.h"

namespace shipmate::config {

/// Reads them into `command`; the caller asks for what else there may be, and finishes.
void ReadCommand(Fields& fields, CommandSpec& command);

}  // namespace shipmate::config
