#include "chat/command.h"

#include <fmt/format.h>

#include <optional>

#include "base/text.h"
#include "chat/clean.h"
#include "chat/lookalike.h"

namespace shipmate::chat {

namespace {

constexpr std::size_t kShownRunes = 64;
constexpr std::string_view kBlanks = " \t\v\f";
constexpr std::string_view kBlanksAndLineEnds = " \t\v\f\r\n";

bool IsAsciiLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string_view TrimBlanks(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanksAndLineEnds);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanksAndLineEnds) - first + 1);
}

// `text` without what cannot be seen at its start.
std::string_view SkipUnseen(std::string_view text) {
  while (!text.empty()) {
    const base::Rune rune = base::DecodeRune(text);
    if (!rune.valid || !(IsInvisible(rune.value) || IsOddSpace(rune.value) || kBlanks.contains(text[0]))) break;
    text.remove_prefix(rune.length);
  }
  return text;
}

// What follows something that looks like `prefix` at the start of `text`.
std::optional<std::string_view> AfterLookalike(std::string_view text, std::string_view prefix) {
  while (!prefix.empty()) {
    if (text.empty()) return std::nullopt;
    const base::Rune rune = base::DecodeRune(text);
    const base::Rune wanted = base::DecodeRune(prefix);
    if (!rune.valid || AsciiTwin(rune.value) != AsciiTwin(wanted.value)) return std::nullopt;
    text.remove_prefix(rune.length);
    prefix.remove_prefix(wanted.length);
  }
  return text;
}

enum class Start { kTalk, kCommand, kDisguised };

// Whether `text`, which stands behind the prefix, begins a command.
Start StartsWord(std::string_view text) {
  if (text.empty()) return Start::kTalk;
  if (IsAsciiLetter(text[0])) return Start::kCommand;
  const base::Rune rune = base::DecodeRune(text);
  if (!rune.valid) return Start::kTalk;
  if (IsForeignLetter(rune.value)) return Start::kDisguised;
  if (IsInvisible(rune.value)) {
    const std::string_view seen = SkipUnseen(text);
    return !seen.empty() && IsAsciiLetter(seen[0]) ? Start::kDisguised : Start::kTalk;
  }
  return Start::kTalk;
}

std::string WhyForeign(std::string_view word) {
  // Keyboards of phones make one dash of two hyphens, and typographic quotes of straight ones.
  if (const base::Rune first = base::DecodeRune(word); first.valid && IsDash(first.value)) {
    return "write a flag with two hyphens (--)";
  }
  bool unseen = false;
  for (std::string_view rest = word; !rest.empty();) {
    const base::Rune rune = base::DecodeRune(rest);
    if (rune.valid && IsSmartQuote(rune.value)) return "write straight quotes (\" or ')";
    unseen = unseen || (rune.valid && (IsOddSpace(rune.value) || IsInvisible(rune.value)));
    rest.remove_prefix(rune.length);
  }
  if (unseen) return "it has a blank or a character that is not the ordinary one; type it again";
  const std::string reading = base::RuneCount(word) > kShownRunes ? "" : AsciiReading(word);
  if (reading.empty()) return "names and commands are plain ASCII";
  return fmt::format("names and commands are plain ASCII; for {}, type it again", QuoteShort(reading));
}

// REQUIRES: `word` has a character outside printable ASCII.
BadCommand Foreign(std::string_view word) {
  const std::string shown = Shorten(base::EscapeNonAscii(base::FirstRunes(word, kShownRunes)), kShownRunes);
  return {fmt::format("cannot read \"{}\": {}", shown, WhyForeign(word))};
}

bool IsPrintable(char c) {
  return c >= 0x20 && c <= 0x7E;
}

// The word with the first character outside printable ASCII, or nullopt.
std::optional<BadCommand> FindForeign(std::string_view line) {
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (IsPrintable(line[at]) || kBlanks.contains(line[at])) continue;
    const std::size_t before = line.find_last_of(kBlanks, at);
    const std::size_t start = before == std::string_view::npos ? 0 : before + 1;
    return Foreign(line.substr(start, line.find_first_of(kBlanks, at) - start));
  }
  return std::nullopt;
}

Parsed ParseLine(std::string_view line) {
  if (line.find_first_of("\r\n") != std::string_view::npos) {
    return BadCommand{"one command a message, please: it has more than one line"};
  }
  if (auto foreign = FindForeign(line)) return *std::move(foreign);

  std::vector<std::string> words;
  std::size_t at = line.find_first_not_of(kBlanks);
  while (at != std::string_view::npos) {
    std::string word;
    while (at < line.size() && !kBlanks.contains(line[at])) {
      const char c = line[at];
      if (c != '"' && c != '\'') {
        word.push_back(c);
        ++at;
        continue;
      }
      const std::size_t close = line.find(c, at + 1);
      if (close == std::string_view::npos) return BadCommand{fmt::format("the quote {} is not closed", c)};
      word += line.substr(at + 1, close - at - 1);
      at = close + 1;
    }
    words.push_back(std::move(word));
    at = line.find_first_not_of(kBlanks, at);
  }
  if (words.empty() || words[0].empty()) return BadCommand{"a command starts with its name; try help"};
  Command command{base::ToLowerAscii(words[0]), {}};
  command.arguments.assign(std::make_move_iterator(words.begin() + 1), std::make_move_iterator(words.end()));
  return command;
}

}  // namespace

Parsed ParseCommandText(std::string_view text, const ParseOptions& options) {
  const std::string_view line = TrimBlanks(text);
  if (line.empty()) return NotACommand{};
  const std::string_view prefix = options.prefix;

  if (!prefix.empty() && line.starts_with(prefix)) {
    const std::string_view rest = line.substr(prefix.size());
    if (StartsWord(rest) != Start::kTalk) return ParseLine(rest);
    if (!options.addressed) return NotACommand{};
  }
  if (options.addressed) return SkipUnseen(line).empty() ? Parsed{NotACommand{}} : ParseLine(line);

  if (prefix.empty()) return NotACommand{};
  if (const auto rest = AfterLookalike(SkipUnseen(line), prefix); rest && StartsWord(*rest) != Start::kTalk) {
    const std::string_view start = line.substr(0, line.size() - rest->size());
    return BadCommand{fmt::format("a command starts with {}, not with \"{}\"", QuoteShort(prefix),
                                  Shorten(base::EscapeNonAscii(base::FirstRunes(start, 32)), 64))};
  }
  return NotACommand{};
}

std::string PrintWord(const std::string& word) {
  if (!word.empty() && word.find_first_of(" \t\v\f\"'") == std::string::npos) return word;
  // Pieces in double quotes, and in single ones what holds a double quote.
  std::string printed;
  for (std::size_t at = 0; at < word.size() || printed.empty();) {
    const char quote = at < word.size() && word[at] == '"' ? '\'' : '"';
    const std::size_t end = std::min(word.find(quote, at), word.size());
    printed += quote + word.substr(at, end - at) + quote;
    at = end;
  }
  return printed;
}

std::string PrintCommand(const Command& command) {
  std::string printed = PrintWord(command.verb);
  for (const std::string& argument : command.arguments) printed += " " + PrintWord(argument);
  return printed;
}

}  // namespace shipmate::chat
