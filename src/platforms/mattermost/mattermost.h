#pragma once

// Mattermost as a chat::Frontend: people's posts in the configured channel come in by the websocket, answers and
// notices go out by REST. All of Mattermost that the rest of the program sees.

#include <memory>

#include "base/clock.h"
#include "base/secret.h"
#include "chat/frontend.h"
#include "config/config.h"

namespace shipmate::platforms::mattermost {

/// `clock` must outlive the frontend. What is wrong with the configuration (a URL, a certificate file) is what Run then
/// fails with. A channel goes by the name that the configuration has for it.
std::unique_ptr<chat::Frontend> CreateMattermost(Executor executor, config::MattermostConfig config, base::Secret token,
                                                 const base::Clock& clock);

}  // namespace shipmate::platforms::mattermost
