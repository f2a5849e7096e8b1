#include <cstddef>
#include <cstdint>
#include <string_view>

#include "check.h"
#include "platforms/discord/codec.h"

using namespace shipmate;

// One decoder for all inputs, as on a connection: a broken message must not harm the next one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace discord = platforms::discord;
  static discord::Codec codec;
  static const discord::MessageFilter filter{
      .own_id = "1100000000000000001", .guild_id = "330000000000000003", .channels = {"440000000000000004"}};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto frame = codec.Decode(text);
  if (frame && !frame->data.empty()) {
    const auto message = codec.Read(frame->data, filter);
    if (message && message->kind == discord::ReadMessage::Kind::kForUs) {
      fuzz::Demand(message->incoming.channel == "440000000000000004", "only configured channels are heard");
      fuzz::Demand(message->incoming.actor.id != filter.own_id, "nobody hears himself");
      fuzz::Demand(!message->incoming.message_id.empty(), "a message has an id");
    }
  }
  const auto sound = codec.Decode(R"({"t":null,"s":null,"op":11,"d":null})");
  fuzz::Demand(sound.has_value() && sound->op == discord::opcode::kHeartbeatAck, "the next message is read");
  return 0;
}
