#pragma once

// URLs of the schemes we speak: http, https, ws, wss (RFC 3986).

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace shipmate::net {

struct Url {
  std::string scheme;  ///< lower case
  std::string host;    ///< lower case; an IPv6 address without its brackets
  std::uint16_t port = 0;
  /// Path and query as given, starting with "/"; "/" when there was none.
  std::string target = "/";

  bool Secure() const { return scheme == "https" || scheme == "wss"; }
  /// "host:port", with brackets around IPv6, and without the scheme's default port: for the Host header.
  std::string Authority() const;
  /// scheme://authority and target again.
  std::string ToString() const;
  bool operator==(const Url&) const = default;
};

/// kInvalid, naming the text, for anything else (other schemes, no host, user info, a port of 0 or over 65535).
Result<Url> ParseUrl(std::string_view text);

/// Everything but unreserved characters as %XX (RFC 3986 section 2.3).
std::string PercentEncode(std::string_view text);
/// kInvalid for a broken escape.
Result<std::string> PercentDecode(std::string_view text);

}  // namespace shipmate::net
