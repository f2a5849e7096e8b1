#pragma once

// Reads the `webhook:` section of config.yaml.

#include <optional>
#include <string>

#include "config/config.h"
#include "config/fields.h"

namespace shipmate::config {

/// nullopt when there is no section. Relative paths in it start in `base`.
std::optional<WebhookConfig> ReadWebhook(Fields& root, const std::string& base);

}  // namespace shipmate::config
