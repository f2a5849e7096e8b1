#pragma once

// What is said of the whole: to systemd while we run, and to whoever is there when we end. Text only; it looks at
// nothing.

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "chat/frontend.h"
#include "service/manager.h"

namespace shipmate::app {

/// "3 of 3 services run; discord connected".
std::string StatusLineOf(std::size_t running, std::size_t total,
                         const std::vector<std::pair<std::string, chat::Health>>& frontends);

/// "Shipmate ended. 1 service goes on running: web (pid 12). The next start takes it over."
std::string WhatGoesOn(const std::vector<service::ServiceView>& views);

}  // namespace shipmate::app
