#pragma once

// Codec: gateway messages, from JSON to values. A message is opened lazily: its envelope first, and of an event only
// what is asked for, so that the many events that are not for us cost little. After the first error in a document
// nothing more of it is used. Unknown opcodes, events and fields are passed over: Discord adds them at any time.
// Ids are kept as text, whatever their length.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/frontend.h"
#include "platforms/discord/frame.h"

namespace shipmate::platforms::discord {

/// Whose messages are read.
struct MessageFilter {
  std::string own_id;
  /// Empty = any server.
  std::string guild_id;
  std::vector<std::string> channels;
};

struct ReadMessage {
  enum class Kind {
    kForUs,    ///< a new message by a person in a configured channel
    kIgnored,  ///< anything else
    kEmpty,    ///< as kForUs, but with nothing in it at all: what arrives when the Message Content intent is off
  };
  Kind kind = Kind::kIgnored;
  chat::Incoming incoming;
};

class Codec {
 public:
  Codec();
  ~Codec();
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;

  /// kProtocol for what is no gateway message. The frame's views hold until the next Decode.
  Result<Frame> Decode(std::string_view text);
  /// The message of a MESSAGE_CREATE, if it is for us: not our own, not a bot's or a webhook's, an ordinary message or
  /// a reply (Discord, Message Types 0 and 19), not a forwarded one, in a configured channel. A mention of us at its
  /// start is taken out and makes it addressed. The author's roles are those of `member`, which the server fills in and
  /// the author cannot. `data` is Frame::data of the last Decode.
  Result<ReadMessage> Read(std::string_view data, const MessageFilter& filter);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shipmate::platforms::discord
