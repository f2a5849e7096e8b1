#pragma once

// The order in which services are started and stopped together: what `after` and `requires` ask for, as a pure list.
// Names that are not in the list do not count; of a circle (which the loader refuses) one wish is dropped, so that an
// order always exists.

#include <cstddef>
#include <string>
#include <vector>

#include "config/config.h"

namespace shipmate::service {

/// One service in order; numbers are places in the list, always earlier ones.
struct Step {
  std::string name;
  /// Done (well or badly) before this begins.
  std::vector<std::size_t> wait_for;
  /// Of these, those that must have gone well.
  std::vector<std::size_t> needs;

  bool operator==(const Step&) const = default;
};

/// Each after all it names by `after` and `requires`; otherwise in the order given.
std::vector<Step> StartOrder(const std::vector<config::ServiceConfig>& services);
/// The reverse: each when all are stopped that name it. Nothing is needed to go well.
std::vector<Step> StopOrder(const std::vector<config::ServiceConfig>& services);

/// `name`, and all that it requires, they too, by name.
std::vector<std::string> WithRequired(const std::vector<config::ServiceConfig>& services, const std::string& name);
/// Who names `name` in `requires`.
std::vector<std::string> Dependants(const std::vector<config::ServiceConfig>& services, const std::string& name);

}  // namespace shipmate::service
