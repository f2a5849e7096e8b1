#pragma once

// SeenIds: the last ids seen, to act once on what is delivered several times (after a resume, Discord sends events
// again). Bounded: the oldest is forgotten for a new one.

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_set>

namespace shipmate::platforms::discord {

class SeenIds {
 public:
  explicit SeenIds(std::size_t limit) : limit_(limit) {}

  /// True when `id` is new; it is remembered.
  bool Add(const std::string& id) {
    if (!ids_.insert(id).second) return false;
    order_.push_back(id);
    if (order_.size() > limit_) {
      ids_.erase(order_.front());
      order_.pop_front();
    }
    return true;
  }
  std::size_t Size() const { return ids_.size(); }

 private:
  std::size_t limit_;
  std::unordered_set<std::string> ids_;
  std::deque<std::string> order_;
};

}  // namespace shipmate::platforms::discord
