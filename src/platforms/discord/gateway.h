#pragma once

// Gateway: performs what GatewaySession decides, on a real connection: opens and closes sockets, reads and sends, keeps
// the one timer, asks REST where the gateway is, and writes the identify budget. It decides nothing itself. Owned by
// the frontend, run once.

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/steady_timer.hpp>

#include "async/latch.h"
#include "async/spawn.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "net/tls.h"
#include "net/websocket.h"
#include "platforms/discord/codec.h"
#include "platforms/discord/gateway_session.h"
#include "platforms/discord/identify_budget.h"
#include "platforms/discord/rest.h"

namespace shipmate::platforms::discord {

/// Where the gateway's events go. Called on the loop; must return at once.
class GatewayEvents {
 public:
  virtual ~GatewayEvents() = default;
  /// An event, in order; after a resume possibly again. `frame` holds during the call; `codec` opens its data.
  virtual void OnEvent(Codec& codec, const Frame& frame) = 0;
  virtual void OnOnline() = 0;
};

struct GatewayOptions {
  SessionOptions session;
  /// Needed for wss.
  std::shared_ptr<net::TlsContext> tls;
  /// File of the identify budget; empty = not kept.
  std::string budget_path;
};

class Gateway {
 public:
  /// `rest`, `clock` and `events` must outlive it.
  Gateway(Executor executor, GatewayOptions options, Rest& rest, const base::Clock& clock, GatewayEvents& events,
          std::function<double()> random);
  /// REQUIRES: Run has ended, or was never started.
  ~Gateway() = default;
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  /// Connects and stays connected until cancelled (then it closes for good, within a few seconds: kCancelled), or until
  /// only a person can help: that Error, already logged.
  Task<Result<void>> Run();

  GatewaySession::State GetState() const { return session_.GetState(); }
  const std::string& Reason() const { return session_.Reason(); }

 private:
  Moment Now() const { return {clock_.Now(), clock_.WallNow()}; }
  void Perform(Actions actions);
  void Do(const AskGateway& action);
  void Do(const Connect& action);
  void Do(const SendText& action);
  void Do(const CloseSocket& action);
  void Do(const ArmTimer& action);
  void Do(const Deliver& action);
  void Do(const SaveBudget& action);
  void Do(const Online& action);
  void Do(const GiveUp& action);
  void Do(const Report& action);

  Task<void> Ask();
  Task<void> Converse(std::uint64_t number, std::string url);
  Task<void> SendOn(std::shared_ptr<net::WebSocket> socket, std::string text);
  Task<void> CloseOf(std::shared_ptr<net::WebSocket> socket, std::uint16_t code, std::string reason);
  Task<void> KeepTime();

  // Constant after construction.
  Executor executor_;
  GatewayOptions options_;
  Rest& rest_;
  const base::Clock& clock_;
  GatewayEvents& events_;

  IdentifyBudget budget_;
  GatewaySession session_;
  Codec codec_;
  const Frame* frame_ = nullptr;  // while Received runs
  /// Counts connections: what comes from an older one is no longer listened to.
  std::uint64_t connection_ = 0;
  std::shared_ptr<net::WebSocket> socket_;
  bool intent_checked_ = false;
  base::SteadyTime wake_at_ = base::SteadyTime::max();
  boost::asio::steady_timer timer_;
  async::TaskGroup tasks_;
  async::TaskGroup closing_;
  async::Event over_;
  Error failure_;
};

}  // namespace shipmate::platforms::discord
