#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace shipmate::base {

namespace {

constexpr char32_t kReplacement = 0xFFFD;

unsigned char Byte(char c) {
  return static_cast<unsigned char>(c);
}

bool IsControl(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0);
}

// Bidirectional controls (Unicode TR 9), zero-width and other invisible formatting characters, line separators, tags.
bool IsInvisible(char32_t c) {
  return c == 0x00AD || c == 0x034F || c == 0x061C || c == 0x180E || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB) ||
         (c >= 0xE0000 && c <= 0xE007F);
}

// Blanks that are not the ASCII space, which look like it.
bool IsOddSpace(char32_t c) {
  return c == 0x00A0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x202F || c == 0x205F || c == 0x3000;
}

void AppendEscape(std::string& out, const Rune& rune, char first_byte) {
  if (!rune.valid) {
    fmt::format_to(std::back_inserter(out), "\\x{:02x}", Byte(first_byte));
    return;
  }
  switch (rune.value) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\a':
      out += "\\a";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\v':
      out += "\\v";
      return;
    default:
      break;
  }
  const auto value = static_cast<std::uint32_t>(rune.value);
  if (value < 0x80) {
    fmt::format_to(std::back_inserter(out), "\\x{:02x}", value);
  } else if (value < 0x10000) {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", value);
  } else {
    fmt::format_to(std::back_inserter(out), "\\U{:08x}", value);
  }
}

template <class MustEscape>
std::string EscapeWhere(std::string_view text, MustEscape must_escape) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Rune rune = DecodeRune(text);
    if (!rune.valid || must_escape(rune.value)) {
      AppendEscape(out, rune, text[0]);
    } else {
      out.append(text.substr(0, rune.length));
    }
    text.remove_prefix(rune.length);
  }
  return out;
}

}  // namespace

Rune DecodeRune(std::string_view text) {
  // Unicode 15, table 3-7: well-formed byte sequences.
  const unsigned char lead = Byte(text[0]);
  if (lead < 0x80) return {lead, 1, true};
  std::size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  char32_t value = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
    value = lead & 0x1FU;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    value = lead & 0x0FU;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    value = lead & 0x07U;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {};
  }
  if (text.size() < length) return {};
  for (std::size_t i = 1; i < length; ++i) {
    const unsigned char next = Byte(text[i]);
    if (next < low || next > high) return {};
    low = 0x80;
    high = 0xBF;
    value = (value << 6) | (next & 0x3FU);
  }
  return {value, length, true};
}

void AppendRune(std::string& out, char32_t value) {
  if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) value = kReplacement;
  const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (value < 0x80) {
    put(value);
  } else if (value < 0x800) {
    put(0xC0 | (value >> 6));
    put(0x80 | (value & 0x3F));
  } else if (value < 0x10000) {
    put(0xE0 | (value >> 12));
    put(0x80 | ((value >> 6) & 0x3F));
    put(0x80 | (value & 0x3F));
  } else {
    put(0xF0 | (value >> 18));
    put(0x80 | ((value >> 12) & 0x3F));
    put(0x80 | ((value >> 6) & 0x3F));
    put(0x80 | (value & 0x3F));
  }
}

std::size_t RuneCount(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(DecodeRune(text).length);
  return count;
}

std::string RepairUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Rune rune = DecodeRune(text);
    if (rune.valid) {
      out.append(text.substr(0, rune.length));
    } else {
      AppendRune(out, kReplacement);
    }
    text.remove_prefix(rune.length);
  }
  return out;
}

bool IsValidUtf8(std::string_view text) {
  while (!text.empty()) {
    const Rune rune = DecodeRune(text);
    if (!rune.valid) return false;
    text.remove_prefix(rune.length);
  }
  return true;
}

std::string_view LastRunes(std::string_view text, std::size_t count) {
  // Forward decoding decides what counts as one: a byte is invalid only in the light of what stands before it.
  const std::size_t total = RuneCount(text);
  for (std::size_t skip = total > count ? total - count : 0; skip > 0; --skip) {
    text.remove_prefix(DecodeRune(text).length);
  }
  return text;
}

std::string_view FirstRunes(std::string_view text, std::size_t count) {
  std::string_view rest = text;
  for (; count > 0 && !rest.empty(); --count) rest.remove_prefix(DecodeRune(rest).length);
  return text.substr(0, text.size() - rest.size());
}

std::string Quote(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const Rune rune = DecodeRune(text);
    if (rune.valid && (rune.value == '"' || rune.value == '\\')) {
      out.push_back('\\');
      out.push_back(text[0]);
    } else if (!rune.valid || IsControl(rune.value) || IsInvisible(rune.value) || IsOddSpace(rune.value)) {
      AppendEscape(out, rune, text[0]);
    } else {
      out.append(text.substr(0, rune.length));
    }
    text.remove_prefix(rune.length);
  }
  out.push_back('"');
  return out;
}

std::string EscapeControls(std::string_view text) {
  return EscapeWhere(text, [](char32_t c) { return IsControl(c) || IsInvisible(c); });
}

std::string EscapeNonAscii(std::string_view text) {
  return EscapeWhere(text, [](char32_t c) { return c >= 0x7F || IsControl(c); });
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n\f\v";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string ToLowerAscii(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  for (;;) {
    const std::size_t at = text.find(separator);
    pieces.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return pieces;
    text.remove_prefix(at + 1);
  }
}

std::string Join(const std::vector<std::string>& parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

std::size_t EditDistance(std::string_view a, std::string_view b, std::size_t limit) {
  const std::size_t longer = std::max(a.size(), b.size());
  const std::size_t shorter = std::min(a.size(), b.size());
  if (longer - shorter > limit) return limit + 1;
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    std::size_t best = row[0];
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, substitution});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
      best = std::min(best, row[j]);
    }
    if (best > limit) return limit + 1;
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return std::min(last[b.size()], limit + 1);
}

std::string Nearest(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string wanted = ToLowerAscii(word);
  const std::size_t limit = std::clamp<std::size_t>(wanted.size() / 3, 1, 3);
  std::string best;
  std::size_t best_distance = limit + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = EditDistance(wanted, ToLowerAscii(candidate), limit);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

bool GlobMatch(std::string_view pattern, std::string_view name) {
  // Greedy with one point of return: the last '*' seen. Linear in practice, never exponential.
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_name = 0;
  while (n < name.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n]) && pattern[p] != '*') {
      ++p;
      ++n;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_name = n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++star_name;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace shipmate::base
