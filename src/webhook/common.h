#pragma once

// What the codecs of the forges share.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/http_types.h"
#include "webhook/secrets.h"

namespace shipmate::webhook {

/// The keys of a commit that list files, alike for all forges.
extern const std::vector<std::string_view> kTouched;

/// The value of a header that must be there exactly once: of two, a proxy and we might believe different ones.
Result<std::string_view> OnlyHeader(const net::HttpRequest& request, std::string_view name);

/// kAuth unless `hex`, of the header `name`, signs `body`.
Result<void> CheckHex(std::string_view hex, std::string_view name, std::string_view body, Secrets& secrets);

}  // namespace shipmate::webhook
