#pragma once

// Codec: messages of Mattermost's websocket, from JSON to values. Only the envelope of a message is opened; what it is
// about is read when asked for, so that the many events of channels that are not ours cost little. After the first
// error in a document nothing more of it is used. Unknown events and fields are passed over.

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "platforms/mattermost/frame.h"

namespace shipmate::platforms::mattermost {

/// The post of an event, and the name that its author had then.
struct PostEvent {
  Post post;
  /// Without the "@"; "" when not told. For the eye only: a webhook chooses its own.
  std::string sender;
};

class Codec {
 public:
  Codec();
  ~Codec();
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;

  /// kProtocol for what is no message of the socket. The frame's views hold until the next Decode.
  Result<Frame> Decode(std::string_view text);
  /// The post of a `posted`; `data` is Frame::data of the last Decode. The post is JSON inside a string.
  Result<PostEvent> ReadPost(std::string_view data);
  /// The reaction of a `reaction_added`.
  Result<Reaction> ReadReaction(std::string_view data);
  /// A text field of an event's data; "" when there is none.
  std::string ReadField(std::string_view data, std::string_view name);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shipmate::platforms::mattermost
