#pragma once

// Session: every decision about Mattermost's websocket, and no input or output: events and `now` in, a list of actions
// out, so that a test can play any talk and compare the actions literally. socket.h performs them.
// It takes up a connection where it broke (connection_id and sequence_number), tells a resumed connection from a fresh
// one, has holes in the sequence replayed, watches for half-open connections by pings of its own, and tells a refused
// token apart from a lost connection by asking REST. It never gives up: whatever is wrong may be mended on the server.
// Every state but "live" has a deadline. It does not parse JSON (codec.h), look into events, or know of REST.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "async/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "platforms/mattermost/frame.h"

namespace shipmate::platforms::mattermost {

/// Close codes of our own: a hole in the sequence, an unanswered ping (the ones that Mattermost's own client uses), and
/// a message that could not be read.
inline constexpr std::uint16_t kCloseForGap = 4001;
inline constexpr std::uint16_t kCloseForSilence = 4000;
inline constexpr std::uint16_t kCloseForGarbage = 4002;
inline constexpr std::uint16_t kCloseForGood = 1000;

// ---- Actions, to be performed in order ----

/// Ask REST who we are, which also tells whether the token is good; answer by RestAnswered or RestFailed.
struct AskRest {
  bool operator==(const AskRest&) const = default;
};
/// Open a connection; answer by Connected or Lost.
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
  std::uint16_t code = kCloseForGood;
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
  std::string event;
  bool operator==(const Deliver&) const = default;
};
/// Connected. `resumed`: nothing was missed; otherwise anything may have been since the last connection.
struct Online {
  bool resumed = false;
  bool operator==(const Online&) const = default;
};
struct Report {
  base::LogLevel level = base::LogLevel::kInfo;
  std::string text;
  bool operator==(const Report&) const = default;
};

using Action = std::variant<AskRest, Connect, SendText, CloseSocket, ArmTimer, Deliver, Online, Report>;
using Actions = std::vector<Action>;

class Session {
 public:
  enum class State {
    kOff,         ///< before Start, after Stop
    kWaiting,     ///< between connections
    kAsking,      ///< AskRest is under way
    kConnecting,  ///< Connect is under way
    kGreeting,    ///< connected and pinged, neither hello nor pong yet
    kLive,
  };

  static constexpr std::chrono::seconds kAskLimit{60};
  static constexpr std::chrono::seconds kConnectLimit{30};
  static constexpr std::chrono::seconds kGreetingLimit{10};
  /// Under the 60 s after which proxies usually cut an idle connection.
  static constexpr std::chrono::seconds kPingEvery{25};
  static constexpr std::chrono::seconds kPongLimit{12};
  /// After this time without trouble, the next trouble is the first again.
  static constexpr std::chrono::seconds kHealthy{60};
  /// Times that the server is asked for the same hole before the connection is given up.
  static constexpr unsigned kHeals = 3;

  /// `url` is the socket's address, without a query. `random` gives numbers in [0, 1).
  Session(std::string url, std::function<double()> random);

  Actions Start(base::SteadyTime now);
  Actions Stop(base::SteadyTime now);

  /// The token is good, and the socket's address may have been learnt.
  Actions RestAnswered(base::SteadyTime now);
  /// kAuth: the token was refused. Anything else: nothing is known about it.
  Actions RestFailed(const Error& error, base::SteadyTime now);
  /// REST refused the token beside the session, while a connection may be open.
  Actions TokenDoubted(base::SteadyTime now);

  Actions Connected(base::SteadyTime now);
  /// The connection ended, or could not be made.
  Actions Lost(const Error& error, base::SteadyTime now);
  Actions Received(const Frame& frame, base::SteadyTime now);
  /// A message that could not be read at all.
  Actions Garbled(const std::string& why, base::SteadyTime now);
  Actions Timer(base::SteadyTime now);

  State GetState() const { return state_; }
  /// Why it is not live; "" when it is.
  const std::string& Reason() const { return reason_; }
  /// The server refuses the token at present.
  bool TokenRefused() const { return token_refused_; }

 private:
  bool HasConnection() const { return state_ == State::kGreeting || state_ == State::kLive; }
  void Enter(State state, base::SteadyTime deadline);
  void Wait(std::chrono::milliseconds delay, base::SteadyTime now);
  void GoOn(base::SteadyTime now);
  std::string ConnectUrl() const;
  void Forget();
  void Ping(base::SteadyTime now);
  void OnEvent(const Frame& frame, base::SteadyTime now);
  void OnHello(const Frame& frame, base::SteadyTime now);
  void OnReply(const Frame& frame, base::SteadyTime now);
  void GoLive(bool resumed, base::SteadyTime now);
  /// Has the server replay what is missing, or begins anew when that was tried often enough.
  void Heal(std::uint16_t code, const std::string& why, base::SteadyTime now);
  /// Closes the connection ourselves and connects again after a wait of the back-off.
  void Drop(std::uint16_t code, const std::string& why, base::SteadyTime now);
  void Retry(const std::string& why, std::chrono::milliseconds least, base::SteadyTime now);
  void OnDeadline(base::SteadyTime now);
  void Say(base::LogLevel level, std::string text) { Do(Report{level, std::move(text)}); }
  void Do(Action action) { actions_.push_back(std::move(action)); }
  base::SteadyTime NextTime() const;
  Actions Finish();

  // Constant after construction.
  std::string url_;
  std::function<double()> random_;

  State state_ = State::kOff;
  std::string reason_;
  Actions actions_;
  base::SteadyTime armed_ = base::SteadyTime::max();
  /// End of the present state's patience; the end of the wait in kWaiting.
  base::SteadyTime deadline_ = base::SteadyTime::max();

  // The server's end of the connection, which outlives a broken one for a while.
  std::string connection_id_;
  std::int64_t expected_ = 0;
  /// Number of our last action: it only grows, over connections too, since a queue taken up may hold old replies.
  std::int64_t action_ = 0;

  // This connection.
  bool resuming_ = false;
  std::optional<std::int64_t> ping_;  ///< unanswered
  base::SteadyTime next_ping_ = base::SteadyTime::max();
  base::SteadyTime pong_limit_ = base::SteadyTime::max();
  base::SteadyTime healthy_at_ = base::SteadyTime::max();

  // Pacing.
  bool ask_first_ = true;
  bool token_refused_ = false;
  unsigned heals_ = 0;
  async::Backoff backoff_;
  async::Backoff token_backoff_;
};

/// The address of the socket of a server whose site is at `site` (http or https, maybe in a sub-path): the same with
/// ws or wss. REQUIRES: `site` has no slash at its end.
std::string SocketUrl(const std::string& site);
/// A refused token: what the owner of the bot has to do.
std::string TokenHelp();

}  // namespace shipmate::platforms::mattermost
