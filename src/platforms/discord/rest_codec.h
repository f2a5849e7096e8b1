#pragma once

// What goes to Discord's REST and comes back, as text and as values. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "chat/frontend.h"
#include "net/http_types.h"
#include "platforms/discord/frame.h"
#include "platforms/discord/rate_limit.h"

namespace shipmate::platforms::discord {

struct RequestBody {
  std::string content_type;
  std::string bytes;
};

/// The body of POST /channels/{id}/messages: JSON, or a form with files (Discord, Uploading Files). No mention in it
/// pings anyone.
RequestBody EncodeMessage(const chat::Outgoing& outgoing, const std::string& nonce);
/// The body of PATCH /channels/{id}/messages/{id}. Without a word on mentions an edit would fall back to pinging.
RequestBody EncodeEdit(const chat::Revision& revision);

/// The id of the message that an answer holds; "" when it holds none.
std::string DecodeMessageId(std::string_view body);

/// A message of GET /channels/{id}/messages.
struct ListedMessage {
  std::string id;
  std::string author_id;
  std::string content;
  std::string reply_to;
};
/// nullopt when `body` is no list of messages.
std::optional<std::vector<ListedMessage>> DecodeMessages(std::string_view body);
/// The messages of such a list as JSON texts, the oldest first, each as MESSAGE_CREATE would bring it but for its
/// server and the author's roles there, which lists do not tell; nullopt when `body` is none.
std::optional<std::vector<std::string>> SplitMessages(std::string_view body);
/// Whether `content`, as Discord keeps it, is `text`, as it was sent: white space and invisible characters, which
/// Discord takes away here and there, do not count.
bool SameText(std::string_view content, std::string_view text);
/// The lowest id that a message of `time` can have (Discord, Snowflakes).
std::string FirstIdOf(base::WallTime time);
/// Whether a message of `id` was posted after one of `than`: ids are numbers of up to 64 bits that grow with time.
bool IsLaterId(const std::string& id, const std::string& than);
/// When a message was posted, by its id; nullopt for what is no id.
std::optional<base::WallTime> TimeOfId(std::string_view id);

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
