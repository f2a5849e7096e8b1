#pragma once

// Which pushes deploy a service: pure decisions by what the push tells and what the service's file says.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "webhook/push.h"

namespace shipmate::webhook {

struct Ruling {
  bool deploys = false;
  /// Why not, with both sides of what was compared; "" when it deploys.
  std::string why;
};

/// nullopt when the push is to another repository than the service's.
std::optional<Ruling> Judge(const Push& push, const config::ServiceConfig& service);

/// Whether a path fits a pattern, both from the top of the repository; a leading slash of the pattern says the same.
/// `*` and `?` stay within one part of the path, `**` stands for any number of parts. A pattern that fits a directory
/// fits everything in it.
bool PathMatches(std::string_view pattern, std::string_view path);

/// Whether the last pattern of the list that fits `name` is one without `!` before it.
bool ListHolds(const std::vector<std::string>& patterns, std::string_view name,
               bool (*matches)(std::string_view pattern, std::string_view name));

}  // namespace shipmate::webhook
