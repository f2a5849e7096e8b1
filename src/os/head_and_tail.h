#pragma once

// HeadAndTail: the first and the last half of an output of any length, in bounded memory. What a program says first and
// what it says last are what its reader needs; the middle is counted and left out.

#include <cstddef>
#include <string>
#include <string_view>

namespace shipmate::os {

class HeadAndTail {
 public:
  explicit HeadAndTail(std::size_t limit) : head_limit_(limit / 2), tail_limit_(limit - limit / 2) {}

  void Add(std::string_view piece);
  /// All of it, when it is within the limit; else the two ends, with a line between that says how many bytes are left
  /// out. No code point is cut in two.
  std::string Text() const;
  /// Whether what was added is nothing, or ends in a newline.
  bool AtLineStart() const { return total_ == 0 || last_ == '\n'; }

 private:
  std::size_t head_limit_;
  std::size_t tail_limit_;
  std::size_t total_ = 0;
  char last_ = '\n';
  std::string head_;
  std::string tail_;
};

}  // namespace shipmate::os
