#include "base/truncate.h"

#include <fmt/format.h>

#include "base/text.h"

namespace shipmate::base {

namespace {

std::string Marker(std::size_t omitted_bytes) {
  return fmt::format("... (truncated, {} earlier bytes omitted)\n", omitted_bytes);
}

// The marker's length depends on the digits of the count it tells, which depends on the marker's length; it settles
// within this many rounds.
constexpr int kRounds = 4;

}  // namespace

std::string TruncateTailToRuneBudget(std::string_view text, long budget) {
  return TruncateTailToRuneBudget(text, budget, 0);
}

std::string TruncateTailToRuneBudget(std::string_view text, long budget, std::size_t before) {
  if (budget <= 0) return "";
  const auto limit = static_cast<std::size_t>(budget);
  if (before == 0 && RuneCount(text) <= limit) return RepairUtf8(text);

  std::string marker = Marker(before + text.size() - LastRunes(text, limit).size());
  for (int round = 0; round < kRounds; ++round) {
    if (marker.size() >= limit) return RepairUtf8(LastRunes(text, limit));
    const std::string_view kept = LastRunes(text, limit - marker.size());
    std::string exact = Marker(before + text.size() - kept.size());
    if (exact.size() == marker.size()) return exact + RepairUtf8(kept);
    marker = std::move(exact);
  }
  // Lengths that swing between two values: the longer marker leaves one code point less, and its count is exact.
  const std::string_view kept = LastRunes(text, limit > marker.size() + 1 ? limit - marker.size() - 1 : 0);
  return Marker(before + text.size() - kept.size()) + RepairUtf8(kept);
}

}  // namespace shipmate::base
