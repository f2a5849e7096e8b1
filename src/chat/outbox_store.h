#pragma once

// OutboxStore: the messages that are to survive the program, in outbox.db: those not acknowledged yet, the keys of
// those that were (so that no event is told twice), and which post belongs to which edit key. Used on the loop: each
// call is one small transaction, which a kill of the program neither loses nor halves.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "chat/outgoing_queue.h"
#include "store/database.h"

namespace shipmate::chat {

class OutboxStore {
 public:
  /// Of outbox.db. In order, only ever appended to.
  static const std::vector<std::string>& Migrations();

  /// REQUIRES: `database`, opened with Migrations, outlives it.
  explicit OutboxStore(store::Database& database) : database_(database) {}

  /// Writes the item's row and gives its number; nullopt when its key is there already: the event was told, or will be.
  Result<std::optional<std::int64_t>> Insert(const std::string& platform, const OutgoingItem& item);
  /// It is about to be handed to the platform, with this text.
  Result<void> MarkTried(const OutgoingItem& item);
  /// It was posted as `post`; "" when the platform gave no id. Its key is remembered.
  Result<void> MarkPosted(const std::string& platform, const OutgoingItem& item, const std::string& post,
                          base::WallTime now);
  /// What it says stands in the post of its slot now. Its key is remembered.
  Result<void> MarkEdited(const OutgoingItem& item, base::WallTime now) { return Strike(item, now); }
  /// It will never be posted. Its key is remembered.
  Result<void> MarkGivenUp(const std::vector<OutgoingItem>& items, base::WallTime now);
  /// The same, and `count` more is to be told as left out in that channel.
  Result<void> MarkLeftOut(const std::string& platform, const std::string& channel,
                           const std::vector<OutgoingItem>& items, base::WallTime now);
  /// Gives up `items` for `instead`, all or nothing; the number of its row.
  Result<std::int64_t> Replace(const std::string& platform, const std::vector<OutgoingItem>& items,
                               const OutgoingItem& instead, base::WallTime now);
  /// Writes the row of `line`, which tells how many were left out, and begins to count anew.
  Result<std::int64_t> TellLeftOut(const std::string& platform, const OutgoingItem& line);

  /// What was not acknowledged, in order.
  Result<std::vector<OutgoingItem>> Waiting(const std::string& platform);
  /// The post of an edit key; "" when there is none.
  Result<std::string> PostOf(const std::string& platform, const std::string& channel, const std::string& slot);
  /// Its post is gone.
  Result<void> ForgetPost(const std::string& platform, const std::string& channel, const std::string& slot);
  struct Place {
    std::string latest;  ///< the last post known
    std::size_t left_out = 0;
  };
  Result<Place> PlaceOf(const std::string& platform, const std::string& channel);

  /// Drops keys and posts older than `memory`, and messages of any platform that wait longer than `age`.
  Result<void> Tidy(base::WallTime now, std::chrono::hours memory, std::chrono::hours age);

 private:
  Result<void> Strike(const OutgoingItem& item, base::WallTime now);
  Result<void> StrikeAll(const std::vector<OutgoingItem>& items, base::WallTime now);

  store::Database& database_;
};

}  // namespace shipmate::chat
