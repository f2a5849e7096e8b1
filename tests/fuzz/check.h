#pragma once

// What every fuzz target demands of a text for people; a broken demand aborts, which the fuzzer reports as a crash.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace shipmate::fuzz {

inline void Demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

/// Problems and warnings are lines of valid UTF-8 without control characters, and say where.
inline void DemandLines(const std::vector<std::string>& lines, std::string_view file) {
  for (const std::string& line : lines) {
    Demand(base::IsValidUtf8(line), "a message is valid UTF-8");
    Demand(base::EscapeControls(line) == line, "a message is one line without control characters");
    Demand(line.find(file) != std::string::npos, "a message names its file");
    Demand(line.size() < 2000, "a message is short");
  }
}

/// Demands of the outcome of a loader: a failure has problems, a success only warnings.
template <class Result>
void DemandOutcome(const Result& result, std::string_view file) {
  if (result) {
    DemandLines(result->warnings, file);
  } else {
    Demand(!result.error().empty(), "a failure has a problem");
    DemandLines(result.error(), file);
  }
}

}  // namespace shipmate::fuzz
