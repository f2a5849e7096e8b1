#pragma once

// Which backend runs which kind of service. A new backend is one file pair in service/backends and one row in the .cc.

#include <functional>
#include <optional>

#include "service/backend.h"
#include "service/backends/own_unit.h"

namespace shipmate::app {

/// What the program knows of itself as a unit.
struct Ourselves {
  std::optional<service::backends::OwnUnit> unit;
  /// Begins a restart of the program, and returns at once.
  std::function<void()> restart;
};

service::BackendFactory Backends(Ourselves ourselves);

}  // namespace shipmate::app
