#include "platforms/mattermost/dialect.h"

#include <algorithm>

#include "base/text.h"
#include "chat/clean.h"

namespace shipmate::platforms::mattermost {

namespace {

// Invisible, and enough to keep Mattermost from seeing one thing in what it parts.
constexpr std::string_view kBreak = "\u200B";
constexpr std::string_view kCut = "(shortened)";
constexpr std::size_t kShortestFence = 3;

// Characters that act wherever they stand, and that a backslash quiets.
bool ActsAnywhere(char c) {
  return std::string_view("\\`*_[]~|").find(c) != std::string_view::npos;
}
// Headings, quotes and lists, which act at the start of a line only.
bool ActsAtStart(char c) {
  return std::string_view("#>-+").find(c) != std::string_view::npos;
}
// Mentions, hashtags, emoji, character references: they heed no backslash.
bool Begins(char c, char next) {
  const bool letter = (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z') || (next >= '0' && next <= '9') ||
                      static_cast<unsigned char>(next) >= 0x80;
  if (c == '@') return true;
  if (c == '#') return letter;
  if (c == ':') return letter || next == '+' || next == '-' || next == '/';
  return c == '&' && (letter || next == '#');
}

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

std::string OneLine(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(line, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return line;
}

std::size_t LongestRun(std::string_view text) {
  std::size_t longest = 0;
  std::size_t run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

}  // namespace

std::string MattermostDialect::Escape(std::string_view text) const {
  const std::string line = OneLine(text);
  std::string out;
  out.reserve(line.size() + line.size() / 8);
  const std::size_t start = line.find_first_not_of(' ');
  const std::size_t number_end = line.find_first_not_of("0123456789", std::min(start, line.size()));
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool ends_list_number = (c == '.' || c == ')') && i == number_end && i > start && IsDigit(line[start]);
    if (ActsAnywhere(c) || (i == start && ActsAtStart(c)) || ends_list_number) out += '\\';
    out += c;
    if (i + 1 < line.size() && Begins(c, line[i + 1])) out += kBreak;
  }
  // Whatever follows in the line must not make a name of it.
  if (line.ends_with('@')) out += kBreak;
  return out;
}

std::string MattermostDialect::Bold(std::string_view text) const {
  return text.empty() ? "" : "**" + Escape(text) + "**";
}

std::string MattermostDialect::Code(std::string_view text) const {
  const std::string line = OneLine(text);
  if (line.empty()) return "";
  const std::string run(LongestRun(line) + 1, '`');
  const bool pad = line.starts_with('`') || line.ends_with('`');
  return pad ? run + " " + line + " " + run : run + line + run;
}

std::string MattermostDialect::Link(std::string_view text, std::string_view url) const {
  if (!url.starts_with("https://") && !url.starts_with("http://")) return Escape(text);
  return "[" + Escape(text) + "](" + chat::EncodeLinkTarget(url) + ")";
}

std::string MattermostDialect::Fence(std::string_view escaped) const {
  const std::string fence(std::max(kShortestFence, LongestRun(escaped) + 1), '`');
  std::string out = fence;
  out += '\n';
  out += escaped;
  out += '\n';
  out += fence;
  return out;
}

std::string ShorterText(const std::string& text, std::size_t limit) {
  if (base::RuneCount(text) <= limit) return text;
  const MattermostDialect dialect;
  const std::size_t last_line = text.rfind('\n');
  if (last_line != std::string::npos) {
    const std::string fence = text.substr(last_line + 1);
    const bool is_fence = fence.size() >= kShortestFence && fence.find_first_not_of('`') == std::string::npos;
    const std::size_t open = is_fence ? text.find(fence + "\n") : std::string::npos;
    if (open != std::string::npos && open + fence.size() < last_line) {
      const std::string head = text.substr(0, open);
      const std::size_t around = base::RuneCount(head) + kCut.size() + 2 * fence.size() + 3;
      const std::string body = text.substr(open + fence.size() + 1, last_line - open - fence.size() - 1);
      if (around < limit) {
        return head + dialect.Fence(std::string(kCut) + "\n" + std::string(base::LastRunes(body, limit - around)));
      }
      return ShorterText(head, limit);
    }
  }
  std::string_view kept = base::FirstRunes(text, limit > kCut.size() ? limit - kCut.size() - 1 : 0);
  // A cut behind a backslash would make it act on what follows.
  while (kept.ends_with('\\')) kept.remove_suffix(1);
  return std::string(kept) + " " + std::string(kCut);
}

}  // namespace shipmate::platforms::mattermost
