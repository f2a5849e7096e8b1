#pragma once

// Recent: the last things remembered under a key, as many as wanted: the oldest is forgotten for a new one.

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>

namespace shipmate::platforms::mattermost {

template <class Value>
class Recent {
 public:
  explicit Recent(std::size_t limit) : limit_(limit) {}

  /// False, and nothing changes, when `key` is known already.
  bool Add(const std::string& key, Value value) {
    if (!values_.emplace(key, std::move(value)).second) return false;
    order_.push_back(key);
    if (order_.size() > limit_) {
      values_.erase(order_.front());
      order_.pop_front();
    }
    return true;
  }
  /// nullptr when it is not known (any more).
  const Value* Find(const std::string& key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second;
  }
  /// As if it had never been added.
  void Remove(const std::string& key) {
    values_.erase(key);
    std::erase(order_, key);
  }
  std::size_t Size() const { return values_.size(); }

 private:
  std::size_t limit_;
  std::unordered_map<std::string, Value> values_;
  std::deque<std::string> order_;
};

}  // namespace shipmate::platforms::mattermost
