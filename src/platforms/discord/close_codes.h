#pragma once

// What each end of a gateway connection means, and how to go on after it (Discord, Opcodes and Status Codes, "Gateway
// Close Event Codes"). A pure table.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace shipmate::platforms::discord {

/// How to go on after a lost connection.
enum class NextStep {
  kResume,      ///< the session lives: take it up again
  kResumeOnce,  ///< the session may live: one try, then a new one
  kIdentify,    ///< the session is gone: begin a new one
  kStop,        ///< only a person can mend it
};

struct CloseMeaning {
  NextStep next = NextStep::kResume;
  /// The least wait before the next connection.
  std::chrono::milliseconds wait{0};
  /// What happened, for the log and the health text; for kStop also what to do.
  std::string text;
  /// The last payload we sent was refused and must not be sent again.
  bool payload_refused = false;
  /// For kStop: kAuth when the token was rejected.
  Errc error = Errc::kRefused;
};

/// nullopt: the connection ended without a close frame. `intents` is what we asked for, for the texts.
CloseMeaning MeaningOfClose(std::optional<std::uint16_t> code, unsigned intents);

/// Close code 4014, and the same found out before connecting: what the owner of the bot has to do.
std::string MessageContentHelp();
/// A rejected token, on the gateway (4004) or by REST (401).
std::string TokenHelp();

}  // namespace shipmate::platforms::discord
