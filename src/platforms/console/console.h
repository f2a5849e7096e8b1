#pragma once

// The terminal front end: the chat commands, typed. On a terminal it edits lines, keeps a history, completes verbs and
// services, and shows notices above the line; on a pipe it takes one command a line, answers each before it reads the
// next, and shows no notices. End of input ends it.

#include <memory>

#include "base/mask.h"
#include "chat/frontend.h"

namespace shipmate::platforms::console {

/// Reads standard input and writes to standard output; there may be one. Run returns when the input ends.
std::unique_ptr<chat::Frontend> CreateConsole(Executor executor, std::shared_ptr<const base::Masker> masker);

}  // namespace shipmate::platforms::console
