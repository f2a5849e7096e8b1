#pragma once

// Reading `access:` of config.yaml: who has which role, and for what.

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "config/config.h"
#include "config/fields.h"

namespace shipmate::config {

inline constexpr std::array<std::pair<std::string_view, Role>, 3> kRoles = {{
    {"viewer", Role::kViewer},
    {"operator", Role::kOperator},
    {"admin", Role::kAdmin},
}};

std::optional<AccessConfig> ReadAccess(Fields& root);

}  // namespace shipmate::config
