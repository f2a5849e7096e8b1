#pragma once

// ConfirmationTracker: which services wait for a person's word, and until when. Time is injected. What is asked is kept
// on disk by the gate; this is the clock beside it, and the only one that says whether a question is still open.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "gate/wish.h"

namespace shipmate::gate {

struct Pending {
  std::string service;
  Wish wish;
  std::chrono::seconds left{0};
};

class ConfirmationTracker {
 public:
  /// `clock` outlives it.
  explicit ConfirmationTracker(const base::Clock& clock) : clock_(clock) {}

  /// Adds or replaces the question of `wish.service`, open for `ttl` from now.
  void AddPending(Wish wish, std::chrono::nanoseconds ttl);
  /// Does not consume.
  bool IsPending(const std::string& service) const { return Find(service) != nullptr; }
  /// The open question of `service`; nullptr when there is none, or its time (strictly) ran out.
  const Wish* Find(const std::string& service) const;
  /// Consumes it.
  std::optional<Wish> Confirm(const std::string& service);
  /// Consumes every question whose time ran out.
  std::vector<Wish> TakeExpired();
  /// How long until the next one runs out; nullopt when none is open.
  std::optional<std::chrono::nanoseconds> NextExpiry() const;
  /// The open questions by service.
  std::vector<Pending> List() const;

 private:
  struct Entry {
    Wish wish;
    base::SteadyTime created;
    std::chrono::nanoseconds ttl;
  };
  bool Open(const Entry& entry) const { return clock_.Now() - entry.created <= entry.ttl; }

  const base::Clock& clock_;
  std::map<std::string, Entry> entries_;
};

}  // namespace shipmate::gate
