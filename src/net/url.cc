#include "net/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>

#include <fmt/format.h>

#include "base/text.h"

namespace shipmate::net {

namespace {

std::uint16_t DefaultPort(std::string_view scheme) {
  if (scheme == "http" || scheme == "ws") return 80;
  if (scheme == "https" || scheme == "wss") return 443;
  return 0;
}

bool IsAlnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool IsUnreserved(char c) {
  return IsAlnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsIpv6(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

// A DNS name or an IPv4 address. Names with an underscore exist (in container networks), so it is let through.
bool IsHostName(std::string_view host) {
  if (host.empty() || host.size() > 253 || host.front() == '.') return false;
  for (const char c : host) {
    if (!IsAlnum(c) && c != '-' && c != '.' && c != '_') return false;
  }
  return host.find("..") == std::string_view::npos;
}

std::unexpected<Error> Bad(std::string_view text, std::string_view reason) {
  return Fail(Errc::kInvalid, fmt::format("URL {}: {}", base::Quote(text), reason));
}

}  // namespace

std::string Url::Authority() const {
  std::string authority = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != DefaultPort(scheme)) authority += ":" + std::to_string(port);
  return authority;
}

std::string Url::ToString() const {
  return scheme + "://" + Authority() + target;
}

Result<Url> ParseUrl(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return Bad(text, "it must begin with http://, https://, ws:// or wss://");
  std::string_view rest = text.substr(colon + 3);
  const std::size_t authority_end = std::min(rest.find_first_of("/?#"), rest.size());
  std::string_view authority = rest.substr(0, authority_end);
  const std::string_view target = rest.substr(authority_end);
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    // The user information may hold a password, which must not show in an error.
    return Bad(fmt::format("{}://...{}", text.substr(0, colon), rest.substr(at)),
               "a user name or password in a URL is not supported");
  }

  Url url;
  url.scheme = base::ToLowerAscii(text.substr(0, colon));
  url.port = DefaultPort(url.scheme);
  if (url.port == 0) return Bad(text, "the scheme must be http, https, ws or wss");

  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return Bad(text, "the bracket around its IPv6 address is not closed");
    url.host = base::ToLowerAscii(authority.substr(1, close - 1));
    if (!IsIpv6(url.host)) return Bad(text, "there is no IPv6 address between its brackets");
    authority.remove_prefix(close + 1);
  } else {
    const std::size_t end = std::min(authority.find(':'), authority.size());
    if (end == 0) return Bad(text, "it names no host");
    url.host = base::ToLowerAscii(authority.substr(0, end));
    if (!IsHostName(url.host)) return Bad(text, "its host is not a valid name or address");
    authority.remove_prefix(end);
  }
  if (!authority.empty()) {
    if (authority.front() != ':') return Bad(text, "only a port may follow its host");
    authority.remove_prefix(1);
    // An empty port means the default one (RFC 3986 section 3.2.3).
    if (!authority.empty()) {
      unsigned port = 0;
      const auto [end, failure] = std::from_chars(authority.data(), authority.data() + authority.size(), port);
      if (failure != std::errc() || end != authority.data() + authority.size() || port == 0 || port > 65535) {
        return Bad(text, "its port must be a number from 1 to 65535");
      }
      url.port = static_cast<std::uint16_t>(port);
    }
  }

  for (const char c : target) {
    if (c <= ' ' || c > '~') return Bad(text, "spaces, control and non-ASCII characters must be written as %XX");
    if (c == '#') return Bad(text, "a fragment (#...) has no meaning here");
  }
  url.target = target.starts_with('/') ? std::string(target) : "/" + std::string(target);
  return url;
}

std::string PercentEncode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (IsUnreserved(c)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

Result<std::string> PercentDecode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 1 < text.size() ? HexValue(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? HexValue(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return Fail(Errc::kInvalid, fmt::format("decoding {}: % must be followed by two hex digits", base::Quote(text)));
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

}  // namespace shipmate::net
