#include "platforms/mattermost/listen.h"

#include "base/text.h"

namespace shipmate::platforms::mattermost {

namespace {

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

// Takes a mention of `name` off the start of `text`. The server, too, takes these characters at the end of a name for
// punctuation.
bool StripMention(std::string* text, const std::string& name) {
  std::string_view rest = base::Trim(*text);
  if (name.empty() || !rest.starts_with('@')) return false;
  rest.remove_prefix(1);
  std::size_t length = 0;
  while (length < rest.size() && IsNameCharacter(rest[length])) ++length;
  std::string_view word = rest.substr(0, length);
  while (base::ToLowerAscii(word) != name && (word.ends_with('.') || word.ends_with('-') || word.ends_with('_'))) {
    word.remove_suffix(1);
  }
  if (base::ToLowerAscii(word) != name) return false;
  rest.remove_prefix(length);
  while (rest.starts_with(':') || rest.starts_with(',')) rest.remove_prefix(1);
  *text = std::string(base::Trim(rest));
  return true;
}

}  // namespace

bool IsPersons(const Post& post, const Self& self) {
  return !post.automated && post.user_id != self.id && post.type.empty() && post.original_id.empty() &&
         post.edit_at == 0 && post.delete_at == 0;
}

chat::Incoming WordsOf(const Post& post, const std::string& sender, const Self& self, bool direct) {
  chat::Incoming incoming;
  incoming.actor.platform = "mattermost";
  incoming.actor.id = post.user_id;
  incoming.actor.name = sender.empty() ? post.user_id : sender;
  incoming.actor.direct = direct;
  incoming.message_id = post.id;
  incoming.text = post.message;
  incoming.addressed = StripMention(&incoming.text, self.name) || direct;
  return incoming;
}

std::string_view WithoutSkinTone(std::string_view emoji) {
  for (const std::string_view tone : {"_light_skin_tone", "_medium_light_skin_tone", "_medium_skin_tone",
                                      "_medium_dark_skin_tone", "_dark_skin_tone"}) {
    // "_medium_light_..." ends in "_light_..." as well: the longer one decides.
    if (!emoji.ends_with(tone)) continue;
    std::string_view bare = emoji.substr(0, emoji.size() - tone.size());
    if (bare.ends_with("_medium") && tone != "_medium_skin_tone") bare.remove_suffix(7);
    return bare;
  }
  return emoji;
}

}  // namespace shipmate::platforms::mattermost
