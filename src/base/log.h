#pragma once

// The program's own log: one line a record, to standard error or a file, written by a background thread through a
// bounded queue that drops the oldest record when it is full, so that a stalled terminal never stops the loop. Before
// InitLog, and after ShutdownLog, lines go to standard error directly. Control characters in a message are escaped (one
// record stays one line) and secrets are masked.
//
// Who logs: the one who gives up. base, async, os, net and the codecs return errors and stay silent.

#include <memory>
#include <string>
#include <string_view>

#include "base/mask.h"

namespace shipmate::base {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  /// Appended to when not empty; standard error otherwise.
  std::string file;
  std::shared_ptr<const Masker> masker;
};

/// Starts the background writer. Called once, by the app, before anything is spawned.
void InitLog(const LogOptions& options);
/// Writes what is queued and ends the writer.
void ShutdownLog();

void Log(LogLevel level, std::string_view message);
inline void LogDebug(std::string_view message) {
  Log(LogLevel::kDebug, message);
}
inline void LogInfo(std::string_view message) {
  Log(LogLevel::kInfo, message);
}
inline void LogWarn(std::string_view message) {
  Log(LogLevel::kWarn, message);
}
inline void LogError(std::string_view message) {
  Log(LogLevel::kError, message);
}

}  // namespace shipmate::base

namespace shipmate {
using base::LogDebug;
using base::LogError;
using base::LogInfo;
using base::LogWarn;
}  // namespace shipmate
