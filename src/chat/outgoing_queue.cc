#include "chat/outgoing_queue.h"

#include <algorithm>
#include <iterator>

namespace shipmate::chat {

namespace {

bool InDoubt(const OutgoingItem& item) {
  return item.tried != base::WallTime();
}

bool MayBeSummarised(const OutgoingItem& item) {
  return !InDoubt(item) && !item.alone;
}

// Both were asked for.
std::function<void()> Both(std::function<void()> first, std::function<void()> second) {
  if (!first) return second;
  if (!second) return first;
  return [first = std::move(first), second = std::move(second)] {
    first();
    second();
  };
}

}  // namespace

OutgoingQueue::Pushed OutgoingQueue::Push(OutgoingItem item) {
  Pushed pushed;
  if (!item.slot.empty()) {
    for (Items& items : items_) {
      const auto older = std::ranges::find_if(
          items, [&](const OutgoingItem& waiting) { return waiting.slot == item.slot && !InDoubt(waiting); });
      if (older == items.end()) continue;
      item.kept = Both(std::move(older->kept), std::move(item.kept));
      older->kept = nullptr;
      item.created = older->created;
      item.not_before = std::max(item.not_before, older->not_before);
      if (older->priority <= item.priority) {
        // It keeps its place, and what it was to tell at least.
        item.priority = older->priority;
        if (item.post.reply_to.empty()) item.post.reply_to = older->post.reply_to;
        std::swap(*older, item);
        pushed.superseded.push_back(std::move(item));
        return pushed;
      }
      pushed.superseded.push_back(std::move(*older));
      items.erase(older);
      break;
    }
  }
  if (item.priority < Priority::kNotice) {
    if (Answers() >= kCapacity) {
      pushed.refused = TakeOldestAnswer();
      if (!pushed.refused) {
        pushed.refused = std::move(item);
        return pushed;
      }
    }
    if (Size() >= kCapacity) DropOldestNotice(pushed.left_out);
  } else if (Size() >= kCapacity) {
    DropOldestNotice(pushed.left_out);
    if (pushed.left_out.empty()) {
      pushed.left_out.push_back(std::move(item));
      return pushed;
    }
  }
  Of(item.priority).push_back(std::move(item));
  return pushed;
}

void OutgoingQueue::PushFront(OutgoingItem item) {
  Of(item.priority).push_front(std::move(item));
}

std::optional<OutgoingItem> OutgoingQueue::PutBack(OutgoingItem item, base::SteadyTime at) {
  if (!item.slot.empty() && !InDoubt(item)) {
    for (const Items& items : items_) {
      if (std::ranges::find(items, item.slot, &OutgoingItem::slot) != items.end()) return item;
    }
  }
  item.not_before = at;
  PushFront(std::move(item));
  return std::nullopt;
}

// Whoever asks anew after a flood waits for the newest answer, and nobody for the oldest.
std::optional<OutgoingItem> OutgoingQueue::TakeOldestAnswer() {
  Items& items = Of(Priority::kReply);
  const auto oldest = std::ranges::find_if_not(items, InDoubt);
  if (oldest == items.end()) return std::nullopt;
  OutgoingItem taken = std::move(*oldest);
  items.erase(oldest);
  return taken;
}

// The newest news matter most; passing states matter least.
void OutgoingQueue::DropOldestNotice(std::vector<OutgoingItem>& dropped) {
  for (const Priority priority : {Priority::kTail, Priority::kNotice}) {
    Items& items = Of(priority);
    if (items.empty()) continue;
    dropped.push_back(std::move(items.front()));
    items.pop_front();
    return;
  }
}

std::optional<OutgoingItem> OutgoingQueue::Take(base::SteadyTime now, std::chrono::milliseconds edit_interval) {
  for (Items& items : items_) {
    if (items.empty() || items.front().not_before > now) continue;
    if (items.front().priority == Priority::kTail && next_tail_ > now) continue;
    OutgoingItem item = std::move(items.front());
    items.pop_front();
    if (!item.slot.empty()) next_tail_ = now + edit_interval;
    return item;
  }
  return std::nullopt;
}

std::optional<base::SteadyTime> OutgoingQueue::ReadyAt() const {
  std::optional<base::SteadyTime> earliest;
  for (const Items& items : items_) {
    if (items.empty()) continue;
    base::SteadyTime at = items.front().not_before;
    if (items.front().priority == Priority::kTail) at = std::max(at, next_tail_);
    earliest = earliest ? std::min(*earliest, at) : at;
  }
  return earliest;
}

bool OutgoingQueue::NoticesAreNext() const {
  return Answers() == 0;
}

std::vector<OutgoingItem> OutgoingQueue::TakeFlood() {
  Items& notices = Of(Priority::kNotice);
  std::vector<OutgoingItem> flood;
  if (notices.empty() || !MayBeSummarised(notices.front())) return flood;
  if (std::cmp_less(std::ranges::count_if(notices, MayBeSummarised), kFloodFrom)) return flood;
  for (auto item = notices.begin(); item != notices.end();) {
    if (MayBeSummarised(*item)) {
      flood.push_back(std::move(*item));
      item = notices.erase(item);
    } else {
      ++item;
    }
  }
  return flood;
}

std::vector<OutgoingItem> OutgoingQueue::TakeOlder(base::WallTime time) {
  std::vector<OutgoingItem> old;
  for (const Priority priority : {Priority::kNotice, Priority::kTail}) {
    Items& items = Of(priority);
    while (!items.empty() && items.front().created < time) {
      old.push_back(std::move(items.front()));
      items.pop_front();
    }
  }
  return old;
}

OutgoingItem* OutgoingQueue::Find(std::uint64_t serial) {
  for (Items& items : items_) {
    const auto found = std::ranges::find(items, serial, &OutgoingItem::serial);
    if (found != items.end()) return &*found;
  }
  return nullptr;
}

void OutgoingQueue::ForEach(const std::function<void(OutgoingItem&)>& visit) {
  for (Items& items : items_) std::ranges::for_each(items, visit);
}

std::size_t OutgoingQueue::Size() const {
  std::size_t size = 0;
  for (const Items& items : items_) size += items.size();
  return size;
}

}  // namespace shipmate::chat
