#pragma once

// What Mattermost's websocket and its REST API say, as far as we have to know: a message of the socket, a post, a
// reaction (Mattermost, API reference v4, "WebSocket" and "posts"). Plain values.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/message.h"

namespace shipmate::platforms::mattermost {

/// One message of the socket: an event, or the reply to an action of ours. The views hold as long as the decoder's
/// buffer.
struct Frame {
  enum class Kind { kEvent, kReply };
  Kind kind = Kind::kEvent;

  // ---- An event ----
  std::string_view event;
  /// The JSON text of `data`.
  std::string_view data;
  /// broadcast.channel_id; "" where the event belongs to no channel.
  std::string_view channel_id;
  /// broadcast.user_id: the one user it was sent to; "" for all.
  std::string_view user_id;
  /// The event's number on this connection.
  std::optional<std::int64_t> sequence;
  /// Of a `hello`.
  std::string_view connection_id;

  // ---- A reply ----
  bool ok = false;
  std::optional<std::int64_t> replies_to;
  std::string_view error_id;
  std::int64_t error_status = 0;
  /// The server's clock in Unix milliseconds, of the reply to a ping; 0 = not told.
  std::int64_t server_time = 0;
};

struct Post {
  std::string id;
  std::string channel_id;
  std::string user_id;
  /// The first post of its thread; "" when it is none's answer.
  std::string root_id;
  /// Not empty: a former state of an edited post.
  std::string original_id;
  std::string message;
  /// "" for what people write; "system_join_channel" and the like.
  std::string type;
  /// Unix milliseconds by the server's clock.
  std::int64_t create_at = 0;
  std::int64_t edit_at = 0;
  std::int64_t delete_at = 0;
  /// Written by a webhook, a bot, a plugin or an application, whatever user_id it bears.
  bool automated = false;
  /// The event that a post of ours tells; "" for others' posts.
  std::string key;
  /// The answers that it asks for; of a post of ours, where alone they count.
  std::vector<chat::Choice> choices;
  bool operator==(const Post&) const = default;
};

struct Reaction {
  std::string user_id;
  std::string post_id;
  /// Without colons.
  std::string emoji;
  std::int64_t create_at = 0;
  bool operator==(const Reaction&) const = default;
};

struct User {
  std::string name;
  bool bot = false;
  bool operator==(const User&) const = default;
};

}  // namespace shipmate::platforms::mattermost
