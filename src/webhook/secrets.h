#pragma once

// The secrets of one endpoint, and what can be signed or named with them. All comparing takes time that does not depend
// on where a wrong text differs; every secret is tried, whichever fits.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "net/hmac.h"

namespace shipmate::webhook {

/// The parts of a setting that may hold several secrets with commas between; blanks around them and empty ones go.
std::vector<base::Secret> SplitSecrets(const base::Secret& setting);

class Secrets {
 public:
  explicit Secrets(const base::Secret& setting);

  bool Empty() const { return keys_.empty() && signing_keys_.empty(); }
  /// The length of the shortest one; 0 when there is none.
  std::size_t Shortest() const { return shortest_; }
  /// Whether `hex` (64 digits) is HMAC-SHA256 of `body` under one of them.
  bool SignedHex(std::string_view hex, std::string_view body);
  /// Whether `base64` is HMAC-SHA256 of `content` under one of the keys that are written as `whsec_<base64>`.
  bool SignedBase64(std::string_view base64, std::string_view content);
  /// How many begin with `whsec_` and go on with what is no base64; they are good for nothing.
  std::size_t Broken() const { return broken_; }
  /// Whether `token` is one of them; keys of the form above are no tokens.
  bool Contain(std::string_view token) const;

 private:
  std::vector<net::HmacKey> keys_;
  std::vector<net::HmacKey> signing_keys_;
  std::vector<std::string> hashes_;
  std::size_t shortest_ = 0;
  std::size_t broken_ = 0;
};

}  // namespace shipmate::webhook
