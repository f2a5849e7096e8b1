#include <cstddef>
#include <cstdint>
#include <string_view>

#include "check.h"
#include "platforms/mattermost/codec.h"

using namespace shipmate;

// One decoder for all inputs, as on a connection: a broken message must not harm the next one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace mattermost = platforms::mattermost;
  static mattermost::Codec codec;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto frame = codec.Decode(text);
  if (frame && frame->kind == mattermost::Frame::Kind::kEvent) {
    fuzz::Demand(!frame->event.empty(), "an event has a name");
    const std::string_view body = frame->data;
    const auto post = codec.ReadPost(body);
    if (post) {
      fuzz::Demand(!post->post.id.empty() && !post->post.user_id.empty(), "a post has its ids");
      fuzz::Demand(base::IsValidUtf8(post->post.message), "a message is valid UTF-8");
    }
    const auto reaction = codec.ReadReaction(body);
    if (reaction) fuzz::Demand(!reaction->emoji.empty(), "a reaction has a name");
    fuzz::Demand(codec.ReadField(body, "team_id").size() <= size, "a field is no longer than what it stands in");
  }
  const auto sound = codec.Decode(R"({"status":"OK","seq_reply":4,"data":{"server_time":9}})");
  fuzz::Demand(sound.has_value() && sound->replies_to == 4 && sound->server_time == 9, "the next message is read");
  return 0;
}
