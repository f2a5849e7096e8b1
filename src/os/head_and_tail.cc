#include "os/head_and_tail.h"

#include <algorithm>

#include "base/text.h"

namespace shipmate::os {

namespace {

constexpr std::size_t kSlack = std::size_t{64} * 1024;

bool IsContinuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

std::string_view WithoutCutRuneAtStart(std::string_view text) {
  for (int i = 0; i < 3 && !text.empty() && IsContinuation(text.front()); ++i) text.remove_prefix(1);
  return text;
}

std::string_view WithoutCutRuneAtEnd(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const std::string_view rune = text.substr(text.size() - back);
    if (IsContinuation(rune.front())) continue;
    return base::DecodeRune(rune).valid ? text : text.substr(0, text.size() - back);
  }
  return text;
}

}  // namespace

void HeadAndTail::Add(std::string_view piece) {
  if (piece.empty()) return;
  total_ += piece.size();
  last_ = piece.back();
  const std::size_t to_head = std::min(piece.size(), head_limit_ - head_.size());
  head_ += piece.substr(0, to_head);
  tail_ += piece.substr(to_head);
  // Cut in large steps, so that each byte is moved once on average.
  if (tail_.size() > 2 * tail_limit_ + kSlack) tail_.erase(0, tail_.size() - tail_limit_);
}

std::string HeadAndTail::Text() const {
  if (total_ <= head_limit_ + tail_limit_) return head_ + tail_;
  const std::string_view head = WithoutCutRuneAtEnd(head_);
  const std::string_view tail =
      WithoutCutRuneAtStart(std::string_view(tail_).substr(tail_.size() - std::min(tail_.size(), tail_limit_)));
  std::string text(head);
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  text += "[... " + std::to_string(total_ - head.size() - tail.size()) + " bytes of output left out ...]\n";
  text += tail;
  return text;
}

}  // namespace shipmate::os
