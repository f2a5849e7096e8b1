#pragma once

// Masker: replaces secrets in any text by "***": those it knows, and what has the shape of one. It is the last step
// before a text leaves the program (log line, chat message, page). The secrets of the environment are added at
// start-up.

#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"

namespace shipmate::base {

class Masker {
 public:
  /// Remembers `secret`. Values under six characters are not masked: they would hide ordinary words.
  void Add(const Secret& secret);

  /// `text` with every occurrence of a known secret, the user info of any URL (`https://user:token@host`), what has the
  /// shape of a usual token (GitHub, GitLab, Slack, Discord, AWS, JSON Web Token, ...) and the inside of a private key
  /// replaced by "***".
  std::string Mask(std::string_view text) const;

 private:
  std::vector<std::string> values_;  // longest first, so that one secret inside another is masked whole
};

}  // namespace shipmate::base
