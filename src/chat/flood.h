#pragma once

// Flood: many notices that wait, told as one message.

#include <string>
#include <vector>

#include "chat/message.h"
#include "chat/outgoing_queue.h"

namespace shipmate::chat {

/// A message that tells how many notices `items` (oldest first) are, with a line for each: failures before other news,
/// of each the newest first.
Message SummaryOf(const std::vector<OutgoingItem>& items);
/// All of them in order, a line each, with their times: for a file.
std::string ListOf(const std::vector<OutgoingItem>& items);

}  // namespace shipmate::chat
