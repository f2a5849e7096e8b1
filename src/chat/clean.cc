#include "chat/clean.h"

#include "base/text.h"

namespace shipmate::chat {

namespace {

constexpr std::size_t kQuoteLimit = 64;
constexpr std::string_view kDots = "...";

constexpr char32_t kEscape = 0x1B;
constexpr char32_t kControlSequence = 0x9B;

// The C1 forms of DCS, SOS, OSC, PM and APC (ECMA-48 section 8.3), whose text runs up to a terminator.
bool OpensString(char32_t c) {
  return c == 0x90 || c == 0x98 || c == 0x9D || c == 0x9E || c == 0x9F;
}

// Controls that reorder the text around them (Unicode TR 9), and line separators that are none of ours.
bool IsReordering(char32_t c) {
  return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

bool IsControl(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0);
}

// Length of the rest of a control sequence (ECMA-48 section 5.4): parameters, intermediates, one final byte.
std::size_t ControlSequenceRest(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && text[at] >= 0x20 && text[at] <= 0x3F) ++at;
  return at < text.size() && text[at] >= 0x40 && text[at] <= 0x7E ? at + 1 : at;
}

// Length of the rest of a control string: up to BEL or ST. An unfinished one ends with its line: output that opens one
// by accident must not swallow all that follows.
std::size_t ControlStringRest(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\a') return at + 1;
    if (text[at] == '\n') return at;
    if (text.substr(at).starts_with("\x1b\\") || text.substr(at).starts_with("\xc2\x9c")) return at + 2;
  }
  return text.size();
}

// Length of the escape sequence that `text` starts with.
std::size_t EscapeLength(std::string_view text) {
  if (text.size() < 2) return text.size();
  switch (text[1]) {
    case '[':
      return 2 + ControlSequenceRest(text.substr(2));
    case ']':
    case 'P':
    case 'X':
    case '^':
    case '_':
      return 2 + ControlStringRest(text.substr(2));
    default:
      break;
  }
  std::size_t at = 1;
  while (at < text.size() && text[at] >= 0x20 && text[at] <= 0x2F) ++at;
  return at < text.size() && text[at] >= 0x30 && text[at] <= 0x7E ? at + 1 : at;
}

// Length of what needs no look: printable ASCII and line ends.
std::size_t PlainRun(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && ((text[at] >= 0x20 && text[at] <= 0x7E) || text[at] == '\n')) ++at;
  return at;
}

}  // namespace

std::string CleanBlock(std::string_view output) {
  std::string clean;
  clean.reserve(output.size());
  while (!output.empty()) {
    if (const std::size_t plain = PlainRun(output); plain > 0) {
      clean.append(output.substr(0, plain));
      output.remove_prefix(plain);
      continue;
    }
    const base::Rune rune = base::DecodeRune(output);
    std::size_t length = rune.length;
    if (!rune.valid) {
      base::AppendRune(clean, rune.value);
    } else if (rune.value == kEscape) {
      length = EscapeLength(output);
    } else if (rune.value == kControlSequence) {
      length += ControlSequenceRest(output.substr(length));
    } else if (OpensString(rune.value)) {
      length += ControlStringRest(output.substr(length));
    } else if (rune.value == '\r') {
      while (length < output.size() && output[length] == '\r') ++length;
      if (length >= output.size() || output[length] != '\n') clean.push_back('\n');
    } else if (rune.value == '\n' || rune.value == '\t') {
      clean.push_back(output[0]);
    } else if (IsReordering(rune.value)) {
      clean += base::EscapeControls(output.substr(0, length));
    } else if (!IsControl(rune.value)) {
      clean.append(output.substr(0, length));
    }
    output.remove_prefix(length);
  }
  clean.erase(clean.find_last_not_of('\n') + 1);
  return clean;
}

std::string_view LastLines(std::string_view text, std::size_t count) {
  if (count == 0) return {};
  std::size_t at = text.size();
  if (text.ends_with('\n')) --at;
  while (at > 0) {
    at = text.rfind('\n', at - 1);
    if (at == std::string_view::npos) return text;
    if (--count == 0) return text.substr(at + 1);
  }
  return text;
}

std::size_t CountLines(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += c == '\n' ? 1 : 0;
  return count + (text.empty() || text.ends_with('\n') ? 0 : 1);
}

std::string QuoteShort(std::string_view text) {
  std::size_t kept = kQuoteLimit;
  std::string quoted = base::Quote(base::FirstRunes(text, kept + 1));
  while (base::RuneCount(quoted) > kQuoteLimit) {
    quoted = base::Quote(std::string(base::FirstRunes(text, --kept)).append(kDots));
  }
  return quoted;
}

std::string Shorten(std::string_view text, std::size_t limit) {
  if (base::RuneCount(text) <= limit) return std::string(text);
  return std::string(base::FirstRunes(text, limit > kDots.size() ? limit - kDots.size() : 0)).append(kDots);
}

std::string EncodeLinkTarget(std::string_view url) {
  std::string target;
  for (const char c : url) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7F || std::string_view("<>()[]\\`*_~|\"").find(c) != std::string_view::npos) {
      constexpr std::string_view kHex = "0123456789ABCDEF";
      target += '%';
      target += kHex[byte >> 4U];
      target += kHex[byte & 15U];
    } else {
      target += c;
    }
  }
  return target;
}

}  // namespace shipmate::chat
