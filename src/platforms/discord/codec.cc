#include "platforms/discord/codec.h"

#include <simdjson.h>

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "platforms/discord/json_string.h"

namespace shipmate::platforms::discord {

namespace {

namespace ondemand = simdjson::ondemand;

// Room that is kept from one message to the next; what a big one needed beyond it is given back.
constexpr std::size_t kKeptBuffer = 1024 * 1024;
// A heartbeat interval beyond this is nonsense, and would overflow when added to a time.
constexpr std::int64_t kLongestBeatMs = 24 * 60 * 60 * 1000;
constexpr int kOrdinaryMessage = 0;
constexpr int kReplyMessage = 19;
constexpr std::int64_t kForwardReference = 1;
// A server has at most 250 roles (Discord, "Create Guild Role").
constexpr std::size_t kMostRoles = 250;

std::unexpected<Error> Broken(simdjson::error_code error) {
  return Fail(Errc::kProtocol, std::string("not a gateway message: ") + simdjson::error_message(error));
}

// ---- Reading fields. Each returns the first error, after which the document must not be touched again; a value of
// another type than wanted is no error but absent, since Discord may send null for nearly anything. ----

using Code = simdjson::error_code;

Code ReadText(ondemand::value& value, std::string_view* out) {
  ondemand::json_type type{};
  if (const Code error = value.type().get(type)) return error;
  if (type != ondemand::json_type::string) return simdjson::SUCCESS;
  return value.get_string().get(*out);
}

Code ReadId(ondemand::value& value, std::string* out) {
  std::string_view text;
  const Code error = ReadText(value, &text);
  if (!error) *out = text;
  return error;
}

Code ReadNumber(ondemand::value& value, std::optional<std::int64_t>* out) {
  ondemand::json_type type{};
  if (const Code error = value.type().get(type)) return error;
  if (type != ondemand::json_type::number) return simdjson::SUCCESS;
  ondemand::number number;
  if (const Code error = value.get_number().get(number)) return error;
  if (number.is_int64()) *out = number.get_int64();
  if (number.is_double() && number.get_double() > -9e15 && number.get_double() < 9e15) {
    *out = static_cast<std::int64_t>(number.get_double());
  }
  return simdjson::SUCCESS;
}

Code ReadTruth(ondemand::value& value, bool* out) {
  ondemand::json_type type{};
  if (const Code error = value.type().get(type)) return error;
  if (type != ondemand::json_type::boolean) return simdjson::SUCCESS;
  return value.get_bool().get(*out);
}

// Whether the value is an array or object with something in it.
Code ReadFilled(ondemand::value& value, bool* out) {
  ondemand::json_type type{};
  if (const Code error = value.type().get(type)) return error;
  bool empty = true;
  if (type == ondemand::json_type::array) {
    ondemand::array array;
    if (const Code error = value.get_array().get(array)) return error;
    if (const Code error = array.is_empty().get(empty)) return error;
  } else if (type == ondemand::json_type::object) {
    empty = false;
  }
  if (!empty) *out = true;
  return simdjson::SUCCESS;
}

// The texts of an array of ids, at most `limit`.
Code ReadIds(ondemand::value& value, std::size_t limit, std::vector<std::string>* out) {
  ondemand::json_type type{};
  if (const Code error = value.type().get(type)) return error;
  if (type != ondemand::json_type::array) return simdjson::SUCCESS;
  ondemand::array array;
  if (const Code error = value.get_array().get(array)) return error;
  for (auto entry : array) {
    ondemand::value item;
    if (const Code error = std::move(entry).get(item)) return error;
    std::string id;
    if (const Code error = ReadId(item, &id)) return error;
    if (!id.empty() && out->size() < limit) out->push_back(std::move(id));
  }
  return simdjson::SUCCESS;
}

// Calls `read(key, value)` for each field while it returns SUCCESS; its first error, or the document's.
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

template <class ReadField>
Code EachFieldOf(ondemand::value& value, ReadField read) {
  ondemand::json_type type{};
  if (const Code error = value.type().get(type)) return error;
  if (type != ondemand::json_type::object) return simdjson::SUCCESS;
  ondemand::object object;
  if (const Code error = value.get_object().get(object)) return error;
  return EachField(object, read);
}

// Takes mentions of us off the start of `text`; true when there was one.
bool StripMention(std::string* text, const std::string& own_id) {
  bool addressed = false;
  std::string_view rest = base::Trim(*text);
  while (!own_id.empty() && rest.starts_with("<@")) {
    std::string_view mention = rest.substr(2);
    if (mention.starts_with('!')) mention.remove_prefix(1);
    if (!mention.starts_with(own_id) || !mention.substr(own_id.size()).starts_with('>')) break;
    rest = base::Trim(mention.substr(own_id.size() + 1));
    addressed = true;
  }
  if (addressed) *text = std::string(rest);
  return addressed;
}

// What one pass over a message collects.
struct Draft {
  std::string id;
  std::optional<std::string> channel;
  std::string guild;
  std::optional<std::int64_t> type;
  std::string author_id;
  std::string author_name;
  std::vector<std::string> roles;
  std::string content;
  bool author_is_bot = false;
  bool by_webhook = false;
  bool forwarded = false;
  bool has_more = false;  // attachments, embeds and so on, or mentions
};

bool IsChannel(const MessageFilter& filter, std::string_view id) {
  return std::ranges::find(filter.channels, id) != filter.channels.end();
}

}  // namespace

struct Codec::State {
  // The message, followed by the padding that simdjson reads beyond the end.
  std::string buffer;
  std::size_t length = 0;
  // Two, since both documents are over the same buffer: the envelope's may no longer be used once an event is opened.
  ondemand::parser envelope;
  ondemand::parser event;

  simdjson::padded_string_view Padded(std::string_view part) const {
    const auto offset = static_cast<std::size_t>(part.data() - buffer.data());
    return simdjson::padded_string_view(part.data(), part.size(), buffer.size() - offset);
  }
  bool Holds(std::string_view part) const {
    return part.data() >= buffer.data() && part.data() + part.size() <= buffer.data() + length;
  }

  Code ReadEnvelope(Frame* frame);
  Code ReadData(Frame* frame);
  Code ReadReady(ondemand::object& object, ReadyInfo* ready);
  Code ReadContent(ondemand::value& value, std::string* out);
  Code ReadMessageField(std::string_view key, ondemand::value value, const MessageFilter& filter, Draft* draft,
                        bool* rejected);
};

Codec::Codec() : state_(std::make_unique<State>()) {}
Codec::~Codec() = default;

Code Codec::State::ReadEnvelope(Frame* frame) {
  ondemand::document document;
  if (const Code error = envelope.iterate(Padded({buffer.data(), length})).get(document)) return error;
  ondemand::object object;
  if (const Code error = document.get_object().get(object)) return error;
  const Code error = EachField(object, [frame](std::string_view key, ondemand::value value) -> Code {
    if (key == "t") return ReadText(value, &frame->type);
    if (key == "s") return ReadNumber(value, &frame->sequence);
    if (key == "op") {
      std::optional<std::int64_t> op;
      const Code failed = ReadNumber(value, &op);
      if (!failed && op && *op >= 0 && *op < 1000) frame->op = static_cast<int>(*op);
      return failed;
    }
    if (key != "d") return simdjson::SUCCESS;
    ondemand::json_type type{};
    if (const Code failed = value.type().get(type)) return failed;
    if (type == ondemand::json_type::object) {
      ondemand::object data;
      if (const Code failed = value.get_object().get(data)) return failed;
      return data.raw_json().get(frame->data);
    }
    if (type == ondemand::json_type::boolean) return value.get_bool().get(frame->resumable);
    return simdjson::SUCCESS;
  });
  if (error) return error;
  const char* beyond = nullptr;
  if (document.current_location().get(beyond) == simdjson::SUCCESS) return simdjson::TRAILING_CONTENT;
  if (!frame->data.empty() && !Holds(frame->data)) return simdjson::TAPE_ERROR;
  return frame->op < 0 ? simdjson::INCORRECT_TYPE : simdjson::SUCCESS;
}

Code Codec::State::ReadReady(ondemand::object& object, ReadyInfo* ready) {
  return EachField(object, [ready](std::string_view key, ondemand::value value) -> Code {
    if (key == "session_id") return ReadId(value, &ready->session_id);
    if (key == "resume_gateway_url") return ReadId(value, &ready->resume_url);
    if (key != "user") return simdjson::SUCCESS;
    return EachFieldOf(value, [ready](std::string_view name, ondemand::value field) -> Code {
      return name == "id" ? ReadId(field, &ready->user_id) : simdjson::SUCCESS;
    });
  });
}

Code Codec::State::ReadData(Frame* frame) {
  const bool hello = frame->op == opcode::kHello;
  const bool is_ready = frame->op == opcode::kDispatch && frame->type == "READY";
  if ((!hello && !is_ready) || frame->data.empty()) return simdjson::SUCCESS;
  ondemand::document document;
  if (const Code error = event.iterate(Padded(frame->data)).get(document)) return error;
  ondemand::object object;
  if (const Code error = document.get_object().get(object)) return error;
  if (is_ready) {
    ReadyInfo ready;
    const Code error = ReadReady(object, &ready);
    if (!error) frame->ready = std::move(ready);
    return error;
  }
  return EachField(object, [frame](std::string_view key, ondemand::value value) -> Code {
    if (key != "heartbeat_interval") return simdjson::SUCCESS;
    std::optional<std::int64_t> interval;
    const Code error = ReadNumber(value, &interval);
    if (!error && interval && *interval > 0 && *interval <= kLongestBeatMs) {
      frame->heartbeat_interval = std::chrono::milliseconds(*interval);
    }
    return error;
  });
}

Result<Frame> Codec::Decode(std::string_view text) {
  if (state_->buffer.capacity() > kKeptBuffer && text.size() < kKeptBuffer / 4) state_ = std::make_unique<State>();
  state_->buffer.assign(text);
  state_->length = text.size();
  state_->buffer.append(simdjson::SIMDJSON_PADDING, ' ');
  Frame frame;
  if (const Code error = state_->ReadEnvelope(&frame)) return Broken(error);
  if (const Code error = state_->ReadData(&frame)) return Broken(error);
  return frame;
}

Code Codec::State::ReadContent(ondemand::value& value, std::string* out) {
  ondemand::json_type type{};
  if (const Code error = value.type().get(type)) return error;
  if (type != ondemand::json_type::string) return simdjson::SUCCESS;
  ondemand::raw_json_string raw;
  if (const Code error = value.get_raw_json_string().get(raw)) return error;
  const std::string_view rest(raw.raw(), static_cast<std::size_t>(buffer.data() + length - raw.raw()));
  auto content = UnescapeJsonString(rest);
  if (!content) return simdjson::STRING_ERROR;
  *out = std::move(*content);
  return simdjson::SUCCESS;
}

// Discord sends id, type, channel_id and author before the content: what is not for us ends here early, by *rejected.
Code Codec::State::ReadMessageField(std::string_view key, ondemand::value value, const MessageFilter& filter,
                                    Draft* draft, bool* rejected) {
  if (key == "id") return ReadId(value, &draft->id);
  if (key == "type") {
    const Code error = ReadNumber(value, &draft->type);
    *rejected = draft->type != kOrdinaryMessage && draft->type != kReplyMessage;
    return error;
  }
  if (key == "channel_id") {
    draft->channel.emplace();
    const Code error = ReadId(value, &*draft->channel);
    *rejected = !IsChannel(filter, *draft->channel);
    return error;
  }
  if (key == "guild_id") {
    const Code error = ReadId(value, &draft->guild);
    *rejected = !filter.guild_id.empty() && draft->guild != filter.guild_id;
    return error;
  }
  if (key == "webhook_id") {
    std::string_view id;
    const Code error = ReadText(value, &id);
    *rejected = draft->by_webhook = !id.empty();
    return error;
  }
  if (key == "author") {
    const Code error = EachFieldOf(value, [draft](std::string_view name, ondemand::value field) -> Code {
      if (name == "id") return ReadId(field, &draft->author_id);
      if (name == "bot") return ReadTruth(field, &draft->author_is_bot);
      std::string_view user_name;
      const Code failed = name == "username" ? ReadText(field, &user_name) : simdjson::SUCCESS;
      if (!user_name.empty()) draft->author_name = user_name;
      return failed;
    });
    *rejected = draft->author_is_bot || draft->author_id == filter.own_id;
    return error;
  }
  if (key == "member") {
    return EachFieldOf(value, [draft](std::string_view name, ondemand::value field) -> Code {
      return name == "roles" ? ReadIds(field, kMostRoles, &draft->roles) : simdjson::SUCCESS;
    });
  }
  if (key == "content") return ReadContent(value, &draft->content);
  if (key == "message_reference") {
    const Code error = EachFieldOf(value, [draft](std::string_view name, ondemand::value field) -> Code {
      if (name != "type") return simdjson::SUCCESS;
      std::optional<std::int64_t> type;
      const Code failed = ReadNumber(field, &type);
      draft->forwarded = type == kForwardReference;
      return failed;
    });
    *rejected = draft->forwarded;
    return error;
  }
  if (key == "attachments" || key == "embeds" || key == "mentions" || key == "mention_roles" || key == "components" ||
      key == "sticker_items" || key == "poll") {
    return ReadFilled(value, &draft->has_more);
  }
  return simdjson::SUCCESS;
}

Result<ReadMessage> Codec::Read(std::string_view data, const MessageFilter& filter) {
  ReadMessage message;
  if (data.empty()) return message;
  ondemand::document document;
  if (const Code error = state_->event.iterate(state_->Padded(data)).get(document)) return Broken(error);
  ondemand::object object;
  if (const Code error = document.get_object().get(object)) return Broken(error);
  // Most messages are for others, and told by their channel alone, wherever it stands.
  ondemand::value channel;
  const Code found = object.find_field_unordered("channel_id").get(channel);
  if (found && found != simdjson::NO_SUCH_FIELD) return Broken(found);
  if (!found) {
    std::string_view id;
    if (const Code error = ReadText(channel, &id)) return Broken(error);
    if (!IsChannel(filter, id)) return message;
    bool empty = false;
    if (const Code error = object.reset().get(empty)) return Broken(error);
  } else {
    return message;
  }
  Draft draft;
  for (auto entry : object) {
    ondemand::field field;
    if (const Code error = std::move(entry).get(field)) return Broken(error);
    std::string_view key;
    if (const Code error = field.unescaped_key().get(key)) return Broken(error);
    bool rejected = false;
    const Code error = state_->ReadMessageField(key, field.value(), filter, &draft, &rejected);
    if (error) return Broken(error);
    if (rejected) return message;
  }
  const bool complete = draft.channel && draft.type && !draft.id.empty() && !draft.author_id.empty();
  if (!complete || (!filter.guild_id.empty() && draft.guild != filter.guild_id)) return message;

  message.kind = draft.content.empty() && !draft.has_more ? ReadMessage::Kind::kEmpty : ReadMessage::Kind::kForUs;
  message.incoming.actor.platform = "discord";
  message.incoming.actor.id = std::move(draft.author_id);
  message.incoming.actor.name = std::move(draft.author_name);
  message.incoming.actor.roles = std::move(draft.roles);
  message.incoming.channel = std::move(*draft.channel);
  message.incoming.message_id = std::move(draft.id);
  message.incoming.text = std::move(draft.content);
  message.incoming.addressed = StripMention(&message.incoming.text, filter.own_id);
  return message;
}

}  // namespace shipmate::platforms::discord
