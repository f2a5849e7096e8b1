#pragma once

// Outbox: what is to be posted. Each channel has its queue (outgoing_queue.h says what goes first and what gives way)
// and one sending coroutine. Push returns at once and never fails.
//
// It promises that every event is seen once. A notice is in the database, under a key that names its event, before the
// call that queues it returns; it stays there until the platform has acknowledged it; and a key that is there is not
// told again, after a restart neither. What may have been posted and was not acknowledged is repeated under the same
// key while the platform surely knows the key, and looked for among our own posts after that.
//
// An answer is handed to the platform first, so that no disk stands in its way, and recorded when it is not
// acknowledged soon. `Answer::kept` is called when it can no longer be lost: whoever remembers that the command still
// has to be answered forgets it then, not before.
//
// Where messages cannot be stored they are posted all the same.

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/spawn.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/mask.h"
#include "chat/frontend.h"
#include "chat/message.h"
#include "chat/outbox_store.h"
#include "chat/outgoing_queue.h"
#include "store/database.h"

namespace shipmate::chat {

/// Whether a notice also goes to a channel that is about to get an answer that tells the same. A post there that it is
/// a new text of is edited in any case.
enum class Repeat { kEverywhere, kNotWhereAnswered };

/// What somebody is told who asked.
struct Answer {
  std::string channel;
  /// Id of the message to answer.
  std::string reply_to;
  std::string key;
  Message message;
  /// The edit key of an acknowledgement whose post it takes the place of; empty: none.
  std::string instead_of = {};
  /// kAcknowledge or kReply.
  Priority priority = Priority::kReply;
  /// Called once it cannot be lost any more, or was given up; may be empty. After Close it is not called.
  std::function<void()> kept = nullptr;
  /// kFirst: an answer of that key may have been recorded by an earlier run of the program; then this one is dropped.
  enum class Record { kLater, kFirst };
  Record record = Record::kLater;
};

struct OutboxOptions {
  /// Secrets known to it leave in no message; none are known when it is null.
  std::shared_ptr<const base::Masker> masker = nullptr;
  /// The machine's when null.
  const base::Clock* clock = nullptr;
  /// outbox.db, opened with OutboxStore::Migrations; when null, nothing survives the program.
  store::Database* database = nullptr;
  std::chrono::milliseconds first_retry{1000};
  std::chrono::milliseconds longest_retry{60000};
  /// A notice that could not be posted for so long is left out.
  std::chrono::hours age{24};
  /// How long keys and posts are remembered.
  std::chrono::hours memory{24 * 30};
  /// An answer not acknowledged within this is recorded.
  std::chrono::milliseconds answer_grace{250};
};

class Outbox {
 public:
  /// REQUIRES: the clock and the database of the options outlive it.
  Outbox(Executor executor, OutboxOptions options);
  explicit Outbox(Executor executor) : Outbox(std::move(executor), OutboxOptions()) {}
  /// REQUIRES: Close has completed, or the loop has ended.
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  /// Starts sending for `frontend`, which must outlive the outbox, with what an earlier run of the program left; the
  /// first post waits for Ready.
  void Add(Frontend& frontend);
  const std::vector<Frontend*>& Frontends() const { return frontends_; }

  /// Queues an answer. Answers are never left out for notices, and go before them.
  void Reply(Frontend& frontend, Answer answer);
  void Reply(Frontend& frontend, const std::string& channel, const std::string& reply_to, const std::string& key,
             Message message) {
    Answer answer{.channel = channel, .reply_to = reply_to, .key = key, .message = std::move(message)};
    Reply(frontend, std::move(answer));
  }
  /// Queues a notice of kind `kind` ("service", "deploy", "webhook") about `service` for every channel of every
  /// frontend that wants it. `key` names the event, once for all time; the channel is added to it.
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

  /// Sends what is queued, for at most `limit`, then ends. What is left waits for the next start, or is lost where it
  /// was not stored; it is logged, with its count.
  Task<void> Close(std::chrono::milliseconds limit);

 private:
  struct Lane;
  struct Desk;
  struct Unrecorded {
    base::SteadyTime at;
    Lane* lane;
    std::uint64_t serial;
  };

  Lane& LaneOf(Desk& desk, const std::string& channel);
  Desk* DeskOf(const Frontend& frontend);
  OutgoingItem MakeItem(const Desk& desk, const std::string& channel, const std::string& key, const Message& message);
  void QueueNotice(Desk& desk, const std::string& channel, const std::string& key, const Message& message);
  void Enqueue(Lane& lane, OutgoingItem item);
  void Settled(Lane& lane, OutgoingQueue::Pushed pushed);
  /// Whether there is a post of `slot`, or one waits.
  bool IsShown(Desk& desk, const std::string& channel, const std::string& slot);
  bool Answered(const std::string& platform, const std::string& channel, const std::string& service) const;

  Task<void> Drain(Lane& lane);
  /// Puts what is to be said first at the head of the queue: counts of what was left out, summaries.
  void Prepare(Lane& lane);
  Task<void> Deliver(Lane& lane);
  /// Whether the item in flight, if it is in doubt, may be sent: it was not posted, or will not be posted twice.
  Task<bool> ResolveDoubt(Lane& lane);
  Task<void> SendItem(Lane& lane);
  /// The post that the item in flight is a new text of; "" when there is none.
  std::string PostToEdit(Lane& lane);
  Task<bool> EditItem(Lane& lane, std::string post);
  void Posted(Lane& lane, const std::string& post);
  void Edited(Lane& lane, const std::string& post);
  void Failed(Lane& lane, const Error& error);
  void GiveUp(Lane& lane, OutgoingItem& item);
  void LeaveOut(Lane& lane, std::vector<OutgoingItem> items);

  bool Keeps(const Lane& lane) const;
  /// Writes the item's row; false when its key is known, so that it must not be told again.
  bool Record(const Lane& lane, OutgoingItem& item);
  void RecordAnswer(Lane& lane, std::uint64_t serial);
  Task<void> RecordAnswers();
  /// Logs that the database failed, now and then.
  void Note(const Result<void>& stored);

  // Constant after construction.
  Executor executor_;
  OutboxOptions options_;
  const base::Clock& clock_;

  std::unique_ptr<store::Database> memory_;  // where no database was given
  std::optional<OutboxStore> store_;
  std::vector<Frontend*> frontends_;
  std::vector<std::unique_ptr<Desk>> desks_;
  std::list<const Awaited*> awaited_;
  async::TaskGroup senders_;
  std::deque<Unrecorded> unrecorded_;
  boost::asio::steady_timer recorder_wake_;
  std::uint64_t serials_ = 0;
  base::SteadyTime next_complaint_;
  // Close has begun: the senders end when their queues are empty.
  bool closed_ = false;
  // Nothing more is sent.
  bool ended_ = false;
};

}  // namespace shipmate::chat
