#include "net/http_message.h"

#include <fmt/format.h>
#include <algorithm>

#include "base/text.h"

namespace shipmate::net {

namespace {

bool IsTokenChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, IsTokenChar);
}

bool IsValueChar(char c) {
  return (static_cast<unsigned char>(c) >= ' ' && c != '\x7f') || c == '\t';
}

}  // namespace

Result<void> CheckHeaders(const Headers& headers) {
  for (const auto& [name, value] : headers) {
    if (!IsToken(name)) return Fail(Errc::kInvalid, fmt::format("header name {} is not valid", base::Quote(name)));
    if (!std::ranges::all_of(value, IsValueChar)) {
      return Fail(Errc::kInvalid, fmt::format("the value of header {} holds a control character", name));
    }
  }
  return {};
}

Result<void> CheckRequest(const HttpRequest& request) {
  if (!IsToken(request.method)) {
    return Fail(Errc::kInvalid, fmt::format("HTTP method {} is not valid", base::Quote(request.method)));
  }
  const bool clean = std::ranges::all_of(request.target, [](char c) { return c > ' ' && c <= '~'; });
  if (!clean || !request.target.starts_with('/')) {
    return Fail(Errc::kInvalid, "an HTTP target must begin with / and have no spaces or control characters");
  }
  return CheckHeaders(request.headers);
}

bool IsFramingField(std::string_view name) {
  const std::string lower = base::ToLowerAscii(name);
  return lower == "host" || lower == "content-length" || lower == "transfer-encoding" || lower == "connection" ||
         lower == "keep-alive" || lower == "upgrade" || lower == "te" || lower == "trailer" || lower == "expect";
}

}  // namespace shipmate::net
