#pragma once

// ConfirmationTracker: which services wait for a person's word, and until when. Time is injected.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "service/webhook_info.h"

namespace shipmate::gate {

struct Pending {
  std::string service;
  service::WebhookInfo info;
  std::chrono::seconds left{0};
};

class ConfirmationTracker {
 public:
  ConfirmationTracker(const base::Clock& clock, std::chrono::milliseconds ttl) : clock_(clock), ttl_(ttl) {}

  /// Adds or replaces the entry of `service` and starts its time anew.
  void AddPending(const std::string& service, service::WebhookInfo info);
  /// Does not consume.
  bool IsPending(const std::string& service);
  /// Consumes the entry: what was announced, or nullopt when there is none or its time (strictly) ran out.
  std::optional<service::WebhookInfo> Confirm(const std::string& service);
  /// Unexpired entries by service.
  std::vector<Pending> List();
  std::chrono::milliseconds Ttl() const { return ttl_; }

 private:
  struct Entry {
    service::WebhookInfo info;
    base::SteadyTime created;
  };
  void DropExpired();

  const base::Clock& clock_;
  std::chrono::milliseconds ttl_;
  std::map<std::string, Entry> entries_;
};

}  // namespace shipmate::gate
