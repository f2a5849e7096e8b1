#pragma once

// Scope: what a command may touch, by the place where it was given and by who gave it.

#include <algorithm>
#include <string>
#include <vector>

namespace shipmate::chat {

struct Scope {
  /// The only services that can be seen and commanded from there; empty = all.
  std::vector<std::string> services;
  /// The channel it was given in.
  std::string channel;

  bool Limited() const { return !services.empty(); }
  bool Has(const std::string& service) const {
    return services.empty() || std::ranges::find(services, service) != services.end();
  }
};

}  // namespace shipmate::chat
