#pragma once

// Text in UTF-8: repair, code points ("runes", the seed's word), quoting, trimming, splitting, edit distance.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace shipmate::base {

/// One decoded step of a text: the code point at its start and the bytes it took. An invalid byte counts as one code
/// point of length 1, U+FFFD, with `valid` false (overlong forms, surrogates and values over U+10FFFF are invalid).
struct Rune {
  char32_t value = 0xFFFD;
  std::size_t length = 1;
  bool valid = false;
};

/// REQUIRES: text is not empty.
Rune DecodeRune(std::string_view text);
/// Appends `value` as UTF-8. Surrogates and values over U+10FFFF become U+FFFD.
void AppendRune(std::string& out, char32_t value);

/// Number of code points; each invalid byte counts as one.
std::size_t RuneCount(std::string_view text);
/// `text` with each invalid byte replaced by U+FFFD: always valid UTF-8, same RuneCount.
std::string RepairUtf8(std::string_view text);
bool IsValidUtf8(std::string_view text);
/// The last `count` code points of `text`, as a view into it; all of it when it has fewer.
std::string_view LastRunes(std::string_view text, std::size_t count);
/// The first `count` code points of `text`, as a view into it.
std::string_view FirstRunes(std::string_view text, std::size_t count);

/// Go's %q: double quotes around, with `"`, `\`, control, non-printing, bidi and zero-width characters escaped
/// (`\n`, `\x1b`, `\u202e`); invalid bytes as `\xff`.
std::string Quote(std::string_view text);
/// Control characters (C0, DEL, C1), bidi controls and invalid bytes escaped as by Quote, without the quotes: the text
/// stays one line.
std::string EscapeControls(std::string_view text);
/// Non-ASCII, control and invisible characters as `\u0430`: what a person sees when two names only look alike.
std::string EscapeNonAscii(std::string_view text);

/// Without leading and trailing ASCII white space.
std::string_view Trim(std::string_view text);
/// ASCII letters to lower case; other bytes are kept.
std::string ToLowerAscii(std::string_view text);
/// Pieces between `separator`s; "" gives one empty piece.
std::vector<std::string_view> Split(std::string_view text, char separator);
std::string Join(const std::vector<std::string>& parts, std::string_view separator);

/// Levenshtein distance in bytes with transposition of neighbours counted as one, given up (returning limit + 1) once
/// it must exceed `limit`.
std::size_t EditDistance(std::string_view a, std::string_view b, std::size_t limit);
/// The candidate nearest to `word` within a third of its length (at least 1, at most 3) edits, ASCII case ignored; ""
/// when none is near enough. The first of equals wins.
std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

/// Shell-like match of a whole name: `*` any run, `?` one byte; nothing else is special.
bool GlobMatch(std::string_view pattern, std::string_view name);

}  // namespace shipmate::base
