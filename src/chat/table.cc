#include "chat/table.h"

#include <algorithm>
#include <numeric>

#include "base/text.h"

namespace shipmate::chat {

namespace {

constexpr std::string_view kGap = "  ";
constexpr std::string_view kCut = "~";

std::string Cell(const std::string& text, std::size_t width) {
  std::string cell = base::EscapeControls(text);
  const std::size_t size = base::RuneCount(cell);
  if (size > width) return std::string(base::FirstRunes(cell, width - 1)).append(kCut);
  return cell.append(width - size, ' ');
}

}  // namespace

std::vector<std::string> TableLines(const std::vector<std::vector<std::string>>& rows, std::size_t width) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 1);
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], std::min(width, base::RuneCount(base::EscapeControls(row[i]))));
    }
  }
  // Each column and each gap takes one at least.
  widths.resize(std::min(widths.size(), (width + kGap.size()) / (1 + kGap.size())));
  if (widths.empty()) return {};
  const std::size_t room = width - kGap.size() * (widths.size() - 1);
  std::size_t used = std::accumulate(widths.begin(), widths.end(), std::size_t{0});
  for (; used > room; --used) --*std::ranges::max_element(widths);
  std::vector<std::string> lines;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (i > 0) line += kGap;
      line += Cell(i < row.size() ? row[i] : "", widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace shipmate::chat
