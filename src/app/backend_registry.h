#pragma once

// Which backend runs which kind of service. A new backend is one file pair in service/backends and one row here.

#include "service/backend.h"

namespace shipmate::app {

service::BackendFactory Backends();

}  // namespace shipmate::app
