#include "webhook/common.h"

#include <fmt/format.h>

namespace shipmate::webhook {

const std::vector<std::string_view> kTouched = {"added", "modified", "removed"};

Result<std::string_view> OnlyHeader(const net::HttpRequest& request, std::string_view name) {
  const std::size_t count = request.headers.Count(name);
  if (count == 0) return Fail(Errc::kAuth, fmt::format("there is no header {}", name));
  if (count > 1) return Fail(Errc::kAuth, fmt::format("there are {} headers {}", count, name));
  return request.headers.Get(name);
}

Result<void> CheckHex(std::string_view hex, std::string_view name, std::string_view body, Secrets& secrets) {
  constexpr std::size_t kDigits = 64;
  if (hex.size() != kDigits) {
    return Fail(Errc::kAuth, fmt::format("{} has {} characters where {} digits belong", name, hex.size(), kDigits));
  }
  if (!secrets.SignedHex(hex, body)) {
    return Fail(Errc::kAuth,
                fmt::format("{} does not fit the body of {} bytes under any of the secrets", name, body.size()));
  }
  return {};
}

}  // namespace shipmate::webhook
