#pragma once

// What goes to Discord's REST and comes back, as text and as values. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_types.h"
#include "platforms/discord/frame.h"
#include "platforms/discord/rate_limit.h"

namespace shipmate::platforms::discord {

/// The body of POST /channels/{id}/messages. No mention in it pings anyone. `reply_to` may be empty.
std::string EncodeMessage(const std::string& content, const std::string& nonce, const std::string& reply_to);

/// At most 25 characters, the same for the same event and channel after a restart too: Discord posts a message of one
/// nonce once (Discord, Create Message, enforce_nonce).
std::string NonceOf(const std::string& key, const std::string& channel);

/// GET /gateway/bot; nullopt for anything else.
std::optional<GatewayInfo> DecodeGateway(std::string_view body);
/// The `flags` of GET /applications/@me.
std::optional<std::int64_t> DecodeApplicationFlags(std::string_view body);

struct ApiError {
  std::int64_t code = 0;
  /// Discord's own words, cleaned and short; "" when the body was not Discord's.
  std::string message;
  /// The content was longer than it may be.
  bool too_long = false;
  bool is_json = false;
};
ApiError DecodeApiError(std::string_view body);

RateAnswer DecodeRateAnswer(const net::HttpResponse& response);

}  // namespace shipmate::platforms::discord
