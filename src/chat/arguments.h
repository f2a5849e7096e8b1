#pragma once

// Binding what was typed to what a command takes, by the command's row in the table: services exist and are allowed
// here, globs are expanded, numbers are numbers. All or nothing: one wrong word, and the answer is about that.

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "chat/command.h"
#include "chat/dispatcher.h"
#include "chat/message.h"

namespace shipmate::chat {

struct Bound {
  /// Sorted, each once. Empty only where the command can go without.
  std::vector<std::string> services;
  std::optional<std::size_t> number;
  /// A verb or a plain word, as typed.
  std::string word;
};

/// `services` are all that exist, sorted. The unexpected value is the answer.
std::expected<Bound, Message> BindArguments(const config::CommandSpec& spec, const Command& command,
                                            const std::vector<std::string>& services, const Scope& scope,
                                            const Verbs& verbs);

/// "usage: restart <service>...", with `why` below it where that is not empty.
Message Usage(const config::CommandSpec& spec, std::string why);

}  // namespace shipmate::chat
