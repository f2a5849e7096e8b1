#pragma once

// What goes to Mattermost's REST API and comes back, as text and as values. Pure.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_types.h"

namespace shipmate::platforms::mattermost {

struct NewPost {
  std::string channel_id;
  /// Must be the first post of its thread; "" for none.
  std::string root_id;
  std::string text;
  /// The event that it tells.
  std::string key;
  std::vector<std::string> file_ids;
};

/// The body of POST /posts. The key goes along twice: as the id under which the server knows a repeated post for half a
/// minute, and as a property that stays with it.
std::string EncodePost(const NewPost& post, const std::string& own_id);
/// The body of PUT /posts/{id}/patch: only the text changes; properties left out stay.
std::string EncodePatch(const std::string& text);
std::string EncodeReaction(const std::string& user_id, const std::string& post_id, const std::string& emoji);

struct ApiError {
  /// Mattermost's name for it; messages are in the language of the server. "" when the body was not Mattermost's.
  std::string id;
  /// Cleaned and short.
  std::string message;
};
ApiError DecodeApiError(std::string_view body);

/// How long a 429 asks to wait: its body is no JSON, and X-RateLimit-Reset are seconds.
std::chrono::milliseconds RetryAfter(const net::HttpResponse& response);

}  // namespace shipmate::platforms::mattermost
