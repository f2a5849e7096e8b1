#pragma once

// What services say of one another (`after`, `requires`), checked over all files together: every name is a service
// that runs something, and the order they ask for exists.

#include <string>
#include <vector>

#include "config/load.h"
#include "config/yaml.h"

namespace shipmate::config {

enum class Relation { kAfter, kRequires };

/// One name in a list.
struct Dependency {
  Relation relation = Relation::kAfter;
  std::string on;
  Mark mark;
};

/// One service file.
struct Declared {
  std::string path;
  std::string name;
  std::vector<Dependency> dependencies;
  /// False for `type: none`.
  bool runs = true;
};

/// Unknown names, each with the nearest of `names` (all services there are, those whose file is faulty included); names
/// of services that run nothing; and each cycle once, with its path: "api -> db -> api". Every problem begins with its
/// place.
Problems CheckDependencies(const std::vector<Declared>& services, const std::vector<std::string>& names);

}  // namespace shipmate::config
