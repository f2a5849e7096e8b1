#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/mask.h"
#include "base/text.h"
#include "base/time_text.h"
#include "base/truncate.h"
#include "check.h"

using namespace shipmate;

namespace {

void CheckRunes(std::string_view text) {
  const std::size_t count = base::RuneCount(text);
  const std::string repaired = base::RepairUtf8(text);
  fuzz::Demand(base::IsValidUtf8(repaired), "repaired text is valid");
  fuzz::Demand(base::RuneCount(repaired) == count, "repair keeps the number of code points");
  fuzz::Demand((repaired == text) == base::IsValidUtf8(text), "only invalid text is changed");
  for (const std::size_t part : {std::size_t{0}, count / 2, count, count + 1}) {
    const std::string_view last = base::LastRunes(text, part);
    fuzz::Demand(text.ends_with(last) && base::RuneCount(last) == std::min(part, count), "the last code points");
    const std::string_view first = base::FirstRunes(text, part);
    fuzz::Demand(text.starts_with(first) && base::RuneCount(first) == std::min(part, count), "the first code points");
  }
}

void CheckTruncate(std::string_view text, long budget) {
  const std::string cut = TruncateTailToRuneBudget(text, budget);
  const std::size_t room = budget > 0 ? static_cast<std::size_t>(budget) : 0;
  fuzz::Demand(base::IsValidUtf8(cut), "truncated text is valid");
  fuzz::Demand(base::RuneCount(cut) <= room, "truncated text fits its budget");
  if (base::RuneCount(text) <= room) {
    fuzz::Demand(cut == base::RepairUtf8(text), "text that fits is kept");
    return;
  }
  constexpr std::string_view kStart = "... (truncated, ";
  if (!cut.starts_with(kStart) || text.starts_with(kStart)) return;
  // The count in the marker is exact.
  const std::size_t omitted = std::stoul(cut.substr(kStart.size()));
  const std::string kept = cut.substr(cut.find('\n') + 1);
  fuzz::Demand(kept == base::RepairUtf8(text.substr(omitted)), "the marker counts the bytes omitted");
}

void CheckEscapes(std::string_view text) {
  for (const std::string& escaped : {base::Quote(text), base::EscapeControls(text), base::EscapeNonAscii(text)}) {
    fuzz::Demand(base::IsValidUtf8(escaped), "escaped text is valid");
    fuzz::Demand(base::EscapeControls(escaped) == escaped, "escaped text has nothing left to escape");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const long budget = data[0] + 256L * (data[1] % 8) - 8;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  CheckRunes(text);
  CheckTruncate(text, budget);
  CheckEscapes(text);

  const std::string_view first = text.substr(0, text.size() / 2);
  const std::string_view second = text.substr(text.size() / 2);
  if (text.size() <= 200) {
    const std::size_t distance = base::EditDistance(first, second, 5);
    fuzz::Demand(distance == base::EditDistance(second, first, 5), "distance is the same both ways");
    fuzz::Demand((distance == 0) == (first == second), "distance 0 is equality");
    base::GlobMatch(first, second);
    fuzz::Demand(base::GlobMatch("*", text), "a star matches everything");
  }
  base::Masker masker;
  const base::Secret secret{std::string(first)};
  masker.Add(secret);
  if (first.size() >= 6) {
    fuzz::Demand(masker.Mask(text).find(first) == std::string::npos || first.find("***") != std::string_view::npos ||
                     std::string_view("***").find_first_of(first) != std::string_view::npos,
                 "a secret is masked");
  }
  if (const auto time = base::ParseRfc3339(text)) {
    fuzz::Demand(base::ParseRfc3339(base::FormatRfc3339Nano(*time)) == time, "a time reads as it was written");
  }
  return 0;
}
