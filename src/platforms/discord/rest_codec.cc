#include "platforms/discord/rest_codec.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "net/hmac.h"

namespace shipmate::platforms::discord {

namespace {

namespace dom = simdjson::dom;
using std::chrono::milliseconds;

// No wait that Discord tells is longer; more is nonsense that would overflow a time.
constexpr double kLongestSeconds = 24.0 * 60 * 60;
constexpr std::size_t kMessageRunes = 200;
constexpr std::size_t kNonceLength = 25;
// 2015-01-01, where the time in an id begins (Discord, Snowflakes).
constexpr std::int64_t kEpochMs = 1420070400000;

std::optional<milliseconds> Seconds(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return std::nullopt;
  return milliseconds(static_cast<std::int64_t>(std::ceil(std::min(seconds, kLongestSeconds) * 1000.0)));
}

std::optional<double> Number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<milliseconds> SecondsOf(const net::Headers& headers, std::string_view name) {
  const auto number = Number(base::Trim(headers.Get(name)));
  return number ? Seconds(*number) : std::nullopt;
}

// Calls `read` with the body's object; false when the body is none.
template <class Read>
bool WithObject(std::string_view body, Read read) {
  dom::parser parser;
  dom::object object;
  if (parser.parse(body.data(), body.size()).get_object().get(object) != simdjson::SUCCESS) return false;
  read(object);
  return true;
}

// Whether a field of the request was refused as too long, anywhere in the tree of errors.
bool NamesLength(dom::element element) {
  dom::object object;
  if (element.get_object().get(object) == simdjson::SUCCESS) {
    std::string_view code;
    if (object["code"].get_string().get(code) == simdjson::SUCCESS && code == "BASE_TYPE_MAX_LENGTH") return true;
    return std::ranges::any_of(object, [](const auto& field) { return NamesLength(field.value); });
  }
  dom::array array;
  if (element.get_array().get(array) != simdjson::SUCCESS) return false;
  return std::ranges::any_of(array, [](const auto& item) { return NamesLength(item); });
}

boost::json::object NoMentions() {
  boost::json::object mentions;
  mentions["parse"] = boost::json::array();
  mentions["replied_user"] = false;
  return mentions;
}

std::string HeaderSafe(const std::string& name) {
  std::string safe(name);
  std::ranges::replace_if(
      safe, [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '"' || c == '\\'; }, '_');
  return safe;
}

RequestBody Encode(boost::json::object fields, const std::vector<chat::Attachment>& files) {
  if (files.empty()) return {.content_type = "application/json", .bytes = boost::json::serialize(fields)};
  boost::json::array described;
  for (std::size_t i = 0; i < files.size(); ++i) {
    described.push_back(boost::json::object{{"id", i}, {"filename", HeaderSafe(files[i].name)}});
  }
  fields["attachments"] = std::move(described);
  const std::string json = boost::json::serialize(fields);

  // RFC 2046 section 5.1.1: the boundary must not occur in what it bounds.
  std::string boundary = "shipmate-" + net::Sha256Hex(json).substr(0, 32);
  while (std::ranges::any_of(files, [&](const auto& file) { return file.bytes.contains(boundary); })) {
    boundary = "shipmate-" + net::Sha256Hex(boundary).substr(0, 32);
  }
  std::string form = "--" + boundary +
                     "\r\nContent-Disposition: form-data; name=\"payload_json\"\r\nContent-Type: application/json\r\n"
                     "\r\n" +
                     json;
  for (std::size_t i = 0; i < files.size(); ++i) {
    form += fmt::format(
        "\r\n--{}\r\nContent-Disposition: form-data; name=\"files[{}]\"; filename=\"{}\"\r\n"
        "Content-Type: application/octet-stream\r\n\r\n",
        boundary, i, HeaderSafe(files[i].name));
    form += files[i].bytes;
  }
  form += "\r\n--" + boundary + "--\r\n";
  return {.content_type = "multipart/form-data; boundary=" + boundary, .bytes = std::move(form)};
}

// Blanks, and characters without a picture of their own (Unicode, general category Cf, as far as we ever write them).
bool CountsInText(char32_t rune) {
  return rune > 0x20 && rune != 0xA0 && !(rune >= 0x200B && rune <= 0x200F) && !(rune >= 0x2028 && rune <= 0x202E) &&
         !(rune >= 0x2060 && rune <= 0x206F) && rune != 0xFEFF && rune != 0xFFFD;
}

std::string Comparable(std::string_view text) {
  std::string kept;
  while (!text.empty()) {
    const base::Rune rune = base::DecodeRune(text);
    if (rune.valid && CountsInText(rune.value)) kept += text.substr(0, rune.length);
    text.remove_prefix(rune.length);
  }
  return kept;
}

std::string TextOf(const dom::object& object, std::string_view field) {
  std::string_view text;
  return object[field].get_string().get(text) == simdjson::SUCCESS ? std::string(text) : "";
}

}  // namespace

RequestBody EncodeMessage(const chat::Outgoing& outgoing, const std::string& nonce) {
  boost::json::object body;
  body["content"] = base::RepairUtf8(outgoing.text);
  body["nonce"] = nonce;
  body["enforce_nonce"] = true;
  body["allowed_mentions"] = NoMentions();
  if (!outgoing.reply_to.empty()) {
    boost::json::object reference;
    reference["message_id"] = outgoing.reply_to;
    reference["fail_if_not_exists"] = false;
    body["message_reference"] = std::move(reference);
  }
  return Encode(std::move(body), outgoing.attachments);
}

RequestBody EncodeEdit(const chat::Revision& revision) {
  boost::json::object body;
  body["content"] = base::RepairUtf8(revision.text);
  body["allowed_mentions"] = NoMentions();
  return Encode(std::move(body), revision.attachments);
}

std::string DecodeMessageId(std::string_view body) {
  std::string id;
  WithObject(body, [&id](const dom::object& object) { id = TextOf(object, "id"); });
  return id;
}

std::optional<std::vector<ListedMessage>> DecodeMessages(std::string_view body) {
  dom::parser parser;
  dom::array list;
  if (parser.parse(body.data(), body.size()).get_array().get(list) != simdjson::SUCCESS) return std::nullopt;
  std::vector<ListedMessage> messages;
  for (const dom::element element : list) {
    dom::object object;
    if (element.get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
    ListedMessage message{.id = TextOf(object, "id"), .content = TextOf(object, "content")};
    dom::object part;
    if (object["author"].get_object().get(part) == simdjson::SUCCESS) message.author_id = TextOf(part, "id");
    if (object["message_reference"].get_object().get(part) == simdjson::SUCCESS) {
      message.reply_to = TextOf(part, "message_id");
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

std::optional<std::vector<std::string>> SplitMessages(std::string_view body) {
  dom::parser parser;
  dom::array list;
  if (parser.parse(body.data(), body.size()).get_array().get(list) != simdjson::SUCCESS) return std::nullopt;
  std::vector<std::string> messages;
  for (const dom::element element : list) messages.push_back(simdjson::minify(element));
  // Discord lists the newest first.
  std::ranges::reverse(messages);
  return messages;
}

bool SameText(std::string_view content, std::string_view text) {
  return Comparable(content) == Comparable(text);
}

bool IsLaterId(const std::string& id, const std::string& than) {
  return id.size() != than.size() ? id.size() > than.size() : id > than;
}

std::optional<base::WallTime> TimeOfId(std::string_view id) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
  if (error != std::errc() || end != id.data() + id.size()) return std::nullopt;
  return base::WallTime(milliseconds(static_cast<std::int64_t>(number >> 22U) + kEpochMs));
}

std::string FirstIdOf(base::WallTime time) {
  const auto ms = std::chrono::floor<milliseconds>(time.time_since_epoch()).count() - kEpochMs;
  return std::to_string(static_cast<std::uint64_t>(std::max<std::int64_t>(ms, 0)) << 22U);
}

std::string NonceOf(const std::string& key, const std::string& channel) {
  return net::Sha256Hex(channel + "\n" + key).substr(0, kNonceLength);
}

std::optional<GatewayInfo> DecodeGateway(std::string_view body) {
  GatewayInfo info;
  const bool is_object = WithObject(body, [&info](const dom::object& object) {
    std::string_view url;
    if (object["url"].get_string().get(url) == simdjson::SUCCESS) info.url = url;
    dom::object limit;
    if (object["session_start_limit"].get_object().get(limit) != simdjson::SUCCESS) return;
    std::int64_t number = 0;
    if (limit["remaining"].get_int64().get(number) == simdjson::SUCCESS) info.remaining = number;
    if (limit["reset_after"].get_int64().get(number) == simdjson::SUCCESS) {
      info.reset_after =
          milliseconds(std::clamp<std::int64_t>(number, 0, static_cast<std::int64_t>(kLongestSeconds) * 1000));
    }
  });
  if (!is_object || info.url.empty()) return std::nullopt;
  return info;
}

std::optional<std::int64_t> DecodeApplicationFlags(std::string_view body) {
  std::optional<std::int64_t> flags;
  WithObject(body, [&flags](const dom::object& object) {
    std::int64_t number = 0;
    if (object["flags"].get_int64().get(number) == simdjson::SUCCESS) flags = number;
  });
  return flags;
}

ApiError DecodeApiError(std::string_view body) {
  ApiError error;
  error.is_json = WithObject(body, [&error](const dom::object& object) {
    std::int64_t number = 0;
    if (object["code"].get_int64().get(number) == simdjson::SUCCESS) error.code = number;
    std::string_view message;
    if (object["message"].get_string().get(message) == simdjson::SUCCESS) {
      error.message = base::EscapeControls(base::FirstRunes(message, kMessageRunes));
    }
    dom::element errors;
    if (object["errors"].get(errors) == simdjson::SUCCESS) error.too_long = NamesLength(errors);
  });
  return error;
}

RateAnswer DecodeRateAnswer(const net::HttpResponse& response) {
  RateAnswer answer;
  answer.status = response.status;
  answer.bucket = response.headers.Get("X-RateLimit-Bucket");
  const auto remaining = Number(base::Trim(response.headers.Get("X-RateLimit-Remaining")));
  if (remaining && *remaining >= 0 && *remaining < 1e9) answer.remaining = static_cast<std::int64_t>(*remaining);
  answer.reset_after = SecondsOf(response.headers, "X-RateLimit-Reset-After");
  answer.retry_after = SecondsOf(response.headers, "Retry-After");
  answer.global = response.headers.Get("X-RateLimit-Global") == "true";
  answer.shared = response.headers.Get("X-RateLimit-Scope") == "shared";
  if (response.status != 429 && response.status != 403) return answer;

  const bool is_json = WithObject(response.body, [&answer](const dom::object& object) {
    double retry_after = 0;
    if (answer.status == 429 && object["retry_after"].get_double().get(retry_after) == simdjson::SUCCESS) {
      // The header's number is the same in whole seconds.
      if (const auto exact = Seconds(retry_after)) answer.retry_after = exact;
    }
    bool global = false;
    if (object["global"].get_bool().get(global) == simdjson::SUCCESS && global) answer.global = true;
  });
  answer.from_discord = is_json && (response.status != 429 || response.headers.Has("Via"));
  return answer;
}

}  // namespace shipmate::platforms::discord
