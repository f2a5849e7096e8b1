#pragma once

// Socket: performs what Session decides, on a real connection: opens and closes sockets, reads and sends, keeps the one
// timer, and has REST asked. It decides nothing itself. Owned by the frontend, run once.

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "async/latch.h"
#include "async/spawn.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "net/tls.h"
#include "net/websocket.h"
#include "platforms/mattermost/codec.h"
#include "platforms/mattermost/session.h"

namespace shipmate::platforms::mattermost {

/// Where the socket's events go. Called on the loop; all but Prepare must return at once.
class SocketEvents {
 public:
  virtual ~SocketEvents() = default;
  /// Before a connection is made: learn from REST who we are. kAuth when the token is refused.
  virtual Task<Result<void>> Prepare() = 0;
  virtual void OnOnline(bool resumed) = 0;
  /// An event, in order; `frame` holds during the call, and `codec` opens its data.
  virtual void OnEvent(Codec& codec, const Frame& frame) = 0;
  /// The server's clock, in Unix milliseconds.
  virtual void OnServerTime(std::int64_t now) = 0;
};

struct SocketOptions {
  std::string url;
  base::Secret token;
  /// Needed for wss.
  std::shared_ptr<net::TlsContext> tls;
};

class Socket {
 public:
  /// `clock` and `events` must outlive it.
  Socket(Executor executor, SocketOptions options, const base::Clock& clock, SocketEvents& events,
         std::function<double()> random);
  /// REQUIRES: Run has ended, or was never started.
  ~Socket() = default;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  /// Connects and stays connected until cancelled; then it closes for good, within a few seconds.
  Task<void> Run();
  /// REST refused the token.
  void DoubtToken() { Perform(session_.TokenDoubted(clock_.Now())); }

  const Session& GetSession() const { return session_; }

 private:
  void Perform(Actions actions);
  void Do(const AskRest& action);
  void Do(const Connect& action);
  void Do(const SendText& action);
  void Do(const CloseSocket& action);
  void Do(const ArmTimer& action);
  void Do(const Deliver& action);
  void Do(const Online& action);
  void Do(const Report& action);

  Task<void> Ask();
  Task<void> Converse(std::uint64_t number, std::string url);
  Task<void> SendOn(std::shared_ptr<net::WebSocket> socket, std::string text);
  Task<void> CloseOf(std::shared_ptr<net::WebSocket> socket, std::uint16_t code, std::string reason);
  Task<void> KeepTime();

  // Constant after construction.
  Executor executor_;
  SocketOptions options_;
  const base::Clock& clock_;
  SocketEvents& events_;

  Session session_;
  Codec codec_;
  const Frame* frame_ = nullptr;  // while Received runs
  /// Counts connections: what comes from an older one is no longer listened to.
  std::uint64_t connection_ = 0;
  std::shared_ptr<net::WebSocket> socket_;
  base::SteadyTime wake_at_ = base::SteadyTime::max();
  boost::asio::steady_timer timer_;
  async::TaskGroup tasks_;
  async::TaskGroup closing_;
  async::Event over_;
};

}  // namespace shipmate::platforms::mattermost
