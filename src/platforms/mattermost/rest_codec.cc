#include "platforms/mattermost/rest_codec.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "base/text.h"
#include "net/hmac.h"
#include "platforms/mattermost/json.h"

namespace shipmate::platforms::mattermost {

namespace {

using std::chrono::seconds;

constexpr std::size_t kMessageRunes = 200;
constexpr std::size_t kKeyLength = 40;
constexpr seconds kShortestWait{1};
constexpr seconds kLongestWait{3600};

// Valid UTF-8 without NUL, which the server's database refuses.
std::string Clean(const std::string& text) {
  std::string clean = base::RepairUtf8(text);
  std::erase(clean, '\0');
  return clean;
}

std::string_view ColourOf(chat::Tone tone) {
  return tone == chat::Tone::kSuccess ? "#2f9e44" : "#d6336c";
}

// Puts everything of `look` into `props` but what it gives, the message.
std::string Dress(const PostLook& look, boost::json::object& props) {
  boost::json::value& ours = props["shipmate"];
  if (!ours.is_object()) ours = boost::json::object();
  ours.get_object().erase("choices");
  if (!look.choices.empty()) {
    boost::json::array choices;
    for (const chat::Choice& choice : look.choices) {
      choices.push_back(boost::json::object{{"kind", choice.kind == chat::Choice::Kind::kYes ? "yes" : "no"},
                                            {"command", Clean(choice.command)}});
    }
    ours.get_object()["choices"] = std::move(choices);
  }
  props.erase("attachments");
  std::string text = Clean(look.text);
  if (look.tone == chat::Tone::kNews) return text;
  const std::size_t line = text.find('\n');
  const std::string headline = text.substr(0, line);
  const bool single = line == std::string::npos;
  boost::json::object attachment{
      {"fallback", headline}, {"color", ColourOf(look.tone)}, {"text", single ? headline : text.substr(line + 1)}};
  props["attachments"] = boost::json::array{std::move(attachment)};
  return single ? "" : headline;
}

std::optional<std::int64_t> SecondsOf(const net::HttpResponse& response, std::string_view name) {
  const std::string_view text = base::Trim(response.headers.Get(name));
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

}  // namespace

std::string EncodePost(const NewPost& post, const std::string& own_id) {
  boost::json::object ours;
  ours["key"] = Clean(post.key);
  boost::json::object props;
  props["shipmate"] = std::move(ours);
  boost::json::object body;
  body["channel_id"] = post.channel_id;
  body["message"] = Dress(post.look, props);
  body["pending_post_id"] = own_id + ":" + net::Sha256Hex(post.channel_id + "\n" + post.key).substr(0, kKeyLength);
  body["props"] = std::move(props);
  if (!post.root_id.empty()) body["root_id"] = post.root_id;
  if (!post.file_ids.empty()) {
    boost::json::array ids;
    for (const std::string& id : post.file_ids) ids.emplace_back(id);
    body["file_ids"] = std::move(ids);
  }
  return boost::json::serialize(body);
}

std::string EncodePatch(const PostLook& look, std::string_view known) {
  boost::json::error_code error;
  boost::json::value post = boost::json::parse({known.data(), known.size()}, error);
  boost::json::object props;
  if (!error && post.is_object()) {
    if (auto* old = post.get_object().if_contains("props"); old != nullptr && old->is_object()) {
      props = std::move(old->get_object());
    }
  }
  boost::json::object body;
  body["message"] = Dress(look, props);
  body["props"] = std::move(props);
  return boost::json::serialize(body);
}

std::string EncodeReaction(const std::string& user_id, const std::string& post_id, const std::string& emoji) {
  boost::json::object body;
  body["user_id"] = user_id;
  body["post_id"] = post_id;
  body["emoji_name"] = emoji;
  return boost::json::serialize(body);
}

ApiError DecodeApiError(std::string_view body) {
  Json json;
  if (!json.Open(body) || !json.IsObject()) return {};
  return {.id = base::EscapeControls(base::FirstRunes(json.Text("id"), kMessageRunes)),
          .message = base::EscapeControls(base::FirstRunes(json.Text("message"), kMessageRunes))};
}

std::chrono::milliseconds RetryAfter(const net::HttpResponse& response) {
  auto told = SecondsOf(response, "Retry-After");
  if (!told) told = SecondsOf(response, "X-RateLimit-Reset");
  return std::clamp(seconds(std::min<std::int64_t>(told.value_or(1), kLongestWait.count())), kShortestWait,
                    kLongestWait);
}

}  // namespace shipmate::platforms::mattermost
