#pragma once

// What a gateway message says, as far as the session has to know (Discord, Gateway Events, "Payload Structure"), and
// what GET /gateway/bot answers. Plain values.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace shipmate::platforms::discord {

/// Gateway opcodes that a server sends.
namespace opcode {
inline constexpr int kDispatch = 0;
inline constexpr int kHeartbeat = 1;
inline constexpr int kIdentify = 2;
inline constexpr int kResume = 6;
inline constexpr int kReconnect = 7;
inline constexpr int kInvalidSession = 9;
inline constexpr int kHello = 10;
inline constexpr int kHeartbeatAck = 11;
}  // namespace opcode

struct ReadyInfo {
  std::string session_id;
  std::string resume_url;
  std::string user_id;
  bool operator==(const ReadyInfo&) const = default;
};

struct Frame {
  int op = -1;
  std::optional<std::int64_t> sequence;
  /// Name of a dispatched event; valid as long as the decoder's buffer.
  std::string_view type;
  /// The JSON text of `d`; valid as long as the decoder's buffer.
  std::string_view data;

  std::chrono::milliseconds heartbeat_interval{0};  ///< op 10
  bool resumable = false;                           ///< op 9
  std::optional<ReadyInfo> ready;                   ///< event READY
};

struct GatewayInfo {
  std::string url;
  /// session_start_limit; absent when the server did not tell.
  std::optional<std::int64_t> remaining;
  std::chrono::milliseconds reset_after{0};
  bool operator==(const GatewayInfo&) const = default;
};

}  // namespace shipmate::platforms::discord
