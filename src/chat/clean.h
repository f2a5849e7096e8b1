#pragma once

// Making foreign text fit to be said: what a program printed, what a person typed, what a forge told. The results are
// valid UTF-8; markup is the dialects' matter.

#include <cstddef>
#include <string>
#include <string_view>

namespace shipmate::chat {

/// Program output as a code block shows it: terminal escape sequences and control characters are taken out (line ends
/// and tabs stay), a carriage return ends a line so that it hides nothing, invalid bytes become U+FFFD, and bidi
/// controls and odd line separators are shown escaped. Line ends at the end are dropped.
std::string CleanBlock(std::string_view output);

/// The last `count` lines of `text`; a line end at its end does not count as a line.
std::string_view LastLines(std::string_view text, std::size_t count);
/// Number of lines in `text`, counted as by LastLines.
std::size_t CountLines(std::string_view text);

/// `text` as base::Quote writes it, at most 64 code points with its quotes: the middle way between saying what was
/// typed and repeating anything at all. Cut text ends in `..."`.
std::string QuoteShort(std::string_view text);
/// The first `limit` code points of `text`, ending in "..." where that cut something.
std::string Shorten(std::string_view text, std::size_t limit);

/// `url` with everything percent-encoded (RFC 3986 section 2.1) that could end or change a link of Markdown: blanks,
/// control and non-ASCII bytes, and characters that mark text up.
std::string EncodeLinkTarget(std::string_view url);

}  // namespace shipmate::chat
