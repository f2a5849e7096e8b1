#pragma once

// Hub: the one desk at which every platform's messages arrive: parse, dispatch, answer through the outbox. It is the
// Inbox of every frontend.

#include <string>
#include <vector>

#include "async/spawn.h"
#include "chat/dispatcher.h"
#include "chat/frontend.h"
#include "chat/outbox.h"

namespace shipmate::chat {

class Hub final : public Inbox {
 public:
  /// REQUIRES: everything referred to outlives the hub.
  Hub(Executor executor, Dispatcher& dispatcher, Outbox& outbox, std::string prefix);

  void Receive(Incoming incoming) override;
  Task<std::optional<Message>> Ask(Incoming incoming) override;
  std::vector<std::string> Complete(const std::string& line) override;

  /// Takes no more commands; waits, at most `limit`, until the answers of running ones are in the outbox.
  Task<void> Close(std::chrono::milliseconds limit);

 private:
  Task<void> Answer(Incoming incoming);

  Executor executor_;
  Dispatcher& dispatcher_;
  Outbox& outbox_;
  std::string prefix_;
  async::TaskGroup running_;
  bool closed_ = false;
};

}  // namespace shipmate::chat
