#include "platforms/mattermost/prompts.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "platforms/mattermost/listen.h"

namespace shipmate::platforms::mattermost {

namespace {

using Named = std::pair<std::string_view, ChoiceKind>;

// The first of each kind is the one that we offer.
constexpr std::array<Named, 5> kEmoji = {{{"white_check_mark", ChoiceKind::kYes},
                                          {"x", ChoiceKind::kNo},
                                          {"heavy_check_mark", ChoiceKind::kYes},
                                          {"+1", ChoiceKind::kYes},
                                          {"-1", ChoiceKind::kNo}}};
constexpr std::array<Named, 4> kWords = {
    {{"yes", ChoiceKind::kYes}, {"confirm", ChoiceKind::kYes}, {"no", ChoiceKind::kNo}, {"decline", ChoiceKind::kNo}}};

template <std::size_t N>
std::optional<ChoiceKind> Look(const std::array<Named, N>& table, std::string_view word) {
  const auto found = std::ranges::find(table, word, &Named::first);
  return found == table.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

std::string_view EmojiOf(ChoiceKind kind) {
  return std::ranges::find(kEmoji, kind, &Named::second)->first;
}

std::optional<ChoiceKind> KindOfEmoji(std::string_view emoji) {
  return Look(kEmoji, WithoutSkinTone(emoji));
}

std::optional<ChoiceKind> KindOfReply(std::string_view text) {
  std::string_view word = base::Trim(text);
  while (word.ends_with('.') || word.ends_with('!')) word.remove_suffix(1);
  return Look(kWords, base::ToLowerAscii(word));
}

std::string CommandOf(const std::vector<chat::Choice>& choices, ChoiceKind kind) {
  const auto found = std::ranges::find(choices, kind, &chat::Choice::kind);
  return found == choices.end() ? "" : found->command;
}

std::string ReactionMessageId(const Reaction& reaction, ChoiceKind kind) {
  return reaction.post_id + "/" + reaction.user_id + (kind == ChoiceKind::kYes ? "/yes" : "/no");
}

std::string_view PostOfMessageId(std::string_view message_id) {
  return message_id.substr(0, message_id.find('/'));
}

void Prompts::Note(const std::string& post_id, std::vector<chat::Choice> choices) {
  const auto [known, added] = choices_.insert_or_assign(post_id, std::move(choices));
  if (!added) return;
  order_.push_back(post_id);
  if (order_.size() <= kLimit) return;
  // What does not ask is no loss: it can be looked up again.
  const auto closed =
      std::ranges::find_if(order_, [&](const std::string& id) { return id != post_id && choices_.at(id).empty(); });
  const auto gone = closed == order_.end() ? order_.begin() : closed;
  choices_.erase(*gone);
  order_.erase(gone);
}

const std::vector<chat::Choice>* Prompts::Find(const std::string& post_id) const {
  const auto found = choices_.find(post_id);
  return found == choices_.end() ? nullptr : &found->second;
}

std::vector<std::string> Prompts::Open() const {
  std::vector<std::string> open;
  for (const std::string& id : order_) {
    if (!choices_.at(id).empty()) open.push_back(id);
  }
  return open;
}

}  // namespace shipmate::platforms::mattermost
