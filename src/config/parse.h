#pragma once

// Settings from a text that was read already: the second half of LoadServices and LoadConfig.

#include <string>
#include <string_view>

#include "config/load.h"

namespace shipmate::config {

/// `path` is for the texts of problems and warnings; `name` is the service's.
LoadResult<ServiceConfig> ParseService(const std::string& path, const std::string& name, std::string_view text,
                                       const std::string& base_dir);

/// config.yaml as text; `base_dir` is the directory it would lie in.
LoadResult<Config> ParseConfig(const std::string& path, std::string_view text, const std::string& base_dir);

}  // namespace shipmate::config
