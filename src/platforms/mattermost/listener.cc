#include "platforms/mattermost/listener.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "async/deadline.h"
#include "base/log.h"

namespace shipmate::platforms::mattermost {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kRemembered = 4096;
// More than this was missed: the oldest of it is passed over.
constexpr std::size_t kPages = 5;
constexpr std::size_t kHeldLimit = 2000;
// A command that was missed for longer may no longer be what its author wants.
constexpr seconds kTooOld{60};
constexpr seconds kCatchUpLimit{60};
constexpr seconds kShutdownLimit{5};

std::int64_t UnixMs(base::WallTime time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

// What trying again will not mend, or what the session deals with.
bool IsFinal(const Error& error) {
  return error.code == Errc::kAuth || error.code == Errc::kRefused || error.code == Errc::kNotFound;
}

}  // namespace

Listener::Listener(Executor executor, Rest& rest, Places& places, const config::MattermostConfig& config,
                   const base::Clock& clock)
    : executor_(std::move(executor)),
      rest_(rest),
      places_(places),
      config_(config),
      clock_(clock),
      tasks_(executor_),
      seen_(kRemembered),
      roots_(kRemembered),
      names_(kRemembered),
      users_(kRemembered),
      offered_(kRemembered) {}

void Listener::Start(chat::Inbox& inbox, std::function<void()> on_added) {
  inbox_ = &inbox;
  on_added_ = std::move(on_added);
}

Task<void> Listener::Stop() {
  inbox_ = nullptr;
  on_added_ = {};
  tasks_.Cancel();
  co_await tasks_.Join(kShutdownLimit);
}

void Listener::BeginAt(Place& place, const std::vector<Post>& newest) {
  if (inbox_ != nullptr) place.cursor = inbox_->LastSeen("mattermost", place.name);
  if (place.cursor.empty() && !newest.empty()) Advance(place, newest.back());
}

void Listener::OnOnline(bool resumed) {
  if (resumed || inbox_ == nullptr) return;
  wanted_catch_up_ = true;
  if (!std::exchange(catching_up_, true)) tasks_.Spawn("mattermost catch-up", CatchUp());
}

void Listener::OnServerTime(std::int64_t now) {
  server_ahead_ = now - UnixMs(clock_.WallNow());
}

// ---- Events ----

void Listener::OnEvent(Codec& codec, const Frame& frame) {
  if (frame.event == "user_added") {
    const bool ours = codec.ReadField(frame.data, "user_id") == self_.id;
    if (ours && places_.ById(frame.channel_id) == nullptr && on_added_) on_added_();
    return;
  }
  const bool posted = frame.event == "posted";
  if (!posted && frame.event != "reaction_added") return;
  auto place = places_.ById(frame.channel_id);
  if (!place && posted && config_.direct_messages && codec.ReadField(frame.data, "channel_type") == "D") {
    place = places_.AddDirect(std::string(frame.channel_id));
  }
  if (!place) return;
  Held held{.place = std::move(place), .event = PostEvent()};
  if (posted) {
    auto event = codec.ReadPost(frame.data);
    if (!event) return LogWarn("mattermost: a post was not understood: " + event.error().what);
    if (!event->sender.empty() && !event->post.automated) names_.Add(event->post.user_id, event->sender);
    held.event = std::move(*event);
  } else {
    auto reaction = codec.ReadReaction(frame.data);
    if (!reaction) return LogWarn("mattermost: a reaction was not understood: " + reaction.error().what);
    held.event = std::move(*reaction);
  }
  if (catching_up_) {
    // What there is no room for is read with what was missed.
    if (held_.size() < kHeldLimit) {
      held_.push_back(std::move(held));
    } else {
      wanted_catch_up_ = true;
    }
  } else if (const auto* event = std::get_if<PostEvent>(&held.event)) {
    HandlePost(*held.place, event->post, event->sender);
  } else {
    HandleReaction(*held.place, std::get<Reaction>(held.event));
  }
}

void Listener::Advance(Place& place, const Post& post) {
  if (place.Advance(post) && inbox_ != nullptr) inbox_->NoteSeen("mattermost", place.name, post.id);
}

milliseconds Listener::AgeOf(const Post& post) const {
  return milliseconds(UnixMs(clock_.WallNow()) + server_ahead_ - post.create_at);
}

void Listener::HandlePost(Place& place, const Post& post, const std::string& sender) {
  Advance(place, post);
  if (post.user_id == self_.id && !post.choices.empty() && prompts_.Find(post.id) == nullptr) {
    prompts_.Note(post.id, post.choices);
  }
  if (!IsPersons(post, self_) || inbox_ == nullptr || !seen_.Add(post.id, true)) return;
  roots_.Add(post.id, post.root_id);
  chat::Incoming incoming = WordsOf(post, sender, self_, place.direct);
  incoming.channel = place.name;
  const auto kind = post.root_id.empty() ? std::nullopt : KindOfReply(incoming.text);
  if (!kind) return HandIn(std::move(incoming), AgeOf(post));
  Queue(
      {.prompt = post.root_id, .kind = *kind, .reaction = false, .incoming = std::move(incoming), .age = AgeOf(post)});
}

void Listener::HandleReaction(const Place& place, const Reaction& reaction) {
  const auto kind = KindOfEmoji(reaction.emoji);
  if (!kind || reaction.user_id == self_.id || inbox_ == nullptr) return;
  Answer answer{.prompt = reaction.post_id, .kind = *kind, .reaction = true, .incoming = {}};
  answer.incoming.message_id = ReactionMessageId(reaction, *kind);
  if (!seen_.Add(answer.incoming.message_id, true)) return;
  answer.incoming.actor = {
      .platform = "mattermost", .id = reaction.user_id, .name = "", .roles = {}, .direct = place.direct};
  answer.incoming.channel = place.name;
  Queue(std::move(answer));
}

void Listener::HandIn(chat::Incoming incoming, milliseconds age) {
  if (inbox_ == nullptr) return;
  if (age > kTooOld) {
    inbox_->Missed(std::move(incoming), clock_.WallNow() - age);
  } else {
    inbox_->Receive(std::move(incoming));
  }
}

// ---- Answers to prompts ----

// One after another: who answered first is not overtaken while something is looked up.
void Listener::Queue(Answer answer) {
  answers_.push_back(std::move(answer));
  if (!std::exchange(taking_answers_, true)) tasks_.Spawn("mattermost answers", TakeAnswers());
}

Task<void> Listener::TakeAnswers() {
  while (!answers_.empty()) {
    Answer answer = std::move(answers_.front());
    answers_.pop_front();
    co_await TakeAnswer(std::move(answer));
  }
  taking_answers_ = false;
}

Task<void> Listener::TakeAnswer(Answer answer) {
  const auto choices = co_await ChoicesOf(answer.prompt);
  if (!choices) Put(answer, choices.error());
  std::string command = choices ? CommandOf(*choices, answer.kind) : "";
  if (command.empty()) {
    // It is no prompt: a word in a thread is talk like any other.
    if (!answer.reaction) HandIn(std::move(answer.incoming), answer.age);
    co_return;
  }
  if (answer.reaction) {
    const std::string id = answer.incoming.actor.id;
    const User* known = users_.Find(id);
    if (known == nullptr) {
      const auto user = co_await rest_.GetUser(id);
      if (!user) {
        Put(answer, user.error());
        co_return;
      }
      users_.Add(id, *user);
      known = users_.Find(id);
    }
    // Other bots react as they please.
    if (known->bot) co_return;
    answer.incoming.actor.name = known->name.empty() ? id : known->name;
  }
  // Late as it may be, it means this question and no other, and whether that is still open is asked of the gate.
  answer.incoming.text = std::move(command);
  answer.incoming.addressed = true;
  if (inbox_ != nullptr) inbox_->Receive(std::move(answer.incoming));
}

// It is read again after the next loss of the connection.
void Listener::Put(const Answer& answer, const Error& error) {
  if (answer.reaction) seen_.Remove(answer.incoming.message_id);
  LogWarn("mattermost: an answer to a question could not be looked at: " + error.what);
}

Task<Result<std::vector<chat::Choice>>> Listener::ChoicesOf(std::string post_id) {
  if (const auto* known = prompts_.Find(post_id)) co_return *known;
  auto post = co_await rest_.GetPost(post_id);
  if (!post && post.error().code == Errc::kNotFound) co_return std::vector<chat::Choice>();
  if (!post) co_return Fail(post.error());
  // Nobody but we can make a prompt.
  if (post->user_id != self_.id) post->choices.clear();
  prompts_.Note(post_id, post->choices);
  co_return std::move(post->choices);
}

void Listener::Asked(const std::string& post_id, std::vector<chat::Choice> choices) {
  prompts_.Note(post_id, choices);
  if (!choices.empty() && offered_.Add(post_id, true))
    tasks_.Spawn("mattermost prompt", Offer(post_id, std::move(choices)));
}

Task<void> Listener::Offer(std::string post_id, std::vector<chat::Choice> choices) {
  for (const chat::Choice& choice : choices) {
    const auto added = co_await rest_.AddReaction(self_.id, post_id, std::string(EmojiOf(choice.kind)));
    if (added) continue;
    LogWarn("mattermost: a question is without a reaction to click: " + added.error().what);
    co_return;
  }
}

// ---- What was missed ----

Task<void> Listener::CatchUp() {
  while (std::exchange(wanted_catch_up_, false)) {
    const auto places = places_.All();
    for (const auto& place : places) {
      if (place->id.empty()) continue;
      if (!looked_for_prompts_ && !place->direct) co_await FindPrompts(place);
      co_await CatchUpIn(place);
    }
    looked_for_prompts_ = true;
    const auto open = prompts_.Open();
    for (const std::string& prompt : open) {
      const base::SteadyTime deadline = clock_.Now() + kCatchUpLimit;
      for (auto read = co_await ReadPrompt(prompt); !read; read = co_await ReadPrompt(prompt)) {
        if (IsFinal(read.error()) || clock_.Now() > deadline) {
          LogWarn("mattermost: an answer may be missed: " + read.error().what);
          break;
        }
        co_await async::Sleep(seconds(1));
      }
    }
  }
  catching_up_ = false;
  for (Held& held : std::exchange(held_, {})) {
    if (const auto* event = std::get_if<PostEvent>(&held.event)) {
      HandlePost(*held.place, event->post, event->sender);
    } else {
      HandleReaction(*held.place, std::get<Reaction>(held.event));
    }
  }
}

Task<void> Listener::CatchUpIn(std::shared_ptr<Place> place) {
  const base::SteadyTime deadline = clock_.Now() + kCatchUpLimit;
  const std::string anchor = place->cursor;
  for (std::size_t page = 0; page <= kPages;) {
    const bool last = page == kPages || anchor.empty();
    if (page == kPages) {
      LogWarn(fmt::format("mattermost: more than {} posts were missed in {}; only the latest are looked at further",
                          kPages * Rest::kPage, place->name));
    }
    const auto posts = last ? co_await rest_.GetLatestPosts(place->id, Rest::kPage, 0)
                            : co_await rest_.GetPostsAfter(place->id, anchor, page);
    if (!posts) {
      if (IsFinal(posts.error()) || clock_.Now() > deadline) {
        LogError("mattermost: what was missed stays unread: " + posts.error().what);
        co_return;
      }
      co_await async::Sleep(seconds(1));
      continue;
    }
    for (const Post& post : *posts) {
      std::string name;
      if (IsPersons(post, self_) && seen_.Find(post.id) == nullptr) name = co_await NameOf(post.user_id);
      HandlePost(*place, post, name);
    }
    if (last || posts->size() < Rest::kPage) co_return;
    ++page;
  }
}

// The questions that an earlier run of the program asked.
Task<void> Listener::FindPrompts(std::shared_ptr<Place> place) {
  const auto posts = co_await rest_.GetLatestPosts(place->id, Rest::kPage, 0);
  if (!posts) {
    LogWarn("mattermost: open questions are not looked for: " + posts.error().what);
    co_return;
  }
  for (const Post& post : *posts) {
    const bool asks = post.user_id == self_.id && post.delete_at == 0 && !post.choices.empty();
    if (asks && prompts_.Find(post.id) == nullptr) prompts_.Note(post.id, post.choices);
  }
}

// What was answered while nothing was heard.
Task<Result<void>> Listener::ReadPrompt(std::string post_id) {
  const auto thread = co_await rest_.GetThread(post_id);
  if (!thread && thread.error().code == Errc::kNotFound) {
    // It was deleted, and nobody can answer it there.
    prompts_.Note(post_id, {});
    co_return Result<void>();
  }
  if (!thread) co_return Fail(thread.error());
  const auto root = std::ranges::find(*thread, post_id, &Post::id);
  const auto place = root == thread->end() ? nullptr : places_.ById(root->channel_id);
  if (!place) co_return Result<void>();
  const auto reactions = co_await rest_.GetReactions(post_id);
  if (!reactions) co_return Fail(reactions.error());

  // An earlier run of the program may have ended before it offered them.
  const auto offered = [&](const chat::Choice& choice) {
    return std::ranges::any_of(*reactions, [&](const Reaction& reaction) {
      return reaction.user_id == self_.id && reaction.emoji == EmojiOf(choice.kind);
    });
  };
  if (!std::ranges::all_of(root->choices, offered)) {
    tasks_.Spawn("mattermost prompt", Offer(post_id, root->choices));
  }
  for (const Reaction& reaction : *reactions) HandleReaction(*place, reaction);
  for (const Post& post : *thread) {
    if (!IsPersons(post, self_) || seen_.Find(post.id) != nullptr) continue;
    const std::string name = co_await NameOf(post.user_id);
    HandlePost(*place, post, name);
  }
  co_return Result<void>();
}

Task<std::string> Listener::NameOf(std::string user_id) {
  if (const std::string* name = names_.Find(user_id)) co_return *name;
  const auto user = co_await rest_.GetUser(user_id);
  if (!user) co_return std::string();
  names_.Add(user_id, user->name);
  users_.Add(user_id, *user);
  co_return user->name;
}

Task<Result<std::string>> Listener::RootOf(std::string post_id) {
  if (const std::string* root = roots_.Find(post_id)) co_return *root;
  const auto post = co_await rest_.GetPost(post_id);
  if (post) co_return post->root_id;
  if (post.error().code != Errc::kNotFound) co_return Fail(post.error());
  co_return std::string();
}

}  // namespace shipmate::platforms::mattermost
