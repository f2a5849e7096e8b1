#pragma once

// Reads the sections of the chat platforms in config.yaml.

#include <optional>
#include <string>

#include "config/config.h"
#include "config/fields.h"

namespace shipmate::config {

// nullopt when there is no section. Relative paths in it start in `base`.

std::optional<DiscordConfig> ReadDiscord(Fields& root, const std::string& base);
/// `access` is what `access:` says: direct messages are for people whom it names.
std::optional<MattermostConfig> ReadMattermost(Fields& root, const std::string& base,
                                               const std::optional<AccessConfig>& access);

}  // namespace shipmate::config
