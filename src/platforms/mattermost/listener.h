#pragma once

// Listener: from what the socket and REST tell to what people say to us. It hands each post of a person to the inbox
// once, in order; reads by REST what was missed while the socket was away; and makes a command of an answer to a
// prompt, which is a reaction to it or a word in its thread. It posts nothing but the reactions that are to be clicked.

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "async/spawn.h"
#include "async/task.h"
#include "base/clock.h"
#include "chat/frontend.h"
#include "config/config.h"
#include "platforms/mattermost/codec.h"
#include "platforms/mattermost/listen.h"
#include "platforms/mattermost/places.h"
#include "platforms/mattermost/prompts.h"
#include "platforms/mattermost/recent.h"
#include "platforms/mattermost/rest.h"

namespace shipmate::platforms::mattermost {

class Listener {
 public:
  /// Everything referred to must outlive it.
  Listener(Executor executor, Rest& rest, Places& places, const config::MattermostConfig& config,
           const base::Clock& clock);
  /// REQUIRES: Stop has completed, or Start was never called.
  ~Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// Calls `on_added` when we were added to a channel that is not known.
  void Start(chat::Inbox& inbox, std::function<void()> on_added);
  Task<void> Stop();
  void SetSelf(const Self& self) { self_ = self; }

  /// How far a place was read by an earlier run of the program; else `newest` is the last post read.
  void BeginAt(Place& place, const std::vector<Post>& newest);
  void OnOnline(bool resumed);
  void OnEvent(Codec& codec, const Frame& frame);
  void OnServerTime(std::int64_t now);

  /// A post of ours asks, or, with no choices, does not ask any more. Offers the reactions to be clicked.
  void Asked(const std::string& post_id, std::vector<chat::Choice> choices);

  /// The first post of the thread that a post is in, which is what is answered; "" when it is in none.
  Task<Result<std::string>> RootOf(std::string post_id);

 private:
  struct Held {
    std::shared_ptr<Place> place;
    std::variant<PostEvent, Reaction> event;
  };
  /// What may be an answer to a prompt.
  struct Answer {
    std::string prompt;
    ChoiceKind kind = ChoiceKind::kYes;
    /// A reaction: the command and the name of its author are filled in later.
    bool reaction = false;
    chat::Incoming incoming;
    std::chrono::milliseconds age{0};
  };

  void Advance(Place& place, const Post& post);
  void HandlePost(Place& place, const Post& post, const std::string& sender);
  void HandleReaction(const Place& place, const Reaction& reaction);
  void HandIn(chat::Incoming incoming, std::chrono::milliseconds age);
  std::chrono::milliseconds AgeOf(const Post& post) const;

  void Queue(Answer answer);
  Task<void> TakeAnswers();
  Task<void> TakeAnswer(Answer answer);
  void Put(const Answer& answer, const Error& error);
  Task<Result<std::vector<chat::Choice>>> ChoicesOf(std::string post_id);
  Task<void> Offer(std::string post_id, std::vector<chat::Choice> choices);

  Task<void> CatchUp();
  Task<void> CatchUpIn(std::shared_ptr<Place> place);
  Task<void> FindPrompts(std::shared_ptr<Place> place);
  Task<Result<void>> ReadPrompt(std::string post_id);
  Task<std::string> NameOf(std::string user_id);

  // Constant after construction.
  const Executor executor_;
  Rest& rest_;
  Places& places_;
  const config::MattermostConfig& config_;
  const base::Clock& clock_;

  Self self_;
  chat::Inbox* inbox_ = nullptr;
  std::function<void()> on_added_;
  async::TaskGroup tasks_;

  /// Posts and reactions that were handed in.
  Recent<bool> seen_;
  /// The first post of the thread that a person's post is in; "" = it is in none.
  Recent<std::string> roots_;
  Recent<std::string> names_;
  Recent<User> users_;
  Prompts prompts_;
  /// Posts that got their reactions to be clicked, or are about to.
  Recent<bool> offered_;
  std::deque<Answer> answers_;
  bool taking_answers_ = false;

  /// What came live while we catch up: nobody is answered out of turn.
  std::vector<Held> held_;
  bool catching_up_ = false;
  bool wanted_catch_up_ = false;
  bool looked_for_prompts_ = false;
  /// How far the server's clock is ahead of ours.
  std::int64_t server_ahead_ = 0;
};

}  // namespace shipmate::platforms::mattermost
