#pragma once

// Which chat platforms there are. A new one is one folder in platforms/ and one row in the table of the .cc.

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mask.h"
#include "chat/frontend.h"
#include "config/config.h"

namespace shipmate::app {

struct PlatformContext {
  Executor executor;
  const config::Config& config;
  const config::Env& env;
  const base::Clock& clock;
};

/// A frontend for each platform whose section and token are there. A section without its token is a warning, appended
/// to `warnings`, and no frontend.
std::vector<std::unique_ptr<chat::Frontend>> CreateFrontends(const PlatformContext& context,
                                                             std::vector<std::string>& warnings);

}  // namespace shipmate::app
