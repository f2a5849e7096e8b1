#pragma once

// Hub: the one desk at which every platform's messages arrive: parse, judge, record, run, answer through the outbox. It
// is the Inbox of every frontend. Each command is logged, with who gave it; so is each refusal.
//
// The record is written before a command runs and closed once its answer is queued. A message that has a record is not
// acted upon again, not even after a restart. Where no record can be written, the command runs all the same and its
// answer says so: what is needed at night must not depend on a disk.

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "async/latch.h"
#include "async/spawn.h"
#include "chat/dispatcher.h"
#include "chat/frontend.h"
#include "chat/outbox.h"

namespace shipmate::chat {

class Hub final : public Inbox {
 public:
  /// Commands that may run at a time; a further one is told to come again.
  static constexpr std::size_t kRunningLimit = 64;
  /// A slow command that was not answered within this is acknowledged.
  static constexpr std::chrono::milliseconds kAcknowledgeAfter{1000};

  /// REQUIRES: everything referred to outlives the hub, and the hub the outbox's Close.
  Hub(Executor executor, Dispatcher& dispatcher, Outbox& outbox, std::string prefix);

  void Receive(Incoming incoming) override;
  Task<std::optional<Message>> Ask(Incoming incoming) override;
  std::string LastSeen(const std::string& platform, const std::string& channel) override;
  void NoteSeen(const std::string& platform, const std::string& channel, const std::string& message_id) override;
  void Missed(Incoming incoming, base::WallTime at) override;
  /// Completions of the last word of `line`, each as the whole word: verbs for the first, then what the verb takes.
  std::vector<std::string> Complete(const std::string& line) override;

  /// Answers, once, the commands that an earlier run of the program began and did not answer. Called after the
  /// frontends were added to the outbox, before they run.
  void AnswerInterrupted();

  /// Takes no more commands; waits, at most `limit`, until the answers of running ones are in the outbox. Those that
  /// run longer are given up, and answered as interrupted.
  Task<void> Close(std::chrono::milliseconds limit);

 private:
  /// A command that is to be answered.
  struct Accepted {
    Incoming incoming;
    Judgement judged;
    /// Why there is no record of it; "" when there is one.
    std::string unrecorded;
  };

  Parsed Parse(const Incoming& incoming) const;
  /// Judges and records; nullopt for what was acted upon before.
  std::optional<Accepted> Accept(Incoming incoming, const Parsed& parsed);
  Task<void> Answer(Accepted accepted);
  /// Says that the command is being worked on, unless `answered` is set soon.
  Task<void> Acknowledge(Incoming incoming, std::shared_ptr<async::Event> answered);
  Task<Message> Perform(const Incoming& incoming, Judgement judged);
  /// Writes what came of it into the record.
  void Record(const Incoming& incoming, const std::string& result);
  Scope ScopeOf(const Incoming& incoming) const;
  /// Answers, and records the answer as the command's result once it is sure to arrive.
  void Reply(const Incoming& incoming, Message message, chat::Answer::Record record = chat::Answer::Record::kLater);
  Frontend* FrontendOf(const std::string& platform) const;

  Executor executor_;
  Dispatcher& dispatcher_;
  Outbox& outbox_;
  std::string prefix_;
  async::TaskGroup running_;
  async::TaskGroup acknowledging_;
  // Edit keys of acknowledgements whose answer is to come.
  std::set<std::string> acknowledged_;
  bool closed_ = false;
};

}  // namespace shipmate::chat
