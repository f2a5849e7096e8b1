#include "chat/flood.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/time_text.h"

namespace shipmate::chat {

Message SummaryOf(const std::vector<OutgoingItem>& items) {
  const auto failures = std::ranges::count_if(items, &OutgoingItem::failure);
  Message summary;
  summary.headline.Bold(fmt::format("{} notices at once", items.size()));
  if (failures > 0) summary.headline.Plain(fmt::format(", {} of failures", failures));
  summary.headline.Plain(", the newest first:");
  summary.tone = failures > 0 ? Message::Tone::kFailure : Message::Tone::kNews;
  for (const bool failure : {true, false}) {
    for (auto item = items.rbegin(); item != items.rend(); ++item) {
      if (item->failure == failure) summary.lines.emplace_back(item->headline);
    }
  }
  return summary;
}

std::string ListOf(const std::vector<OutgoingItem>& items) {
  std::string list;
  for (const OutgoingItem& item : items) {
    list += fmt::format("{}  {}\n", base::FormatRfc3339(item.created), item.headline);
  }
  return list;
}

}  // namespace shipmate::chat
