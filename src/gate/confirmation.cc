#include "gate/confirmation.h"

#include <utility>

namespace shipmate::gate {

void ConfirmationTracker::AddPending(const std::string& service, service::WebhookInfo info) {
  entries_.insert_or_assign(service, Entry{.info = std::move(info), .created = clock_.Now()});
}

bool ConfirmationTracker::IsPending(const std::string& service) {
  DropExpired();
  return entries_.contains(service);
}

std::optional<service::WebhookInfo> ConfirmationTracker::Confirm(const std::string& service) {
  DropExpired();
  auto entry = entries_.extract(service);
  if (entry.empty()) return std::nullopt;
  return std::move(entry.mapped().info);
}

std::vector<Pending> ConfirmationTracker::List() {
  DropExpired();
  std::vector<Pending> pending;
  for (const auto& [service, entry] : entries_) {
    const auto left = ttl_ - (clock_.Now() - entry.created);
    // Rounded up: what can still be confirmed has at least a second left.
    pending.push_back({.service = service, .info = entry.info, .left = std::chrono::ceil<std::chrono::seconds>(left)});
  }
  return pending;
}

void ConfirmationTracker::DropExpired() {
  const base::SteadyTime now = clock_.Now();
  std::erase_if(entries_, [&](const auto& item) { return now - item.second.created > ttl_; });
}

}  // namespace shipmate::gate
