#pragma once

// Outbox: what is to be posted, in order, one queue and one sending coroutine a frontend. Push returns at once and
// never fails; the queue is bounded, and what had to be left out is said in the channel ("3 notices left out").

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "async/spawn.h"
#include "async/task.h"
#include "chat/frontend.h"
#include "chat/message.h"

namespace shipmate::chat {

class Outbox {
 public:
  /// Messages kept for one frontend.
  static constexpr std::size_t kCapacity = 500;

  explicit Outbox(Executor executor);
  /// REQUIRES: Close has completed, or the loop has ended.
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  /// Starts sending for `frontend`, which must outlive the outbox.
  void Add(Frontend& frontend);
  const std::vector<Frontend*>& Frontends() const { return frontends_; }

  /// Queues an answer. Answers are never left out for notices.
  void Reply(Frontend& frontend, const std::string& channel, const std::string& reply_to, const std::string& key,
             Message message);
  /// Queues a notice of kind `kind` ("service", "deploy", "webhook") about `service` for every channel of every
  /// frontend that wants it.
  void Notice(const std::string& kind, const std::string& service, const std::string& key, const Message& message);

  /// Sends what is queued, for at most `limit`, then ends; what is left is logged, with its count.
  Task<void> Close(std::chrono::milliseconds limit);

 private:
  struct Queue;
  Executor executor_;
  std::vector<Frontend*> frontends_;
  std::vector<std::unique_ptr<Queue>> queues_;
};

}  // namespace shipmate::chat
