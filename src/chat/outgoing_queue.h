#pragma once

// OutgoingQueue: what waits to be posted in one channel. It decides the order, what gives way when there is too much,
// and what becomes one; it sends nothing and stores nothing. Pure: `now` in, items out.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "chat/frontend.h"

namespace shipmate::chat {

/// What goes first. Within one of them the order of the events is kept.
enum class Priority : std::uint8_t {
  kAcknowledge,  ///< "on it": worth nothing when it comes late
  kReply,        ///< the answer to a command
  kNotice,       ///< news
  kTail,         ///< a passing state of a message that is edited; left out where nothing can be edited
};

/// One message on its way.
struct OutgoingItem {
  Priority priority = Priority::kNotice;
  Outgoing post;
  /// Messages of one slot are one post that is edited; empty: a post of its own.
  std::string slot;
  /// A slot whose post it takes the place of, where its own has none.
  std::string instead_of;
  /// The first line without markup, for summaries.
  std::string headline;
  bool failure = false;
  /// Not to be taken into a summary: a person has to answer it.
  bool alone = false;
  base::WallTime created;
  /// When it was first handed to the platform and not acknowledged: it may have been posted. Zero: not in doubt.
  base::WallTime tried;
  /// The last post known in the channel at that time.
  std::string after;

  /// Its text says how old it is, if it was to say so.
  bool dated = false;

  /// Its row in the store; 0: none.
  std::int64_t row = 0;
  /// Names it within the outbox while it lives.
  std::uint64_t serial = 0;
  /// Called once it cannot be lost any more, or was given up.
  std::function<void()> kept;
  /// Tries that failed.
  unsigned failures = 0;
  base::SteadyTime not_before;
};

class OutgoingQueue {
 public:
  /// Notices kept; beyond it the oldest gives way. Answers are kept up to the same number more.
  static constexpr std::size_t kCapacity = 500;
  /// From this many waiting notices on they are told in one summary.
  static constexpr std::size_t kFloodFrom = 10;

  struct Pushed {
    /// An answer for which there is no room any more: the oldest that waits, or the item itself.
    std::optional<OutgoingItem> refused;
    /// What is not to be posted any more: replaced by the item (the same slot), or left out for it.
    std::vector<OutgoingItem> superseded;
    std::vector<OutgoingItem> left_out;
  };
  /// Adds `item` behind its like; one of the same slot that waits, and that was never tried, is replaced by it.
  Pushed Push(OutgoingItem item);
  /// Adds it before its like.
  void PushFront(OutgoingItem item);
  /// Puts back what could not be posted now: first of its like, not before `at`. Returns it when a newer one of its
  /// slot waits: then it is not needed any more.
  std::optional<OutgoingItem> PutBack(OutgoingItem item, base::SteadyTime at);

  /// The next item that may go out at `now`, if there is one. Edits of passing states go out `edit_interval` apart.
  std::optional<OutgoingItem> Take(base::SteadyTime now, std::chrono::milliseconds edit_interval);
  /// When Take may give something, after it gave nothing; nullopt: nothing waits.
  std::optional<base::SteadyTime> ReadyAt() const;
  /// Whether the next item is a notice, or there is none at all.
  bool NoticesAreNext() const;
  /// All waiting notices that were never tried and may be summarised, when there are kFloodFrom of them or more and the
  /// first waiting notice is one of them; else nothing.
  std::vector<OutgoingItem> TakeFlood();
  /// Notices created before `time`, taken out.
  std::vector<OutgoingItem> TakeOlder(base::WallTime time);

  /// The item of that serial number, while it waits.
  OutgoingItem* Find(std::uint64_t serial);
  /// Calls `visit` for every item, in no order.
  void ForEach(const std::function<void(OutgoingItem&)>& visit);
  std::size_t Size() const;
  bool Empty() const { return Size() == 0; }

 private:
  using Items = std::list<OutgoingItem>;

  Items& Of(Priority priority) { return items_[static_cast<std::size_t>(priority)]; }
  const Items& Of(Priority priority) const { return items_[static_cast<std::size_t>(priority)]; }
  std::size_t Answers() const { return Of(Priority::kAcknowledge).size() + Of(Priority::kReply).size(); }
  std::optional<OutgoingItem> TakeOldestAnswer();
  void DropOldestNotice(std::vector<OutgoingItem>& dropped);

  std::array<Items, 4> items_;
  base::SteadyTime next_tail_;
};

}  // namespace shipmate::chat
