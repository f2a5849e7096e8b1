#pragma once

// How services look in a status answer: all at a glance on a phone's screen, or one in detail. `prefix` is what a
// command starts with where the answer is read. Pure.

#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "chat/message.h"
#include "service/manager.h"

namespace shipmate::chat {

/// One line a service, as long as they are few; of many, those singly that want attention (down though wanted,
/// deploying, last deploy failed), the worst first, and the rest as counts.
Message StatusOverview(std::vector<service::ServiceView> views, std::string_view prefix = "");
Message StatusDetails(const service::ServiceView& view, const base::Clock& clock,
                      const std::optional<service::ServiceUse>& use = std::nullopt, std::string_view prefix = "");

}  // namespace shipmate::chat
