#include "gate/confirmation.h"

#include <algorithm>
#include <utility>

namespace shipmate::gate {

void ConfirmationTracker::AddPending(Wish wish, std::chrono::nanoseconds ttl) {
  std::string service = wish.service;
  entries_.insert_or_assign(std::move(service), Entry{.wish = std::move(wish), .created = clock_.Now(), .ttl = ttl});
}

const Wish* ConfirmationTracker::Find(const std::string& service) const {
  const auto entry = entries_.find(service);
  return entry == entries_.end() || !Open(entry->second) ? nullptr : &entry->second.wish;
}

std::optional<Wish> ConfirmationTracker::Confirm(const std::string& service) {
  if (Find(service) == nullptr) return std::nullopt;
  return std::move(entries_.extract(service).mapped().wish);
}

std::vector<Wish> ConfirmationTracker::TakeExpired() {
  std::vector<Wish> expired;
  std::erase_if(entries_, [&](auto& item) {
    if (Open(item.second)) return false;
    expired.push_back(std::move(item.second.wish));
    return true;
  });
  return expired;
}

std::optional<std::chrono::nanoseconds> ConfirmationTracker::NextExpiry() const {
  std::optional<std::chrono::nanoseconds> next;
  for (const auto& [service, entry] : entries_) {
    const std::chrono::nanoseconds left = entry.created + entry.ttl - clock_.Now();
    next = std::min(next.value_or(left), left);
  }
  return next;
}

std::vector<Pending> ConfirmationTracker::List() const {
  std::vector<Pending> pending;
  for (const auto& [service, entry] : entries_) {
    if (!Open(entry)) continue;
    const auto left = entry.created + entry.ttl - clock_.Now();
    // Rounded up: what can still be confirmed has at least a second left.
    pending.push_back({.service = service, .wish = entry.wish, .left = std::chrono::ceil<std::chrono::seconds>(left)});
  }
  return pending;
}

}  // namespace shipmate::gate
