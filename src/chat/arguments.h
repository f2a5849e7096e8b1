#pragma once

// Binding what was typed to what a command takes, by the command's row in the table: services exist and are allowed
// here, globs are expanded, numbers are numbers. Flags may stand anywhere: `--grep x`, `--grep=x`, `-n 50`, `-n50`;
// `--` ends them. All or nothing: one wrong word, and the answer is about that.

#include <chrono>
#include <cstddef>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "chat/command.h"
#include "chat/message.h"
#include "chat/scope.h"
#include "chat/verbs.h"

namespace shipmate::chat {

/// What was given with a flag, by its kind.
struct FlagValue {
  std::string text;
  std::size_t number = 0;
  std::chrono::milliseconds duration{0};
};

struct Bound {
  /// Sorted, each once. Empty only where the command can go without.
  std::vector<std::string> services;
  std::optional<std::size_t> number;
  /// A verb or a plain word, as typed.
  std::string word;
  /// What was given for each argument, by its name; the services of a pattern one by one.
  std::map<std::string, std::vector<std::string>> values;
  /// By long name. A flag that stands for an argument is not here but there.
  std::map<std::string, FlagValue> flags;

  const FlagValue* Flag(const std::string& name) const {
    const auto found = flags.find(name);
    return found == flags.end() ? nullptr : &found->second;
  }
};

/// `services` are all that exist, sorted. The unexpected value is the answer.
std::expected<Bound, Message> BindArguments(const config::CommandSpec& spec, const Command& command,
                                            const std::vector<std::string>& services, const Scope& scope,
                                            const Verbs& verbs);

/// "usage: restart <service>...", with `why` below it where that is not empty.
Message Usage(const config::CommandSpec& spec, std::string why);

}  // namespace shipmate::chat
