#pragma once

// Keyed and plain digests, and comparing them: for signatures over bodies as they came. Pure functions, no state.

#include <string>
#include <string_view>

namespace shipmate::net {

/// HMAC-SHA256 (RFC 2104) as 64 lower-case hex digits.
std::string HmacSha256Hex(std::string_view key, std::string_view message);
std::string Sha256Hex(std::string_view message);
/// Whether both are equal, in time that depends on the lengths only.
bool EqualConstantTime(std::string_view a, std::string_view b);

}  // namespace shipmate::net
