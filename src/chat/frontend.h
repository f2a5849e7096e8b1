#pragma once

// Frontend: what a chat platform must supply, and all it must supply. It carries text in and out: it never parses a
// verb, words an announcement, counts code points or talks to a service. A new platform is one folder that implements
// this and one word in the registry.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/clock.h"
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
  /// He speaks to us alone, in no channel of the configuration: what is for everyone there is not for him.
  bool direct = false;
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

/// A file that goes with a message. The name is ours: letters, digits, '-', '_' and '.' only.
struct Attachment {
  std::string name;
  std::string bytes;
  bool operator==(const Attachment&) const = default;
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
  /// Only where Abilities::files.
  std::vector<Attachment> attachments = {};
  Tone tone = Tone::kNews;
  /// Where the platform has nothing for them, the text alone tells how to answer.
  std::vector<Choice> choices = {};

  bool operator==(const Outgoing&) const = default;
};

/// A message as the platform keeps it.
struct Posted {
  /// For Edit; empty where the platform has no such thing.
  std::string id;
};

/// A new text for a message that was posted.
struct Revision {
  std::string channel;
  std::string id;
  std::string text;
  /// Added to the message. Only where Abilities::files_by_edit.
  std::vector<Attachment> attachments = {};
  Tone tone = Tone::kNews;
  /// In place of those it had.
  std::vector<Choice> choices = {};
};

/// A message of which it is not known whether it was posted.
struct Doubt {
  Outgoing outgoing;
  /// When it was first tried: no post is older, but for a difference of clocks.
  base::WallTime since;
  /// Id of the last post of ours in that channel that is known for another message: what we look for came later. Empty
  /// when there is none.
  std::string after;
};

/// What a platform can do; the same for its whole life.
struct Abilities {
  bool edits = false;          ///< Edit works
  bool files = false;          ///< Send takes attachments
  bool files_by_edit = false;  ///< Edit takes attachments
  /// What is posted is there to be read later, so that a message that could not be posted is worth keeping until the
  /// next start of the program. Not so for a terminal.
  bool lasting = false;
  /// For so long after its first try a Send of the same key is surely not posted twice; zero: the platform does not
  /// look at keys. Somewhat less than what the platform promises.
  std::chrono::milliseconds repeat_window{0};
  /// Edits of one message follow each other no faster.
  std::chrono::milliseconds edit_interval{2000};
};

/// Where a frontend hands in what people say.
class Inbox {
 public:
  /// What was typed longer ago than this while nobody listened is passed over in silence.
  static constexpr std::chrono::minutes kMissedAge{15};

  virtual ~Inbox() = default;
  /// Takes the message and returns at once; if it is a command, the answer comes through the Outbox.
  virtual void Receive(Incoming incoming) = 0;
  /// For a frontend that shows answers itself, in order: the answer, or nullopt when it was no command.
  virtual Task<std::optional<Message>> Ask(Incoming incoming) = 0;
  /// For a frontend that can look at what was said while it was away. The newest message read in `channel`: before this
  /// run of the program, or by NoteSeen; "" when there is none, or it is not known.
  virtual std::string LastSeen(const std::string& /*platform*/, const std::string& /*channel*/) { return ""; }
  /// `message_id` is the newest message read in `channel`.
  virtual void NoteSeen(const std::string& /*platform*/, const std::string& /*channel*/,
                        const std::string& /*message_id*/) {}
  /// A message of `at` that nobody read then. A command in it is not run: it is answered once, as missed.
  virtual void Missed(Incoming /*incoming*/, base::WallTime /*at*/) {}
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
  virtual Abilities GetAbilities() const = 0;
  bool CanEdit() const { return GetAbilities().edits; }

  /// Posts one message, obeying the platform's limits on rate (waiting as told) and size, and trying again for half a
  /// minute at most. One call at a time in a channel; calls for several channels run side by side. Errors:
  /// kNotFound, kRefused, kInvalid, kTooLarge: this message will never be posted.
  /// kAuth: nothing will, before a person has mended it and the program was started anew.
  /// Anything else: not now (after Error::retry_after, where it is given); it may have been posted nevertheless.
  virtual Task<Result<Posted>> Send(Outgoing outgoing) = 0;
  /// Replaces the text of a post of ours. Errors as of Send; kNotFound: the post is gone. Repeating it does no harm.
  virtual Task<Result<void>> Edit(Revision revision) = 0;
  /// Looks for the message among our own latest posts in its channel; nullopt: it was not posted. Where the platform
  /// keeps the key with the post, it is found by that, else by its text.
  virtual Task<Result<std::optional<Posted>>> FindOwn(Doubt doubt) = 0;
  virtual Health GetHealth() const = 0;
};

}  // namespace shipmate::chat
