#pragma once

// Times and durations as people and files read them.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace shipmate::base {

/// RFC 3339 with up to nine fractional digits (trailing zeros trimmed) and the machine's offset, or `Z` where that is
/// zero: Go's time.RFC3339Nano, which the state files use.
std::string FormatRfc3339Nano(WallTime time);
/// RFC 3339 in whole seconds: the log markers' form.
std::string FormatRfc3339(WallTime time);
/// Reads either form, any offset; nullopt for anything else.
std::optional<WallTime> ParseRfc3339(std::string_view text);

/// Short, for a phone: "12s", "3m", "5h", "2d 4h", "0s". Negative durations read as "0s".
std::string FormatDuration(std::chrono::nanoseconds duration);

}  // namespace shipmate::base
