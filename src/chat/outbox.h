#pragma once

// Outbox: what is to be posted, in order, one queue and one sending coroutine a frontend. Push returns at once and
// never fails; the queue is bounded, and what had to be left out is said in the channel ("3 notices left out").

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "async/spawn.h"
#include "async/task.h"
#include "base/mask.h"
#include "chat/frontend.h"
#include "chat/message.h"

namespace shipmate::chat {

/// Whether a notice also goes to a channel that is about to get an answer that tells the same.
enum class Repeat { kEverywhere, kNotWhereAnswered };

class Outbox {
 public:
  /// Messages kept for one frontend. Beyond it the oldest notice gives way; answers are kept up to the same number
  /// more.
  static constexpr std::size_t kCapacity = 500;
  /// From this many waiting notices on, those for one channel that fit into one message are posted as one.
  static constexpr std::size_t kMergeFrom = 10;

  /// Secrets known to `masker` leave in no message; none are known when it is null.
  Outbox(Executor executor, std::shared_ptr<const base::Masker> masker);
  explicit Outbox(Executor executor) : Outbox(std::move(executor), nullptr) {}
  /// REQUIRES: Close has completed, or the loop has ended.
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  /// Starts sending for `frontend`, which must outlive the outbox; the first post waits for Ready.
  void Add(Frontend& frontend);
  const std::vector<Frontend*>& Frontends() const { return frontends_; }

  /// Queues an answer. Answers are never left out for notices.
  void Reply(Frontend& frontend, const std::string& channel, const std::string& reply_to, const std::string& key,
             Message message);
  /// Queues a notice of kind `kind` ("service", "deploy", "webhook") about `service` for every channel of every
  /// frontend that wants it. `key` names the event; the channel is added to it.
  void Notice(const std::string& kind, const std::string& service, const std::string& key, const Message& message) {
    Notice(kind, service, key, message, Repeat::kEverywhere);
  }
  void Notice(const std::string& kind, const std::string& service, const std::string& key, const Message& message,
              Repeat repeat);

  /// Queues a notice for every channel of every frontend, whatever it else wants to hear: for news of the program
  /// itself.
  void Announce(const std::string& key, const Message& message);

  /// A running command whose answer, in `channel` of `platform`, will tell what becomes of the services that fit
  /// `patterns` (globs).
  class Awaited {
   public:
    Awaited(Outbox& outbox, std::string platform, std::string channel, std::vector<std::string> patterns);
    ~Awaited();
    Awaited(const Awaited&) = delete;
    Awaited& operator=(const Awaited&) = delete;

   private:
    friend class Outbox;
    Outbox& outbox_;
    std::string platform_;
    std::string channel_;
    std::vector<std::string> patterns_;
    std::list<const Awaited*>::iterator place_;
  };

  /// Sends what is queued, for at most `limit`, then ends; what is left is logged, with its count.
  Task<void> Close(std::chrono::milliseconds limit);

 private:
  struct Queue;
  Task<void> Drain(Queue& queue);
  Task<void> Post(Queue& queue, Outgoing outgoing);
  bool Answered(const std::string& platform, const std::string& channel, const std::string& service) const;

  // Constant after construction.
  Executor executor_;
  std::shared_ptr<const base::Masker> masker_;

  std::vector<Frontend*> frontends_;
  std::vector<std::unique_ptr<Queue>> queues_;
  std::list<const Awaited*> awaited_;
  async::TaskGroup senders_;
  // Close has begun: the senders end when their queues are empty.
  bool closed_ = false;
  // Nothing more is sent.
  bool ended_ = false;
};

}  // namespace shipmate::chat
