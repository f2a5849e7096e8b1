#include "base/mask.h"

#include <algorithm>

namespace shipmate::base {

namespace {

constexpr std::size_t kShortestMasked = 6;
constexpr std::string_view kMask = "***";

void ReplaceAll(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// RFC 3986 section 3.2: authority = [ userinfo "@" ] host; it ends at "/", "?", "#" or, in running text, at a blank.
void MaskUserInfo(std::string& text) {
  for (std::size_t at = text.find("://"); at != std::string::npos; at = text.find("://", at)) {
    const std::size_t start = at + 3;
    const std::size_t end = std::min(text.find_first_of("/?# \t\r\n\"'<>`", start), text.size());
    const std::size_t sign = text.rfind('@', end == 0 ? 0 : end - 1);
    if (sign != std::string::npos && sign >= start && sign < end && sign > start) {
      text.replace(start, sign - start, kMask);
    }
    at = start;
  }
}

}  // namespace

void Masker::Add(const Secret& secret) {
  const std::string& value = secret.Reveal();
  if (value.size() < kShortestMasked || std::ranges::find(values_, value) != values_.end()) return;
  values_.push_back(value);
  std::ranges::sort(values_, std::ranges::greater{}, &std::string::size);
}

std::string Masker::Mask(std::string_view text) const {
  std::string masked(text);
  for (const std::string& value : values_) ReplaceAll(masked, value, kMask);
  MaskUserInfo(masked);
  return masked;
}

}  // namespace shipmate::base
