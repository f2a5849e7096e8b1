#pragma once

// Discord as a chat::Frontend: people's messages in the configured channels come in by the gateway, answers and notices
// go out by REST. All of Discord that the rest of the program sees.

#include <memory>
#include <string>

#include "async/task.h"
#include "base/clock.h"
#include "base/secret.h"
#include "chat/frontend.h"
#include "config/config.h"

namespace shipmate::platforms::discord {

/// `state_dir` keeps the count of sessions begun (a file of Discord's own in it); empty = not kept. `prefix` is what a
/// command starts with, for the texts. `clock` must outlive the frontend. What is wrong with the configuration (a URL,
/// a certificate file) is what Run then fails with.
std::unique_ptr<chat::Frontend> CreateDiscord(Executor executor, config::DiscordConfig config, base::Secret token,
                                              const std::string& state_dir, const base::Clock& clock,
                                              std::string prefix);

}  // namespace shipmate::platforms::discord
