#pragma once

// Base64 with padding and the alphabet with `+` and `/` (RFC 4648 section 4). Pure functions.

#include <string>
#include <string_view>

#include "base/result.h"

namespace shipmate::net {

std::string Base64Encode(std::string_view bytes);
/// kInvalid for anything but whole groups of four, blanks included.
Result<std::string> Base64Decode(std::string_view text);

}  // namespace shipmate::net
