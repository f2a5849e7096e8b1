#pragma once

// Frontend: what a chat platform must supply, and all it must supply. It carries text in and out: it never parses a
// verb, words an announcement, counts code points or talks to a service. A new platform is one folder that implements
// this and one word in the registry.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "chat/dialect.h"
#include "chat/message.h"
#include "config/config.h"

namespace shipmate::chat {

/// A person on a platform. The id is the platform's stable one.
struct Actor {
  std::string platform;
  std::string id;
  std::string name;
  /// Ids of the roles that the platform says the person has where he speaks; for access alone.
  std::vector<std::string> roles;
  bool operator==(const Actor&) const = default;
};

/// A message by a person in a configured place. Frontends pass on nothing else: not their own messages, not other
/// bots', not edits; and each message id once.
struct Incoming {
  Actor actor;
  std::string channel;
  std::string message_id;
  std::string text;
  /// It was addressed to the bot (mention, direct message, console line): a prefix is not needed. The mention itself
  /// has been taken out of `text`.
  bool addressed = false;
};

/// One message to post.
struct Outgoing {
  std::string channel;
  /// Rendered by the frontend's own dialect, within its limit.
  std::string text;
  /// Id of the message to answer; empty for a notice.
  std::string reply_to;
  /// Names the event this message tells. A repeated send of the same key within the platform's window is one post.
  std::string key;
};

/// Where a frontend hands in what people say.
class Inbox {
 public:
  virtual ~Inbox() = default;
  /// Takes the message and returns at once; if it is a command, the answer comes through the Outbox.
  virtual void Receive(Incoming incoming) = 0;
  /// For a frontend that shows answers itself, in order: the answer, or nullopt when it was no command.
  virtual Task<std::optional<Message>> Ask(Incoming incoming) = 0;
  /// Completions of an unfinished line: verbs, then services.
  virtual std::vector<std::string> Complete(const std::string& line) = 0;
};

enum class Connection { kOff, kConnecting, kReady, kFailed };

struct Health {
  Connection connection = Connection::kOff;
  /// For kFailed and kConnecting: why, and what to do.
  std::string reason;
};

class Frontend {
 public:
  virtual ~Frontend() = default;
  /// "discord", "console".
  virtual std::string Name() const = 0;
  virtual const Dialect& GetDialect() const = 0;
  /// The channels that notices go to.
  virtual const std::vector<config::ChannelConfig>& Channels() const = 0;
  /// Connects, and serves until cancelled or fatally refused; a lost connection is taken up again with back-off.
  /// Failures that only a person can mend end it with an Error, after it was logged.
  virtual Task<Result<void>> Run(Inbox& inbox) = 0;
  /// Completes when Run is connected, or has failed for good.
  virtual Task<void> Ready() = 0;
  /// Posts one message, obeying the platform's limits on rate (waiting as told) and size. An Error is final: trying
  /// again would not help, or the limit of patience ran out. One call at a time.
  virtual Task<Result<void>> Send(Outgoing outgoing) = 0;
  virtual Health GetHealth() const = 0;
};

}  // namespace shipmate::chat
