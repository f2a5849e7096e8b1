#pragma once

// Prompts: the posts of ours that ask, and how they are answered: by a reaction, or by a word in their thread. An
// answer is the command that it stands for, said by whoever gave it: who may is decided where it is for every command.
// Pure.

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "chat/message.h"
#include "platforms/mattermost/frame.h"

namespace shipmate::platforms::mattermost {

using ChoiceKind = chat::Choice::Kind;

/// The reaction that we put below a prompt for each kind, to be clicked.
std::string_view EmojiOf(ChoiceKind kind);
/// What a reaction says, whatever its skin tone; nullopt for any other.
std::optional<ChoiceKind> KindOfEmoji(std::string_view emoji);
/// What a reply in a prompt's thread says when it consists of nothing else: `yes`, `confirm`, `no`, `decline`.
std::optional<ChoiceKind> KindOfReply(std::string_view text);
/// The command of that kind; "" when there is none.
std::string CommandOf(const std::vector<chat::Choice>& choices, ChoiceKind kind);

/// The id under which a reaction is a message like any other: the same for all its repetitions. The prompt's id is
/// what stands before the first slash.
std::string ReactionMessageId(const Reaction& reaction, ChoiceKind kind);
/// The post that an answer to `message_id` belongs below.
std::string_view PostOfMessageId(std::string_view message_id);

class Prompts {
 public:
  /// The oldest is forgotten for a new one.
  static constexpr std::size_t kLimit = 100;

  /// What a post of ours asks now; nothing: it does not ask (any more).
  void Note(const std::string& post_id, std::vector<chat::Choice> choices);
  /// Null when it is not known whether the post asks. An empty list: it does not.
  const std::vector<chat::Choice>* Find(const std::string& post_id) const;
  /// The ids of those that ask, the oldest first.
  std::vector<std::string> Open() const;

 private:
  std::unordered_map<std::string, std::vector<chat::Choice>> choices_;
  std::deque<std::string> order_;
};

}  // namespace shipmate::platforms::mattermost
