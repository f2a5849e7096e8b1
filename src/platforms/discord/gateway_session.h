#pragma once

// GatewaySession: every decision about Discord's gateway (version 10), and no input or output: events and `now` in, a
// list of actions out, so that a test can play any talk and compare the actions literally. gateway.h performs them.
// It keeps the session alive over lost connections (resume), begins new ones sparingly (a bot that begins more than
// 1000 a day loses its token), watches for half-open connections by the heartbeat rule, and gives up only where a
// person has to act. Every state but "ready" has a deadline, so that it can never be stuck.
// It does not parse JSON (codec.h), look into events, or know of REST.

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "async/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "platforms/discord/close_codes.h"
#include "platforms/discord/frame.h"
#include "platforms/discord/identify_budget.h"

namespace shipmate::platforms::discord {

/// GUILDS, GUILD_MESSAGES, GUILD_MESSAGE_REACTIONS, DIRECT_MESSAGES, DIRECT_MESSAGE_REACTIONS (Discord, Gateway
/// Intents); the privileged MESSAGE_CONTENT comes on top where it is wanted.
inline constexpr unsigned kPlainIntents = 1U << 0 | 1U << 9 | 1U << 10 | 1U << 12 | 1U << 13;
inline constexpr unsigned kMessageContentIntent = 1U << 15;

/// Close code of ours that keeps the session for a resume: any other than 1000 and 1001 does.
inline constexpr std::uint16_t kCloseToResume = 4200;
inline constexpr std::uint16_t kCloseForGood = 1000;

// ---- Actions, to be performed in order ----

/// Find out where the gateway is and how many sessions are left; answer by GatewayFound, GatewayNotFound or Refuse.
struct AskGateway {
  bool operator==(const AskGateway&) const = default;
};
/// Open a connection; answer by Connected or Closed.
struct Connect {
  std::string url;
  bool operator==(const Connect&) const = default;
};
struct SendText {
  std::string text;
  bool operator==(const SendText&) const = default;
};
/// Close the connection (waiting shortly for the other side, then cutting it). The session has already forgotten it:
/// nothing more that comes from it may be handed in.
struct CloseSocket {
  std::uint16_t code = kCloseToResume;
  std::string reason;
  bool operator==(const CloseSocket&) const = default;
};
/// Call Timer at this time; replaces the one before. time_point::max() = never.
struct ArmTimer {
  base::SteadyTime at;
  bool operator==(const ArmTimer&) const = default;
};
/// Hand on the event that was just received.
struct Deliver {
  std::string type;
  bool operator==(const Deliver&) const = default;
};
/// The identify budget has changed: write it to disk before what follows.
struct SaveBudget {
  bool operator==(const SaveBudget&) const = default;
};
/// Connected and authenticated; `resumed` when the session was taken up again.
struct Online {
  bool resumed = false;
  bool operator==(const Online&) const = default;
};
/// It is over until a person acts; nothing follows.
struct GiveUp {
  Error error;
  bool operator==(const GiveUp&) const = default;
};
struct Report {
  base::LogLevel level = base::LogLevel::kInfo;
  std::string text;
  bool operator==(const Report&) const = default;
};

using Action =
    std::variant<AskGateway, Connect, SendText, CloseSocket, ArmTimer, Deliver, SaveBudget, Online, GiveUp, Report>;
using Actions = std::vector<Action>;

/// Now, on both clocks: waits are measured on the steady one, the daily budget on the wall's.
struct Moment {
  base::SteadyTime steady;
  base::WallTime wall;
};

struct SessionOptions {
  base::Secret token;
  unsigned intents = kPlainIntents | kMessageContentIntent;
  /// Used instead of what Discord tells; empty = as told.
  std::string gateway_url;
  /// Only wss is spoken (REST is https).
  bool require_tls = true;
};

class GatewaySession {
 public:
  enum class State {
    kOff,         ///< before Start, after Stop, after GiveUp
    kWaiting,     ///< between connections
    kAsking,      ///< AskGateway is under way
    kConnecting,  ///< Connect is under way
    kGreeting,    ///< connected, no HELLO yet
    kIdentifying,
    kResuming,
    kReady,
  };

  static constexpr std::chrono::seconds kAskLimit{60};
  static constexpr std::chrono::seconds kConnectLimit{45};
  static constexpr std::chrono::seconds kHelloLimit{60};
  static constexpr std::chrono::seconds kReadyLimit{15};
  static constexpr std::chrono::seconds kStable{60};
  static constexpr std::chrono::seconds kResumeWindow{90};
  static constexpr unsigned kResumeAttempts = 3;
  static constexpr std::chrono::hours kSessionAge{7 * 24};
  /// Discord closes with 4008 above 120 in 60 seconds; ten are kept for heartbeats.
  static constexpr std::chrono::seconds kSendWindow{60};
  static constexpr std::size_t kSendLimit = 120;
  static constexpr std::size_t kHeartbeatReserve = 10;
  static constexpr std::size_t kQueueLimit = 32;
  static constexpr std::size_t kPayloadLimit = 4096;

  /// `budget` must outlive the session. `random` gives numbers in [0, 1).
  GatewaySession(SessionOptions options, IdentifyBudget& budget, std::function<double()> random);

  Actions Start(Moment now);
  /// Ends it for good: the bot goes offline at once.
  Actions Stop(Moment now);

  /// The answers to AskGateway. `remaining` sessions may be begun before `reset_after` has passed.
  Actions GatewayFound(const GatewayInfo& info, Moment now);
  Actions GatewayNotFound(const std::string& why, Moment now);
  /// Something that only a person can mend was found out beside the gateway.
  Actions Refuse(const Error& error, Moment now);

  Actions Connected(Moment now);
  /// The connection ended, with the close code that the other side sent.
  Actions Closed(std::optional<std::uint16_t> code, const std::string& why, Moment now);
  /// It could not be made, or broke; the other side may have told how long to stay away.
  Actions Lost(const Error& error, Moment now);
  Actions Received(const Frame& frame, Moment now);
  /// A message that could not be read at all.
  Actions Garbled(const std::string& why, Moment now);
  Actions Timer(Moment now);
  /// Sends a payload (presence and the like) once the session is ready and the send limit allows. The queue is short:
  /// the oldest is dropped for a newer one.
  Actions Submit(std::string payload, Moment now);

  State GetState() const { return state_; }
  /// Why it is not ready; "" when it is.
  const std::string& Reason() const { return reason_; }

 private:
  struct Resumable {
    std::string session_id;
    std::string resume_url;
  };

  bool HasConnection() const;
  void Enter(State state, Moment now, std::chrono::milliseconds limit);
  /// Waits for `delay`, then takes the next step.
  void WaitThenGoOn(std::chrono::milliseconds delay, Moment now);
  void GoOn(Moment now);
  void OpenGateway(Moment now);
  void NotFound(const std::string& why, Moment now);
  void OpenConnection(const std::string& url, Moment now);
  /// The connection is over (and already closed): decides what is next.
  void AfterLoss(const CloseMeaning& meaning, Moment now);
  /// Closes the connection ourselves, then as AfterLoss.
  void Drop(std::uint16_t code, const CloseMeaning& meaning, Moment now);
  void ForgetSession();
  void Authenticate(Moment now);
  void Identify(Moment now);
  void BecomeReady(bool resumed, Moment now);
  void OnHello(const Frame& frame, Moment now);
  void OnInvalidSession(bool resumable, Moment now);
  void OnDispatch(const Frame& frame, Moment now);
  void OnReadyEvent(const ReadyInfo& ready, Moment now);
  void OnDeadline(Moment now);
  void Beat(Moment now, bool requested);
  void Flush(Moment now);
  std::size_t SentInWindow(Moment now);
  void SendNow(std::string text, std::string what, Moment now);
  void StopWith(const Error& error);
  void Say(base::LogLevel level, std::string text);
  void Do(Action action) { actions_.push_back(std::move(action)); }
  Actions Finish();
  base::SteadyTime NextTime() const;

  // Constant after construction.
  SessionOptions options_;
  IdentifyBudget& budget_;
  std::function<double()> random_;

  State state_ = State::kOff;
  std::string reason_;
  Actions actions_;
  base::SteadyTime armed_ = base::SteadyTime::max();
  /// End of the present state's patience; the end of the wait in kWaiting.
  base::SteadyTime deadline_ = base::SteadyTime::max();

  // The session, which lives over several connections.
  std::optional<Resumable> resumable_;
  std::optional<std::int64_t> sequence_;
  base::SteadyTime session_began_;
  std::string gateway_url_;

  // This connection.
  bool resuming_ = false;
  bool identified_ = false;
  std::chrono::milliseconds beat_interval_{0};
  base::SteadyTime next_beat_ = base::SteadyTime::max();
  bool acked_ = true;
  std::deque<base::SteadyTime> sent_;
  std::string last_sent_;

  // Pacing.
  async::Backoff identify_backoff_;
  unsigned resume_failures_ = 0;
  unsigned reconnects_ = 0;
  std::optional<base::SteadyTime> lost_at_;
  base::SteadyTime stable_at_ = base::SteadyTime::max();
  std::deque<std::string> queue_;
  base::SteadyTime queue_at_ = base::SteadyTime::max();
};

/// `base` (with or without a path) with the query that version 10 in JSON needs; "" when it is no such URL.
std::string GatewayConnectUrl(const std::string& base, bool require_tls);

}  // namespace shipmate::platforms::discord
