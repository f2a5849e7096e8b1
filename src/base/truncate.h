#pragma once

// Cutting long output down to a platform's message limit. The end is kept: in a log or a failed step, that is where
// the reason stands.

#include <cstddef>
#include <string>
#include <string_view>

namespace shipmate::base {

/// The end of `text` within `budget` code points, behind the marker
/// `... (truncated, N earlier bytes omitted)\n`, where N is the exact number of bytes of `text` not kept. `text` comes
/// back unchanged when it fits. Where the marker alone would fill the budget, the bare last `budget` code points; ""
/// for a budget of zero or less. Never splits a code point. Invalid bytes are first replaced by U+FFFD (each counts as
/// one code point and as one omitted byte), so the result is always valid UTF-8.
std::string TruncateTailToRuneBudget(std::string_view text, long budget);
/// The same for the end of a longer text, of which `before` bytes are gone already: they are counted as omitted.
std::string TruncateTailToRuneBudget(std::string_view text, long budget, std::size_t before);

}  // namespace shipmate::base

namespace shipmate {
using base::TruncateTailToRuneBudget;
}  // namespace shipmate
