#pragma once

// What goes to Mattermost's REST API and comes back, as text and as values. Pure.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/message.h"
#include "net/http_types.h"

namespace shipmate::platforms::mattermost {

/// What a post of ours says, and how it looks.
struct PostLook {
  /// Of a success or failure the first line is the post's text and the rest stands below it, beside a bar of colour; a
  /// single line stands beside the bar itself.
  std::string text;
  chat::Tone tone = chat::Tone::kNews;
  /// They stay with the post, so that its answers are understood by the next run of the program too.
  std::vector<chat::Choice> choices = {};
};

struct NewPost {
  std::string channel_id;
  /// Must be the first post of its thread; "" for none.
  std::string root_id;
  PostLook look;
  /// The event that it tells.
  std::string key;
  std::vector<std::string> file_ids;
};

/// The body of POST /posts. The key goes along twice: as the id under which the server knows a repeated post for half a
/// minute, and as a property that stays with it.
std::string EncodePost(const NewPost& post, const std::string& own_id);
/// The body of PUT /posts/{id}/patch. The server keeps no property that a patch with properties leaves out, so those of
/// `known`, the post's JSON text, go along.
std::string EncodePatch(const PostLook& look, std::string_view known);
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
