#include "platforms/mattermost/json.h"

#include <simdjson.h>

#include <algorithm>
#include <array>

namespace shipmate::platforms::mattermost {

namespace {

namespace dom = simdjson::dom;

// The server sets these on what no person typed. A webhook's post bears the user_id of whoever made the webhook.
constexpr std::array<std::string_view, 4> kAutomationMarks = {"from_webhook", "from_bot", "from_plugin",
                                                              "from_oauth_app"};

std::string_view TextOf(const dom::object& object, std::string_view name) {
  std::string_view text;
  if (object[name].get_string().get(text) != simdjson::SUCCESS) return "";
  return text;
}

std::int64_t NumberOf(const dom::object& object, std::string_view name) {
  std::int64_t number = 0;
  if (object[name].get_int64().get(number) == simdjson::SUCCESS) return number;
  double real = 0;
  if (object[name].get_double().get(real) != simdjson::SUCCESS || real <= -9e15 || real >= 9e15) return 0;
  return static_cast<std::int64_t>(real);
}

// Marks are the text "true"; anything that does not say no counts.
bool IsSet(const dom::object& props, std::string_view name) {
  dom::element mark;
  if (props[name].get(mark) != simdjson::SUCCESS || mark.is_null()) return false;
  bool truth = false;
  if (mark.get_bool().get(truth) == simdjson::SUCCESS) return truth;
  std::string_view text;
  if (mark.get_string().get(text) == simdjson::SUCCESS) return !text.empty() && text != "false";
  return true;
}

std::vector<chat::Choice> ChoicesOf(const dom::object& ours) {
  std::vector<chat::Choice> choices;
  dom::array array;
  if (ours["choices"].get_array().get(array) != simdjson::SUCCESS) return choices;
  for (const dom::element& element : array) {
    dom::object object;
    if (element.get_object().get(object) != simdjson::SUCCESS) continue;
    const std::string_view kind = TextOf(object, "kind");
    const std::string_view command = TextOf(object, "command");
    if ((kind != "yes" && kind != "no") || command.empty()) continue;
    choices.push_back(
        {.kind = kind == "yes" ? chat::Choice::Kind::kYes : chat::Choice::Kind::kNo, .command = std::string(command)});
  }
  return choices;
}

std::optional<Post> PostOf(const dom::element& element) {
  dom::object object;
  if (element.get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
  Post post;
  post.id = TextOf(object, "id");
  post.channel_id = TextOf(object, "channel_id");
  post.user_id = TextOf(object, "user_id");
  if (post.id.empty() || post.channel_id.empty() || post.user_id.empty()) return std::nullopt;
  post.root_id = TextOf(object, "root_id");
  post.original_id = TextOf(object, "original_id");
  post.message = TextOf(object, "message");
  post.type = TextOf(object, "type");
  post.create_at = NumberOf(object, "create_at");
  post.edit_at = NumberOf(object, "edit_at");
  post.delete_at = NumberOf(object, "delete_at");
  dom::object props;
  if (object["props"].get_object().get(props) == simdjson::SUCCESS) {
    post.automated = std::ranges::any_of(kAutomationMarks, [&](std::string_view mark) { return IsSet(props, mark); });
    dom::object ours;
    if (props["shipmate"].get_object().get(ours) == simdjson::SUCCESS) {
      post.key = TextOf(ours, "key");
      post.choices = ChoicesOf(ours);
    }
  }
  return post;
}

std::optional<Reaction> ReactionOf(const dom::element& element) {
  dom::object object;
  if (element.get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
  Reaction reaction;
  reaction.user_id = TextOf(object, "user_id");
  reaction.post_id = TextOf(object, "post_id");
  reaction.emoji = TextOf(object, "emoji_name");
  reaction.create_at = NumberOf(object, "create_at");
  if (reaction.user_id.empty() || reaction.post_id.empty() || reaction.emoji.empty()) return std::nullopt;
  return reaction;
}

}  // namespace

struct Json::State {
  dom::parser parser;
  dom::element root;
  bool open = false;

  /// The object that the last part of `path` is a field of; *path becomes that part.
  bool Owner(std::string_view* path, dom::object* object) const {
    if (!open || root.get_object().get(*object) != simdjson::SUCCESS) return false;
    for (std::size_t dot = path->find('.'); dot != std::string_view::npos; dot = path->find('.')) {
      if ((*object)[path->substr(0, dot)].get_object().get(*object) != simdjson::SUCCESS) return false;
      path->remove_prefix(dot + 1);
    }
    return true;
  }
};

Json::Json() : state_(std::make_unique<State>()) {}
Json::~Json() = default;

bool Json::Open(std::string_view text) {
  state_->open = state_->parser.parse(text.data(), text.size()).get(state_->root) == simdjson::SUCCESS;
  return state_->open;
}

bool Json::IsObject() const {
  return state_->open && state_->root.is_object();
}

std::string_view Json::Text(std::string_view path) const {
  dom::object object;
  return state_->Owner(&path, &object) ? TextOf(object, path) : "";
}

std::int64_t Json::Number(std::string_view path) const {
  dom::object object;
  return state_->Owner(&path, &object) ? NumberOf(object, path) : 0;
}

bool Json::Flag(std::string_view path) const {
  dom::object object;
  bool flag = false;
  return state_->Owner(&path, &object) && object[path].get_bool().get(flag) == simdjson::SUCCESS && flag;
}

std::optional<Post> Json::AsPost() const {
  return state_->open ? PostOf(state_->root) : std::nullopt;
}

std::optional<Reaction> Json::AsReaction() const {
  return state_->open ? ReactionOf(state_->root) : std::nullopt;
}

std::optional<std::vector<Post>> Json::AsPosts() const {
  dom::object list;
  dom::array order;
  dom::object by_id;
  if (!state_->open || state_->root.get_object().get(list) != simdjson::SUCCESS ||
      list["order"].get_array().get(order) != simdjson::SUCCESS ||
      list["posts"].get_object().get(by_id) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  std::vector<Post> posts;
  for (const dom::element& entry : order) {
    std::string_view id;
    dom::element element;
    if (entry.get_string().get(id) != simdjson::SUCCESS || by_id[id].get(element) != simdjson::SUCCESS) continue;
    if (auto post = PostOf(element)) posts.push_back(std::move(*post));
  }
  // The server's order is newest first.
  std::ranges::reverse(posts);
  return posts;
}

std::optional<std::vector<Reaction>> Json::AsReactions() const {
  if (!state_->open) return std::nullopt;
  std::vector<Reaction> reactions;
  if (state_->root.is_null()) return reactions;
  dom::array array;
  if (state_->root.get_array().get(array) != simdjson::SUCCESS) return std::nullopt;
  for (const dom::element& element : array) {
    if (auto reaction = ReactionOf(element)) reactions.push_back(std::move(*reaction));
  }
  return reactions;
}

std::vector<std::string> Json::Ids(std::string_view path) const {
  std::vector<std::string> ids;
  dom::object object;
  dom::array array;
  if (!state_->Owner(&path, &object) || object[path].get_array().get(array) != simdjson::SUCCESS) return ids;
  for (const dom::element& element : array) {
    dom::object item;
    if (element.get_object().get(item) == simdjson::SUCCESS) ids.emplace_back(TextOf(item, "id"));
  }
  return ids;
}

}  // namespace shipmate::platforms::mattermost
