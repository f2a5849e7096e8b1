#pragma once

// Checks on the parts of an HTTP message that are ours to send: what would break the message's framing, or smuggle a
// second one into it, is refused (RFC 9110 sections 5.1, 5.5 and 9.1). Internal to net.

#include <string_view>

#include "base/result.h"
#include "net/http_types.h"

namespace shipmate::net {

/// kInvalid, naming the part but not its value, which may be a secret.
Result<void> CheckRequest(const HttpRequest& request);
Result<void> CheckHeaders(const Headers& headers);

/// Whether the field tells how the message is framed, or lives for one connection only: these are ours to set.
bool IsFramingField(std::string_view name);

}  // namespace shipmate::net
