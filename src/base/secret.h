#pragma once

// Secret: a token or key that must not show in logs, replies, pages or child processes. It has no conversion, no
// operator<< and no formatter, so that only an explicit Reveal() brings it to light.

#include <string>
#include <utility>

namespace shipmate::base {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}

  /// The text itself: for the wire (headers, handshakes, HMAC keys) and for the Masker, nothing else.
  const std::string& Reveal() const { return value_; }
  bool Empty() const { return value_.empty(); }

  bool operator==(const Secret&) const = default;

 private:
  std::string value_;
};

}  // namespace shipmate::base
