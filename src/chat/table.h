#pragma once

// Table: cells as lines of columns that fit a phone.

#include <cstddef>
#include <string>
#include <vector>

namespace shipmate::chat {

/// A line for each of `rows`, none longer than `width` code points: columns two blanks apart, each as wide as its
/// widest cell; where that is too much the widest columns give way, and what is cut there ends in "~". Cells are one
/// line each: control characters are shown escaped. Columns for which there is no room at all are left out.
std::vector<std::string> TableLines(const std::vector<std::vector<std::string>>& rows, std::size_t width);

}  // namespace shipmate::chat
