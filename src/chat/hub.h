#pragma once

// Hub: the one desk at which every platform's messages arrive: parse, dispatch, answer through the outbox. It is the
// Inbox of every frontend. Each command is logged, with who gave it; so is each refusal.

#include <chrono>
#include <string>
#include <vector>

#include "async/spawn.h"
#include "chat/dispatcher.h"
#include "chat/frontend.h"
#include "chat/outbox.h"

namespace shipmate::chat {

class Hub final : public Inbox {
 public:
  /// Commands that may run at a time; a further one is told to come again.
  static constexpr std::size_t kRunningLimit = 64;

  /// REQUIRES: everything referred to outlives the hub.
  Hub(Executor executor, Dispatcher& dispatcher, Outbox& outbox, std::string prefix);

  void Receive(Incoming incoming) override;
  Task<std::optional<Message>> Ask(Incoming incoming) override;
  /// Completions of the last word of `line`, each as the whole word: verbs for the first, then what the verb takes.
  std::vector<std::string> Complete(const std::string& line) override;

  /// Takes no more commands; waits, at most `limit`, until the answers of running ones are in the outbox. Those that
  /// run longer are given up, and answered as interrupted.
  Task<void> Close(std::chrono::milliseconds limit);

 private:
  Parsed Parse(const Incoming& incoming) const;
  Task<void> Answer(Incoming incoming, Parsed parsed);
  Task<Message> Perform(Incoming incoming, Parsed parsed);
  Scope ScopeOf(const Incoming& incoming) const;
  void Reply(const Incoming& incoming, Message message);

  Executor executor_;
  Dispatcher& dispatcher_;
  Outbox& outbox_;
  std::string prefix_;
  async::TaskGroup running_;
  bool closed_ = false;
};

}  // namespace shipmate::chat
