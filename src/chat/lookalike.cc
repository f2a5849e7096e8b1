#include "chat/lookalike.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace shipmate::chat {

namespace {

// After the table of confusables (Unicode Technical Standard 39): the letters that look the same in most fonts, and the
// marks that a command may contain.
constexpr std::array<std::pair<char32_t, char>, 56> kTwins = {{
    {0x00B4, '\''}, {0x0131, 'i'}, {0x01C0, 'l'}, {0x01C3, '!'}, {0x0251, 'a'}, {0x0261, 'g'}, {0x0269, 'i'},
    {0x02D7, '-'},  {0x037E, ';'}, {0x03B1, 'a'}, {0x03B9, 'i'}, {0x03BA, 'k'}, {0x03BD, 'v'}, {0x03BF, 'o'},
    {0x03C1, 'p'},  {0x03C5, 'u'}, {0x0391, 'A'}, {0x0392, 'B'}, {0x0395, 'E'}, {0x0396, 'Z'}, {0x0397, 'H'},
    {0x0399, 'I'},  {0x039A, 'K'}, {0x039C, 'M'}, {0x039D, 'N'}, {0x039F, 'O'}, {0x03A1, 'P'}, {0x03A4, 'T'},
    {0x03A7, 'X'},  {0x0430, 'a'}, {0x0435, 'e'}, {0x043E, 'o'}, {0x0440, 'p'}, {0x0441, 'c'}, {0x0443, 'y'},
    {0x0445, 'x'},  {0x0455, 's'}, {0x0456, 'i'}, {0x0458, 'j'}, {0x04BB, 'h'}, {0x0501, 'd'}, {0x051B, 'q'},
    {0x051D, 'w'},  {0x0410, 'A'}, {0x0412, 'B'}, {0x0415, 'E'}, {0x041A, 'K'}, {0x041C, 'M'}, {0x041D, 'H'},
    {0x041E, 'O'},  {0x0420, 'P'}, {0x0421, 'C'}, {0x0422, 'T'}, {0x0425, 'X'}, {0x2044, '/'}, {0x2215, '/'},
}};

bool Within(char32_t c, char32_t first, char32_t last) {
  return c >= first && c <= last;
}

}  // namespace

bool IsOddSpace(char32_t c) {
  return c == 0x00A0 || c == 0x1680 || Within(c, 0x2000, 0x200A) || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool IsInvisible(char32_t c) {
  return c == 0x00AD || c == 0x034F || c == 0x061C || Within(c, 0x115F, 0x1160) || Within(c, 0x17B4, 0x17B5) ||
         Within(c, 0x180B, 0x180F) || Within(c, 0x200B, 0x200F) || Within(c, 0x202A, 0x202E) ||
         Within(c, 0x2060, 0x206F) || c == 0x2800 || c == 0x3164 || Within(c, 0xFE00, 0xFE0F) || c == 0xFEFF ||
         c == 0xFFA0 || Within(c, 0xE0000, 0xE0FFF);
}

bool IsSmartQuote(char32_t c) {
  return Within(c, 0x2018, 0x201F) || c == 0x00AB || c == 0x00BB;
}

bool IsDash(char32_t c) {
  return Within(c, 0x2010, 0x2015) || c == 0x2212;
}

bool IsForeignLetter(char32_t c) {
  return (Within(c, 0x00C0, 0x1FFF) && c != 0x00D7 && c != 0x00F7) || Within(c, 0x3041, 0x9FFF) ||
         Within(c, 0xAC00, 0xD7A3) || Within(c, 0xFF21, 0xFF3A) || Within(c, 0xFF41, 0xFF5A) ||
         Within(c, 0x1D400, 0x1D7FF);
}

char32_t AsciiTwin(char32_t c) {
  // Blocks "Halfwidth and Fullwidth Forms" and "Mathematical Alphanumeric Symbols" (bold, first alphabet).
  if (Within(c, 0xFF01, 0xFF5E)) return c - 0xFF01 + 0x21;
  if (Within(c, 0x1D400, 0x1D419)) return c - 0x1D400 + 'A';
  if (Within(c, 0x1D41A, 0x1D433)) return c - 0x1D41A + 'a';
  if (c == 0xFE57) return '!';
  if (IsDash(c)) return '-';
  const auto found = std::ranges::find(kTwins, c, &std::pair<char32_t, char>::first);
  return found == kTwins.end() ? c : static_cast<char32_t>(found->second);
}

std::string AsciiReading(std::string_view word) {
  std::string reading;
  while (!word.empty()) {
    const base::Rune rune = base::DecodeRune(word);
    word.remove_prefix(rune.length);
    if (rune.valid && IsInvisible(rune.value)) continue;
    const char32_t twin = AsciiTwin(rune.value);
    if (!rune.valid || twin <= 0x20 || twin > 0x7E) return "";
    reading.push_back(static_cast<char>(twin));
  }
  return reading;
}

}  // namespace shipmate::chat
