#pragma once

// From a line of text to a command, or to the certainty that it is none.

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace shipmate::chat {

/// A command as typed: the verb in lower case, its arguments in order.
struct Command {
  std::string verb;
  std::vector<std::string> arguments;
  bool operator==(const Command&) const = default;
};

/// Ordinary talk: nothing is answered.
struct NotACommand {
  bool operator==(const NotACommand&) const = default;
};

/// It was meant as a command but cannot be one; `why` is the answer.
struct BadCommand {
  std::string why;
  bool operator==(const BadCommand&) const = default;
};

using Parsed = std::variant<NotACommand, Command, BadCommand>;

struct ParseOptions {
  /// What a command starts with in a channel.
  std::string prefix = "!";
  /// The text was addressed to us: the prefix may be left out.
  bool addressed = false;
};

/// A command is the prefix directly followed by a letter, at the very start of the text (blanks before it apart), or
/// any non-blank addressed text. Words are split at ASCII blanks; "..." and '...' keep blanks in one word. The verb's
/// ASCII case is ignored, arguments are exact (docs/commands.md tells it to users). One command a message: a second
/// line is a BadCommand. A word with characters outside printable ASCII is a BadCommand that shows them escaped: two
/// names that only look alike must not pass for each other. So is a text whose start only looks like the prefix (a
/// full-width mark, an invisible character before it). Inside a word, quoted and unquoted pieces join as in a shell;
/// there are no backslash escapes.
Parsed ParseCommandText(std::string_view text, const ParseOptions& options);

/// The words of `command` such that, addressed, they parse to it again; quoted where needed. REQUIRES: printable ASCII.
std::string PrintCommand(const Command& command);
/// One word of it.
std::string PrintWord(const std::string& word);

}  // namespace shipmate::chat
