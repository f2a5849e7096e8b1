#include "platforms/discord/dialect.h"

#include <algorithm>

#include "base/text.h"
#include "chat/clean.h"

namespace shipmate::platforms::discord {

namespace {

// Invisible, and enough to keep Discord from seeing one thing in what it parts.
constexpr std::string_view kBreak = "\u200B";
constexpr std::string_view kFence = "```";
constexpr std::string_view kCut = "(shortened)";

// Characters that act wherever they stand.
bool ActsAnywhere(char c) {
  return std::string_view("\\*_~`|<[]").find(c) != std::string_view::npos;
}

// Headings, quotes, lists and small print, which act at the start of a line only.
bool ActsAtStart(char c) {
  return std::string_view("#>-+").find(c) != std::string_view::npos;
}

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool StartsWithWord(std::string_view text, std::string_view word) {
  return base::ToLowerAscii(text.substr(0, word.size())) == word;
}

std::string OneLine(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(line, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return line;
}

std::size_t Utf16Units(std::string_view text) {
  std::size_t units = 0;
  while (!text.empty()) {
    const base::Rune rune = base::DecodeRune(text);
    units += rune.value > 0xFFFF ? 2 : 1;
    text.remove_prefix(rune.length);
  }
  return units;
}

// The longest start, or end, of `text` within `units` UTF-16 units.
std::string_view FirstUnits(std::string_view text, std::size_t units) {
  std::size_t kept = std::min(units, base::RuneCount(text));
  while (Utf16Units(base::FirstRunes(text, kept)) > units) --kept;
  return base::FirstRunes(text, kept);
}
std::string_view LastUnits(std::string_view text, std::size_t units) {
  std::size_t kept = std::min(units, base::RuneCount(text));
  while (Utf16Units(base::LastRunes(text, kept)) > units) --kept;
  return base::LastRunes(text, kept);
}

}  // namespace

std::string DiscordDialect::Escape(std::string_view text) const {
  const std::string line = OneLine(text);
  std::string out;
  out.reserve(line.size() + line.size() / 8);
  const std::size_t start = line.find_first_not_of(' ');
  const std::size_t number_end = line.find_first_not_of("0123456789", std::min(start, line.size()));
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const std::string_view rest = std::string_view(line).substr(i + 1);
    const bool ends_list_number = c == '.' && i == number_end && i > start && IsDigit(line[start]);
    // Without its slashes no address becomes a link, in which the backslashes put here would show.
    const bool in_address = c == '/' && i > 0 && line[i - 1] == ':';
    if (ActsAnywhere(c) || (i == start && ActsAtStart(c)) || ends_list_number || in_address) out += '\\';
    out += c;
    const bool pings = c == '@' && (StartsWithWord(rest, "everyone") || StartsWithWord(rest, "here"));
    if (pings || (c == '<' && rest.starts_with('@'))) out += kBreak;
  }
  return out;
}

std::string DiscordDialect::Bold(std::string_view text) const {
  return text.empty() ? "" : "**" + Escape(text) + "**";
}

std::string DiscordDialect::Code(std::string_view text) const {
  const std::string line = OneLine(text);
  if (line.empty()) return "";
  if (line.find('`') == std::string::npos) return "`" + line + "`";
  // Two backticks around, and never two together inside.
  return "`` " + EscapeForBlock(line) + " ``";
}

std::string DiscordDialect::Link(std::string_view text, std::string_view url) const {
  if (!url.starts_with("https://") && !url.starts_with("http://")) return Escape(text);
  // The angle brackets keep Discord from adding a preview.
  return "[" + Escape(text) + "](<" + chat::EncodeLinkTarget(url) + ">)";
}

std::string DiscordDialect::EscapeForBlock(std::string_view text) const {
  // Within a block there are no escapes: three backticks end it, whatever stands before them.
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '`' && out.ends_with('`')) out += kBreak;
    out += c;
  }
  return out;
}

std::string DiscordDialect::Fence(std::string_view escaped) const {
  std::string out(kFence);
  out += '\n';
  out += escaped;
  out += '\n';
  out += kFence;
  return out;
}

std::string ShorterText(std::string_view text, std::size_t limit) {
  if (Utf16Units(text) <= limit) return std::string(text);
  const std::string opening = std::string(kFence) + "\n";
  const std::string closing = "\n" + std::string(kFence);
  const std::size_t open = text.find(opening);
  if (open != std::string_view::npos && text.ends_with(closing) && open + opening.size() < text.size()) {
    const std::string_view head = text.substr(0, open + opening.size());
    const std::string note = std::string(kCut) + "\n";
    const std::size_t around = Utf16Units(head) + note.size() + closing.size();
    if (around < limit) {
      std::string_view body = text.substr(head.size());
      body.remove_suffix(std::min(body.size(), closing.size()));
      return std::string(head) + note + std::string(LastUnits(body, limit - around)) + closing;
    }
    text = text.substr(0, open);
  }
  std::string_view kept = FirstUnits(text, limit > kCut.size() ? limit - kCut.size() - 1 : 0);
  // A cut behind a backslash would make it act on what follows.
  while (kept.ends_with('\\')) kept.remove_suffix(1);
  return std::string(kept) + " " + std::string(kCut);
}

}  // namespace shipmate::platforms::discord
