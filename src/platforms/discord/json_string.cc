#include "platforms/discord/json_string.h"

#include "base/text.h"

namespace shipmate::platforms::discord {

namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<char32_t> FourHexDigits(std::string_view text) {
  if (text.size() < 4) return std::nullopt;
  char32_t value = 0;
  for (const char c : text.substr(0, 4)) {
    const int digit = HexDigit(c);
    if (digit < 0) return std::nullopt;
    value = value * 16 + static_cast<char32_t>(digit);
  }
  return value;
}

}  // namespace

std::optional<std::string> UnescapeJsonString(std::string_view text) {
  std::string out;
  while (true) {
    const std::size_t plain = text.find_first_of("\"\\");
    if (plain == std::string_view::npos) return std::nullopt;
    out.append(text.substr(0, plain));
    if (text[plain] == '"') return out;
    text.remove_prefix(plain + 1);
    if (text.empty()) return std::nullopt;
    const char escape = text[0];
    text.remove_prefix(1);
    switch (escape) {
      case '"':
      case '\\':
      case '/':
        out += escape;
        break;
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u': {
        const auto first = FourHexDigits(text);
        if (!first) return std::nullopt;
        text.remove_prefix(4);
        char32_t value = *first;
        if (value >= 0xD800 && value < 0xDC00 && text.starts_with("\\u")) {
          const auto second = FourHexDigits(text.substr(2));
          if (!second) return std::nullopt;
          if (*second >= 0xDC00 && *second < 0xE000) {
            value = 0x10000 + ((value - 0xD800) << 10) + (*second - 0xDC00);
            text.remove_prefix(6);
          }
        }
        base::AppendRune(out, value);
        break;
      }
      default:
        return std::nullopt;
    }
  }
}

}  // namespace shipmate::platforms::discord
