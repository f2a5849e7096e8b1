#include "platforms/mattermost/codec.h"

#include <simdjson.h>

#include "platforms/mattermost/json.h"

namespace shipmate::platforms::mattermost {

namespace {

namespace ondemand = simdjson::ondemand;
using Code = simdjson::error_code;

// Room that is kept from one message to the next; what a big one needed beyond it is given back.
constexpr std::size_t kKeptBuffer = 1024 * 1024;

std::unexpected<Error> Broken(const char* why) {
  return Fail(Errc::kProtocol, std::string("not a message of Mattermost's websocket: ") + why);
}

// ---- Each returns the first error, after which the document must not be touched again. A value of another type than
// wanted is no error but absent. ----

Code ReadText(ondemand::value& value, std::string_view* out) {
  ondemand::json_type type{};
  if (const Code error = value.type().get(type)) return error;
  if (type != ondemand::json_type::string) return simdjson::SUCCESS;
  return value.get_string().get(*out);
}

Code ReadNumber(ondemand::value& value, std::optional<std::int64_t>* out) {
  ondemand::json_type type{};
  if (const Code error = value.type().get(type)) return error;
  if (type != ondemand::json_type::number) return simdjson::SUCCESS;
  ondemand::number number;
  if (const Code error = value.get_number().get(number)) return error;
  if (number.is_int64()) *out = number.get_int64();
  return simdjson::SUCCESS;
}

// The JSON text of an object; anything else is passed over.
Code ReadRaw(ondemand::value& value, std::string_view* out) {
  ondemand::json_type type{};
  if (const Code error = value.type().get(type)) return error;
  if (type != ondemand::json_type::object) return simdjson::SUCCESS;
  ondemand::object object;
  if (const Code error = value.get_object().get(object)) return error;
  return object.raw_json().get(*out);
}

template <class ReadField>
Code EachField(ondemand::object& object, ReadField read) {
  for (auto entry : object) {
    ondemand::field field;
    if (const Code error = std::move(entry).get(field)) return error;
    std::string_view key;
    if (const Code error = field.unescaped_key().get(key)) return error;
    if (const Code error = read(key, field.value())) return error;
  }
  return simdjson::SUCCESS;
}

Code ReadBroadcast(ondemand::value& value, Frame* frame) {
  ondemand::json_type type{};
  if (const Code error = value.type().get(type)) return error;
  if (type != ondemand::json_type::object) return simdjson::SUCCESS;
  ondemand::object object;
  if (const Code error = value.get_object().get(object)) return error;
  return EachField(object, [frame](std::string_view key, ondemand::value field) -> Code {
    if (key == "channel_id") return ReadText(field, &frame->channel_id);
    if (key == "user_id") return ReadText(field, &frame->user_id);
    return simdjson::SUCCESS;
  });
}

}  // namespace

struct Codec::State {
  // The message, followed by the padding that simdjson reads beyond the end.
  std::string buffer;
  ondemand::parser envelope;
  // What an event is about. A post is JSON in a string of it: both are open at the same time.
  Json data;
  Json inner;

  Code ReadEnvelope(std::size_t length, Frame* frame, bool* is_event, std::string_view* status,
                    std::string_view* error);
};

Codec::Codec() : state_(std::make_unique<State>()) {}
Codec::~Codec() = default;

Code Codec::State::ReadEnvelope(std::size_t length, Frame* frame, bool* is_event, std::string_view* status,
                                std::string_view* error_text) {
  ondemand::document document;
  const simdjson::padded_string_view padded(buffer.data(), length, buffer.size());
  if (const Code error = envelope.iterate(padded).get(document)) return error;
  ondemand::object object;
  if (const Code error = document.get_object().get(object)) return error;
  const Code error = EachField(object, [&](std::string_view key, ondemand::value value) -> Code {
    if (key == "event") {
      *is_event = true;
      return ReadText(value, &frame->event);
    }
    if (key == "data") return ReadRaw(value, &frame->data);
    if (key == "broadcast") return ReadBroadcast(value, frame);
    if (key == "seq") return ReadNumber(value, &frame->sequence);
    if (key == "status") return ReadText(value, status);
    if (key == "seq_reply") return ReadNumber(value, &frame->replies_to);
    if (key == "error") return ReadRaw(value, error_text);
    return simdjson::SUCCESS;
  });
  if (error) return error;
  const char* beyond = nullptr;
  if (document.current_location().get(beyond) == simdjson::SUCCESS) return simdjson::TRAILING_CONTENT;
  return simdjson::SUCCESS;
}

Result<Frame> Codec::Decode(std::string_view text) {
  if (state_->buffer.capacity() > kKeptBuffer && text.size() < kKeptBuffer / 4) state_ = std::make_unique<State>();
  state_->buffer.assign(text);
  state_->buffer.append(simdjson::SIMDJSON_PADDING, ' ');
  Frame frame;
  bool is_event = false;
  std::string_view status;
  std::string_view error_text;
  if (const Code error = state_->ReadEnvelope(text.size(), &frame, &is_event, &status, &error_text)) {
    return Broken(simdjson::error_message(error));
  }
  // An event and a reply are told apart by which of the two words is there.
  Json& data = state_->data;
  if (is_event) {
    if (frame.event.empty()) return Broken("an event without a name");
    if (frame.event != "hello" || frame.data.empty()) return frame;
    if (!data.Open(frame.data)) return Broken("a broken hello");
    frame.connection_id = data.Text("connection_id");
    return frame;
  }
  if (status.empty()) return Broken("neither an event nor a reply");
  frame.kind = Frame::Kind::kReply;
  frame.ok = status == "OK";
  if (!error_text.empty()) {
    if (!data.Open(error_text)) return Broken("a broken error");
    frame.error_id = data.Text("id");
    frame.error_status = data.Number("status_code");
  } else if (!frame.data.empty()) {
    if (!data.Open(frame.data)) return Broken("a broken reply");
    frame.server_time = data.Number("server_time");
  }
  return frame;
}

Result<PostEvent> Codec::ReadPost(std::string_view data) {
  if (!state_->data.Open(data)) return Broken("a broken event");
  PostEvent event;
  const std::string_view sender = state_->data.Text("sender_name");
  event.sender = sender.substr(sender.starts_with('@') ? 1 : 0);
  if (!state_->inner.Open(state_->data.Text("post"))) return Broken("a broken post");
  auto post = state_->inner.AsPost();
  if (!post) return Broken("a post without its ids");
  event.post = std::move(*post);
  return event;
}

Result<Reaction> Codec::ReadReaction(std::string_view data) {
  if (!state_->data.Open(data)) return Broken("a broken event");
  if (!state_->inner.Open(state_->data.Text("reaction"))) return Broken("a broken reaction");
  auto reaction = state_->inner.AsReaction();
  if (!reaction) return Broken("a reaction without its ids");
  return std::move(*reaction);
}

std::string Codec::ReadField(std::string_view data, std::string_view name) {
  return state_->data.Open(data) ? std::string(state_->data.Text(name)) : "";
}

}  // namespace shipmate::platforms::mattermost
