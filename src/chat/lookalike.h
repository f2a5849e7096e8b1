#pragma once

// Characters that pass for ASCII ones: what a phone's keyboard, a copied text or somebody with a plan puts in place of
// what was meant. Nothing is ever accepted in their stead; they are only recognised, so that a refusal can help.

#include <string>
#include <string_view>

namespace shipmate::chat {

/// Blanks other than the ASCII ones: no-break, em, ideographic.
bool IsOddSpace(char32_t c);
/// What shows as nothing at all: zero-width characters, bidi controls, variation selectors, fillers, tags.
bool IsInvisible(char32_t c);
/// Typographic quotation marks.
bool IsSmartQuote(char32_t c);
/// Dashes and minus signs other than the ASCII hyphen.
bool IsDash(char32_t c);
/// A letter of another script, as against punctuation and emoji: what somebody may have typed for a word.
bool IsForeignLetter(char32_t c);

/// The ASCII character that `c` is or is easily taken for; `c` itself when there is none.
char32_t AsciiTwin(char32_t c);
/// `word` as it reads: twins in place of their lookalikes, without what is invisible; "" when that is not all printable
/// ASCII.
std::string AsciiReading(std::string_view word);

}  // namespace shipmate::chat
