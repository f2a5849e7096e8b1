#pragma once

// The text of a JSON string (RFC 8259 section 7), forgiving in one thing: a lone surrogate (\ud800), which a person can
// send and simdjson refuses, becomes U+FFFD. Pure.

#include <optional>
#include <string>
#include <string_view>

namespace shipmate::platforms::discord {

/// `text` begins behind the opening quote; what follows the closing quote does not matter. nullopt for a broken escape
/// or a missing end.
std::optional<std::string> UnescapeJsonString(std::string_view text);

}  // namespace shipmate::platforms::discord
