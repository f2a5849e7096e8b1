#include "chat/hub.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "base/time_text.h"
#include "chat/clean.h"

namespace shipmate::chat {

namespace {

// A cancelled command has this long to come back.
constexpr std::chrono::seconds kUnwindLimit(2);

// Enough to see in the log what was asked, whatever was pasted.
constexpr std::size_t kLoggedText = 300;

// Of the commands that an earlier run left behind, the newest are answered.
constexpr std::size_t kAnsweredLate = 100;

// What is a notice to others is told by the answer to these commands; what they change, as globs.
std::optional<std::vector<std::string>> ChangedBy(const Judgement& judged) {
  const std::string& name = judged.spec->name;
  if (name == "start" || name == "stop" || name == "restart") return judged.arguments.services;
  if (name == "confirm" || name == "decline" || name == "deploy" || name == "rollback") {
    return judged.arguments.services;
  }
  if (name == "start-all" || name == "stop-all" || name == "reload") return std::vector<std::string>(1, "*");
  return std::nullopt;
}

std::string DecisionText(const Judgement& judged) {
  switch (judged.decision) {
    case Decision::kAllowed:
      return "allowed";
    case Decision::kRefused:
      return "refused: " + judged.reason;
    case Decision::kWrong:
      break;
  }
  return "not understood";
}

std::string Quoted(const std::string& text) {
  return base::Quote(base::FirstRunes(text, kLoggedText));
}

// One line of the log, whatever was typed.
std::string Described(const Incoming& incoming) {
  return fmt::format("platform={} channel={} actor={} name={} text={}", incoming.actor.platform,
                     Quoted(incoming.channel), Quoted(incoming.actor.id), Quoted(incoming.actor.name),
                     Quoted(incoming.text));
}

// Names what answers it: "r" before it is the key of the answer.
std::string AnswerPost(const Incoming& incoming) {
  return fmt::format(":{}:{}", incoming.actor.platform, incoming.message_id);
}

void LogCommand(const Incoming& incoming) {
  LogInfo("command: " + Described(incoming));
}

Message Plain(std::string text) {
  Message message;
  message.headline.Plain(std::move(text));
  return message;
}

// The answer tells what its command left no trace of.
void AddUnrecorded(const std::string& why, Message& answer) {
  if (!why.empty()) answer.lines.emplace_back("not in the audit trail: " + Shorten(why, kLoggedText));
}

}  // namespace

Hub::Hub(Executor executor, Dispatcher& dispatcher, Outbox& outbox, std::string prefix)
    : executor_(std::move(executor)),
      dispatcher_(dispatcher),
      outbox_(outbox),
      prefix_(std::move(prefix)),
      running_(executor_),
      acknowledging_(executor_) {}

Parsed Hub::Parse(const Incoming& incoming) const {
  return ParseCommandText(incoming.text, {.prefix = prefix_, .addressed = incoming.addressed});
}

std::optional<Hub::Accepted> Hub::Accept(Incoming incoming, const Parsed& parsed) {
  LogCommand(incoming);
  Accepted accepted;
  accepted.judged = dispatcher_.Judge(parsed, incoming.actor, ScopeOf(incoming));
  if (accepted.judged.decision == Decision::kRefused) {
    LogWarn(fmt::format("command refused: {}: {}", accepted.judged.reason, Described(incoming)));
  }
  const Desk& desk = dispatcher_.GetDesk();
  if (desk.audit == nullptr) {
    accepted.unrecorded = desk.unrecorded;
  } else {
    const auto begun = desk.audit->Begin({.platform = incoming.actor.platform,
                                          .message_id = incoming.message_id,
                                          .channel = incoming.channel,
                                          .actor_id = incoming.actor.id,
                                          .actor_name = incoming.actor.name,
                                          .text = incoming.text,
                                          .decision = DecisionText(accepted.judged),
                                          .result = "",
                                          .at = {}});
    if (begun && *begun == history::Seen::kBefore) {
      LogInfo("command not run again: its message was acted upon before");
      return std::nullopt;
    }
    if (!begun) {
      accepted.unrecorded = begun.error().what;
      LogError("command not recorded: " + begun.error().what);
    }
  }
  accepted.incoming = std::move(incoming);
  return accepted;
}

void Hub::Receive(Incoming incoming) {
  const Parsed parsed = Parse(incoming);
  if (closed_ || std::holds_alternative<NotACommand>(parsed)) return;
  auto accepted = Accept(std::move(incoming), parsed);
  if (!accepted) return;
  if (running_.Size() >= kRunningLimit) {
    Reply(accepted->incoming, Plain("too many commands at once, try again"));
    return;
  }
  running_.Spawn("command", Answer(*std::move(accepted)));
}

Task<std::optional<Message>> Hub::Ask(Incoming incoming) {
  const Parsed parsed = Parse(incoming);
  if (std::holds_alternative<NotACommand>(parsed)) co_return std::nullopt;
  if (closed_) co_return Plain("shutting down");
  auto accepted = Accept(std::move(incoming), parsed);
  if (!accepted) co_return std::nullopt;
  Message answer = co_await Perform(accepted->incoming, std::move(accepted->judged));
  AddUnrecorded(accepted->unrecorded, answer);
  Record(accepted->incoming, answer.headline.Bare());
  co_return answer;
}

Task<void> Hub::Answer(Accepted accepted) {
  const auto answered = std::make_shared<async::Event>(executor_);
  if (accepted.judged.decision == Decision::kAllowed && accepted.judged.spec->slow) {
    acknowledging_.Spawn("acknowledgement", Acknowledge(accepted.incoming, answered));
  }
  Message answer = co_await Perform(accepted.incoming, std::move(accepted.judged));
  answered->Set();
  AddUnrecorded(accepted.unrecorded, answer);
  Reply(accepted.incoming, std::move(answer));
}

Task<void> Hub::Acknowledge(Incoming incoming, std::shared_ptr<async::Event> answered) {
  if (co_await answered->WaitFor(kAcknowledgeAfter) || closed_) co_return;
  Frontend* frontend = FrontendOf(incoming.actor.platform);
  if (frontend == nullptr) co_return;
  chat::Answer answer{.channel = incoming.channel,
                      .reply_to = incoming.message_id,
                      .key = "a" + AnswerPost(incoming),
                      .message = {},
                      .priority = Priority::kAcknowledge};
  answer.message.headline.Plain("Working on ").Code(Shorten(incoming.text, kLoggedText)).Plain(" ...");
  answer.message.edit_key = AnswerPost(incoming);
  acknowledged_.insert(AnswerPost(incoming));
  outbox_.Reply(*frontend, std::move(answer));
}

void Hub::Record(const Incoming& incoming, const std::string& result) {
  history::Audit* audit = dispatcher_.GetDesk().audit;
  if (audit == nullptr) return;
  const auto done = audit->Finish(incoming.actor.platform, incoming.message_id, result);
  if (!done) LogError("result of a command not recorded: " + done.error().what);
}

void Hub::AnswerInterrupted() {
  const Desk& desk = dispatcher_.GetDesk();
  if (desk.audit == nullptr) return;
  const auto left = desk.audit->Unanswered();
  if (!left) {
    LogError("commands of an earlier run: " + left.error().what);
    return;
  }
  for (std::size_t i = 0; i < left->size(); ++i) {
    const history::CommandRecord& command = (*left)[i];
    Message answer;
    answer.headline.Code(Shorten(command.text, kLoggedText)).Plain(" was interrupted by a restart of Shipmate");
    answer.headline.Plain(fmt::format(" ({} ago).", base::FormatDuration(desk.clock.WallNow() - command.at)));
    answer.lines.push_back(Text()
                               .Plain("It is not run again: look at ")
                               .Code(prefix_ + "status")
                               .Plain(", then give it once more if need be."));
    const Incoming incoming{.actor = {.platform = command.platform, .id = command.actor_id, .name = command.actor_name},
                            .channel = command.channel,
                            .message_id = command.message_id,
                            .text = command.text};
    // A console of then is not there any more.
    if (left->size() - i <= kAnsweredLate && FrontendOf(command.platform) != nullptr) {
      // Its own answer may lie in the outbox already.
      Reply(incoming, std::move(answer), chat::Answer::Record::kFirst);
    } else {
      Record(incoming, "interrupted by a restart");
    }
  }
}

std::string Hub::LastSeen(const std::string& platform, const std::string& channel) {
  history::Audit* audit = dispatcher_.GetDesk().audit;
  if (audit == nullptr) return "";
  const auto last = audit->LastSeen(platform, channel);
  if (last) return *last;
  LogError("what was read last is not known: " + last.error().what);
  return "";
}

void Hub::NoteSeen(const std::string& platform, const std::string& channel, const std::string& message_id) {
  history::Audit* audit = dispatcher_.GetDesk().audit;
  if (audit == nullptr) return;
  const auto noted = audit->NoteSeen(platform, channel, message_id);
  if (!noted) LogError("what was read last is not recorded: " + noted.error().what);
}

void Hub::Missed(Incoming incoming, base::WallTime at) {
  const Desk& desk = dispatcher_.GetDesk();
  // Without a record it could be told again and again.
  if (closed_ || desk.audit == nullptr || desk.clock.WallNow() - at > kMissedAge) return;
  if (!std::holds_alternative<Command>(Parse(incoming))) return;
  const auto begun = desk.audit->Begin({.platform = incoming.actor.platform,
                                        .message_id = incoming.message_id,
                                        .channel = incoming.channel,
                                        .actor_id = incoming.actor.id,
                                        .actor_name = incoming.actor.name,
                                        .text = incoming.text,
                                        .decision = "missed",
                                        .result = "",
                                        .at = {}});
  if (!begun) {
    LogError("a missed command is not recorded, and not answered: " + begun.error().what);
    return;
  }
  if (*begun == history::Seen::kBefore) return;
  LogInfo("command missed while offline, and not run: " + Described(incoming));
  const Message answer =
      Plain(fmt::format("missed while offline {} ago; not run", base::FormatDuration(desk.clock.WallNow() - at)));
  Reply(incoming, answer);
}

Task<Message> Hub::Perform(const Incoming& incoming, Judgement judged) {
  if (judged.decision != Decision::kAllowed) co_return std::move(judged.answer);
  const std::string verb = judged.spec->name;
  std::optional<Outbox::Awaited> awaited;
  if (auto changed = ChangedBy(judged)) {
    awaited.emplace(outbox_, incoming.actor.platform, incoming.channel, std::move(*changed));
  }

  std::string failure;
  try {
    co_return co_await dispatcher_.Run(std::move(judged), incoming.actor);
  } catch (const boost::system::system_error& error) {
    if (error.code() == boost::asio::error::operation_aborted) {
      co_return Plain(verb + ": interrupted, Shipmate is shutting down");
    }
    failure = error.what();
  } catch (const std::exception& error) {
    failure = error.what();
  }
  LogError(fmt::format("command {}: ended by an error: {}", verb, failure));
  co_return Plain(verb + ": failed by an error of Shipmate's own; its log tells more");
}

Scope Hub::ScopeOf(const Incoming& incoming) const {
  Scope scope;
  scope.channel = incoming.channel;
  for (const Frontend* frontend : outbox_.Frontends()) {
    if (frontend->Name() != incoming.actor.platform) continue;
    for (const config::ChannelConfig& channel : frontend->Channels()) {
      if (channel.id == incoming.channel) scope.services = channel.services;
    }
  }
  return scope;
}

Frontend* Hub::FrontendOf(const std::string& platform) const {
  const auto& frontends = outbox_.Frontends();
  const auto found = std::ranges::find(frontends, platform, &Frontend::Name);
  return found == frontends.end() ? nullptr : *found;
}

void Hub::Reply(const Incoming& incoming, Message message, chat::Answer::Record record) {
  Frontend* frontend = FrontendOf(incoming.actor.platform);
  if (frontend == nullptr) {
    LogError(fmt::format("command: no frontend {} to answer through", base::Quote(incoming.actor.platform)));
    return;
  }
  const std::string result = message.headline.Bare();
  chat::Answer answer{.channel = incoming.channel,
                      .reply_to = incoming.message_id,
                      .key = "r" + AnswerPost(incoming),
                      .message = std::move(message),
                      .record = record};
  // An earlier run of the program may have acknowledged it.
  const bool acknowledged = acknowledged_.erase(AnswerPost(incoming)) > 0;
  if (acknowledged || record == chat::Answer::Record::kFirst) answer.instead_of = AnswerPost(incoming);
  // Not before it is sure to arrive: a command without a result is answered by the next run of the program.
  answer.kept = [this, incoming, result] { Record(incoming, result); };
  outbox_.Reply(*frontend, std::move(answer));
}

std::vector<std::string> Hub::Complete(const std::string& line) {
  const Desk& desk = dispatcher_.GetDesk();
  const std::size_t blank = line.find_last_of(" \t");
  const std::string last = blank == std::string::npos ? line : line.substr(blank + 1);
  std::vector<std::string> words;
  for (const std::string_view word : base::Split(line, ' ')) {
    if (!base::Trim(word).empty()) words.emplace_back(base::Trim(word));
  }

  std::string prefix;
  std::vector<std::string> candidates;
  const bool first = words.empty() || (words.size() == 1 && !last.empty());
  if (!prefix_.empty() && !words.empty() && words[0].starts_with(prefix_)) {
    if (first) prefix = prefix_;
    words[0].erase(0, prefix_.size());
  }
  if (first) {
    candidates = desk.verbs.Names();
  } else if (const config::CommandSpec* spec = desk.verbs.Find(base::ToLowerAscii(words[0]))) {
    if (last.starts_with('-')) {
      for (const config::FlagSpec& flag : spec->flags) candidates.push_back("--" + flag.name);
    }
    const std::size_t position = words.size() - (last.empty() ? 1 : 2);
    for (std::size_t i = 0; i < spec->arguments.size(); ++i) {
      const config::ArgumentSpec::Kind kind = spec->arguments[i].kind;
      if (i != position && !(kind == config::ArgumentSpec::Kind::kServices && i < position)) continue;
      if (!spec->arguments[i].choices.empty()) candidates = spec->arguments[i].choices;
      if (kind == config::ArgumentSpec::Kind::kVerb) candidates = desk.verbs.Names();
      if (kind == config::ArgumentSpec::Kind::kService || kind == config::ArgumentSpec::Kind::kServices) {
        candidates = desk.manager.ServiceNames();
      }
    }
  }

  std::vector<std::string> fitting;
  for (const std::string& candidate : candidates) {
    if (std::string word = prefix + candidate; word.starts_with(last)) fitting.push_back(std::move(word));
  }
  std::ranges::sort(fitting);
  return fitting;
}

Task<void> Hub::Close(std::chrono::milliseconds limit) {
  closed_ = true;
  acknowledging_.Cancel();
  if (!co_await acknowledging_.Join(kUnwindLimit)) LogError("hub: an acknowledgement does not end");
  if (co_await running_.Join(limit)) co_return;
  LogWarn(fmt::format("{} commands were interrupted by the end", running_.Size()));
  running_.Cancel();
  if (!co_await running_.Join(kUnwindLimit)) LogError("hub: a command does not end");
}

}  // namespace shipmate::chat
