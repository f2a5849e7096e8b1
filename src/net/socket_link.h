#pragma once

// SocketLink: what a session that decides and does nothing itself needs done: one websocket at a time, and one timer.
// It performs the actions below, in order, and tells the session's driver what comes of them. It decides nothing: when
// to connect, what to send, and what a loss means is the session's.

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "async/spawn.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "net/websocket.h"

namespace shipmate::net {

namespace link {

/// Open a connection; answered by OnConnected or OnRefused.
struct Connect {
  std::string url;
  bool operator==(const Connect&) const = default;
};
struct SendText {
  std::string text;
  bool operator==(const SendText&) const = default;
};
/// Close the connection (waiting shortly for the other side, then cutting it). The session has already forgotten it:
/// nothing more that comes from it is told.
struct CloseSocket {
  std::uint16_t code = 1000;
  std::string reason;
  bool operator==(const CloseSocket&) const = default;
};
/// Call OnTimer at this time; replaces the one before. time_point::max() = never.
struct ArmTimer {
  base::SteadyTime at;
  bool operator==(const ArmTimer&) const = default;
};

}  // namespace link

/// Called on the loop; each must return at once.
class SocketLinkEvents {
 public:
  virtual ~SocketLinkEvents() = default;
  virtual void OnConnected() = 0;
  /// A message of the present connection; the view holds during the call.
  virtual void OnText(std::string_view text) = 0;
  /// No connection could be made.
  virtual void OnRefused(const Error& error) = 0;
  /// The connection ended; `code` of the other side's close frame, where it sent one.
  virtual void OnEnded(std::optional<std::uint16_t> code, const Error& error) = 0;
  virtual void OnTimer() = 0;
};

struct SocketLinkOptions {
  /// "discord": for the log, and the names of coroutines.
  std::string name;
  /// Needed for wss.
  std::shared_ptr<TlsContext> tls;
  Headers headers = {};
  std::chrono::milliseconds handshake_limit = WebSocketOptions().handshake_limit;
};

class SocketLink {
 public:
  /// `clock` and `events` must outlive it.
  SocketLink(Executor executor, SocketLinkOptions options, const base::Clock& clock, SocketLinkEvents& events);
  /// REQUIRES: Shut has completed, or Start was never called.
  ~SocketLink() = default;
  SocketLink(const SocketLink&) = delete;
  SocketLink& operator=(const SocketLink&) = delete;

  /// Begins to keep time.
  void Start();
  void Do(const link::Connect& action);
  void Do(const link::SendText& action);
  void Do(const link::CloseSocket& action);
  void Do(const link::ArmTimer& action);
  /// Lets closing connections end, within a few seconds; then nothing more is told.
  Task<void> Shut();

 private:
  Task<void> Converse(std::uint64_t number, std::string url);
  Task<void> SendOn(std::shared_ptr<WebSocket> socket, std::string text);
  Task<void> CloseOf(std::shared_ptr<WebSocket> socket, std::uint16_t code, std::string reason);
  Task<void> KeepTime();

  // Constant after construction.
  const Executor executor_;
  const SocketLinkOptions options_;
  const base::Clock& clock_;
  SocketLinkEvents& events_;

  /// Counts connections: what comes from an older one is no longer listened to.
  std::uint64_t connection_ = 0;
  std::shared_ptr<WebSocket> socket_;
  base::SteadyTime wake_at_ = base::SteadyTime::max();
  boost::asio::steady_timer timer_;
  async::TaskGroup tasks_;
  async::TaskGroup closing_;
};

}  // namespace shipmate::net
