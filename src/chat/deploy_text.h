#pragma once

// How the news of a deploy reads in a channel.

#include <optional>
#include <string>

#include "chat/message.h"
#include "service/notifier.h"

namespace shipmate::chat {

/// The text of `news` about the service `name` ("" = all); nullopt for what is not worth a message of its own. `prefix`
/// is what a command starts with.
std::optional<Message> DeployNewsText(const std::string& name, const service::DeployNews& news,
                                      const std::string& prefix);

}  // namespace shipmate::chat
