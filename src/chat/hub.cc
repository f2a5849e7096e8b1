#include "chat/hub.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"

namespace shipmate::chat {

namespace {

// A cancelled command has this long to come back.
constexpr std::chrono::seconds kUnwindLimit(2);

// Enough to see in the log what was asked, whatever was pasted.
constexpr std::size_t kLoggedText = 300;

// What is a notice to others is told by the answer to these commands; `services` are the globs of what they change.
std::optional<std::vector<std::string>> ChangedBy(const config::CommandSpec& spec, const Command& command) {
  if (spec.name == "start" || spec.name == "stop" || spec.name == "restart") return command.arguments;
  if (spec.name == "start-all" || spec.name == "stop-all" || spec.name == "reload") {
    return std::vector<std::string>(1, "*");
  }
  return std::nullopt;
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

void LogCommand(const Incoming& incoming) {
  LogInfo("command: " + Described(incoming));
}

Message Plain(std::string text) {
  Message message;
  message.headline.Plain(std::move(text));
  return message;
}

}  // namespace

Hub::Hub(Executor executor, Dispatcher& dispatcher, Outbox& outbox, std::string prefix)
    : executor_(std::move(executor)),
      dispatcher_(dispatcher),
      outbox_(outbox),
      prefix_(std::move(prefix)),
      running_(executor_) {}

Parsed Hub::Parse(const Incoming& incoming) const {
  return ParseCommandText(incoming.text, {.prefix = prefix_, .addressed = incoming.addressed});
}

void Hub::Receive(Incoming incoming) {
  Parsed parsed = Parse(incoming);
  if (closed_ || std::holds_alternative<NotACommand>(parsed)) return;
  LogCommand(incoming);
  if (running_.Size() >= kRunningLimit) {
    Reply(incoming, Plain("too many commands at once, try again"));
    return;
  }
  running_.Spawn("command", Answer(std::move(incoming), std::move(parsed)));
}

Task<std::optional<Message>> Hub::Ask(Incoming incoming) {
  Parsed parsed = Parse(incoming);
  if (std::holds_alternative<NotACommand>(parsed)) co_return std::nullopt;
  if (closed_) co_return Plain("shutting down");
  LogCommand(incoming);
  co_return co_await Perform(std::move(incoming), std::move(parsed));
}

Task<void> Hub::Answer(Incoming incoming, Parsed parsed) {
  Reply(incoming, co_await Perform(incoming, std::move(parsed)));
}

Task<Message> Hub::Perform(Incoming incoming, Parsed parsed) {
  Judgement judged = dispatcher_.Judge(parsed, incoming.actor, ScopeOf(incoming));
  if (judged.decision == Decision::kRefused) {
    LogWarn(fmt::format("command refused: {}: {}", judged.reason, Described(incoming)));
  }
  if (judged.decision != Decision::kAllowed) co_return std::move(judged.answer);
  const Command command = std::get<Command>(std::move(parsed));

  std::optional<Outbox::Awaited> awaited;
  if (auto changed = ChangedBy(*judged.spec, command)) {
    awaited.emplace(outbox_, incoming.actor.platform, incoming.channel, std::move(*changed));
  }

  std::string failure;
  try {
    co_return co_await dispatcher_.Run(std::move(judged), incoming.actor);
  } catch (const boost::system::system_error& error) {
    if (error.code() == boost::asio::error::operation_aborted) {
      co_return Plain(command.verb + ": interrupted, Shipmate is shutting down");
    }
    failure = error.what();
  } catch (const std::exception& error) {
    failure = error.what();
  }
  LogError(fmt::format("command {}: ended by an error: {}", command.verb, failure));
  co_return Plain(command.verb + ": failed by an error of Shipmate's own; its log tells more");
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

void Hub::Reply(const Incoming& incoming, Message message) {
  for (Frontend* frontend : outbox_.Frontends()) {
    if (frontend->Name() != incoming.actor.platform) continue;
    outbox_.Reply(*frontend, incoming.channel, incoming.message_id,
                  fmt::format("r:{}:{}", incoming.actor.platform, incoming.message_id), std::move(message));
    return;
  }
  LogError(fmt::format("command: no frontend {} to answer through", base::Quote(incoming.actor.platform)));
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
  if (co_await running_.Join(limit)) co_return;
  LogWarn(fmt::format("{} commands were interrupted by the end", running_.Size()));
  running_.Cancel();
  if (!co_await running_.Join(kUnwindLimit)) LogError("hub: a command does not end");
}

}  // namespace shipmate::chat
