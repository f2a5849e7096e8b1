#include "net/http_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <optional>
#include <utility>

#include "async/deadline.h"
#include "async/latch.h"
#include "async/spawn.h"
#include "base/log.h"
#include "base/text.h"
#include "net/http_connection.h"

namespace shipmate::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
// How long accepting rests when the system has no descriptor or memory left for another connection.
constexpr std::chrono::milliseconds kAcceptPause{100};
// RFC 6455 section 7.4.1.
constexpr std::uint16_t kGoingAway = 1001;
// After a reset and a cancellation everything unwinds at once; this only bounds the wait for a handler that does not.
constexpr std::chrono::milliseconds kUnwindLimit{5000};
// Deadlines are looked at this often within the shortest limit, so that none is late by more than a part of it.
constexpr int kLooksPerLimit = 8;
constexpr std::chrono::milliseconds kLeastPause{5};
constexpr std::chrono::milliseconds kMostPause{1000};

class Core final : public std::enable_shared_from_this<Core> {
 public:
  Core(const Executor& executor, HttpServerOptions options)
      : executor_(executor), acceptor_(executor), look_(executor), connections_(executor) {
    service.options = std::move(options);
    const auto shortest = std::min(service.options.request_limit, service.options.idle_limit);
    pause_ = std::clamp(shortest / kLooksPerLimit, kLeastPause, kMostPause);
  }

  Result<void> Listen();
  Task<void> Accept();
  Task<void> Shutdown(std::chrono::milliseconds limit);
  /// Ends everything at once; nobody waits for it.
  void Abandon();
  void ResetAll();
  std::uint16_t Port() const { return port_; }

  HttpService service;

 private:
  static Task<void> Drain(std::shared_ptr<Core> core);
  static Task<void> Serve(std::shared_ptr<Core> core, tcp::socket socket);
  bool CloseOldestIdle();
  void LookAtDeadlines();
  void StopAccepting();

  const Executor executor_;
  tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::chrono::milliseconds pause_;
  asio::steady_timer look_;  // runs while there are connections
  bool looking_ = false;
  async::TaskGroup connections_;
  std::list<HttpConnection*> open_;     // oldest first
  std::unique_ptr<async::Event> room_;  // set when a connection ends; null when nobody waits for that
};

Task<void> CloseWebSocket(std::shared_ptr<WebSocket> websocket, std::uint16_t code, std::chrono::milliseconds limit) {
  co_await websocket->Close(code, "", limit);
}

Result<void> Core::Listen() {
  const std::string what = fmt::format("listening on {}:{}", service.options.address, service.options.port);
  error_code error;
  const auto address = asio::ip::make_address(service.options.address, error);
  if (error) return Fail(Errc::kInvalid, what + ": the address must be a numeric IP address");
  const tcp::endpoint endpoint(address, service.options.port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (!error) port_ = acceptor_.local_endpoint(error).port();
  if (!error) return {};
  std::string reason = base::ToLowerAscii(error.message());
  if (error == asio::error::address_in_use) reason += "; another program uses this port";
  return Fail(Errc::kIo, what + ": " + reason);
}

Task<void> Core::Accept() {
  const auto self = shared_from_this();
  bool complained = false;
  while (acceptor_.is_open()) {
    if (open_.size() >= service.options.connection_limit) {
      // Only a client that is really waiting is worth an idle connection; while it waits, none becomes idle.
      const auto [error] = co_await acceptor_.async_wait(tcp::acceptor::wait_read, kToken);
      if (error) break;
      room_ = std::make_unique<async::Event>(executor_);
      service.crowded = true;
      CloseOldestIdle();
      co_await room_->Wait();
      room_.reset();
      service.crowded = false;
      continue;
    }
    auto [error, socket] = co_await acceptor_.async_accept(kToken);
    if (!error) {
      complained = false;
      connections_.Spawn("http connection", Serve(self, std::move(socket)));
    } else if (error == asio::error::operation_aborted) {
      break;
    } else if (error != asio::error::connection_aborted) {
      // Without a descriptor or memory for it the connection stays in the kernel's queue; asking again at once would
      // only burn the processor.
      if (!std::exchange(complained, true)) {
        LogWarn(fmt::format("http: accepting on port {}: {}; trying again every {}ms", port_, error.message(),
                            kAcceptPause.count()));
      }
      co_await async::Sleep(kAcceptPause);
    }
  }
}

// A connection's place in the list, which it leaves however it ends.
class Place {
 public:
  Place(std::list<HttpConnection*>& list, HttpConnection& connection, std::unique_ptr<async::Event>& room)
      : list_(list), entry_(list.insert(list.end(), &connection)), room_(room) {}
  ~Place() {
    list_.erase(entry_);
    if (room_) room_->Set();
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  std::list<HttpConnection*>& list_;
  const std::list<HttpConnection*>::iterator entry_;
  std::unique_ptr<async::Event>& room_;
};

Task<void> Core::Serve(std::shared_ptr<Core> core, tcp::socket socket) {
  HttpConnection connection(core->service);
  const Place place(core->open_, connection, core->room_);
  core->LookAtDeadlines();
  co_await connection.Serve(std::move(socket));
}

void Core::LookAtDeadlines() {
  if (std::exchange(looking_, true)) return;
  look_.expires_after(pause_);
  look_.async_wait([weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    if (!self || error) return;
    self->looking_ = false;
    const auto now = self->service.clock.Now();
    for (HttpConnection* open : self->open_) open->CheckDeadline(now);
    if (!self->open_.empty()) self->LookAtDeadlines();
  });
}

bool Core::CloseOldestIdle() {
  const auto idle = std::ranges::find_if(open_, [](const HttpConnection* open) { return open->Idle(); });
  if (idle == open_.end()) return false;
  (*idle)->CloseIdle();
  return true;
}

void Core::StopAccepting() {
  service.draining = true;
  error_code ignored;
  acceptor_.close(ignored);
  if (room_) room_->Set();
}

Task<void> Core::Shutdown(std::chrono::milliseconds limit) {
  const auto self = shared_from_this();
  StopAccepting();
  while (CloseOldestIdle()) continue;
  for (const HttpConnection* open : open_) {
    if (const auto websocket = open->Socket()) {
      async::Spawn(executor_, "websocket close", CloseWebSocket(websocket, kGoingAway, limit));
    }
  }
  if (co_await connections_.Join(limit)) co_return;
  connections_.Cancel();
  ResetAll();
  if (!co_await connections_.Join(kUnwindLimit)) {
    LogWarn(fmt::format("http: {} connections of port {} did not end", connections_.Size(), port_));
  }
}

void Core::ResetAll() {
  for (HttpConnection* open : open_) open->Reset();
}

void Core::Abandon() {
  StopAccepting();
  if (connections_.Size() == 0) return;
  connections_.Cancel();
  ResetAll();
  // Keeps the group alive until its members have ended.
  async::Spawn(executor_, "http server", Drain(shared_from_this()));
}

Task<void> Core::Drain(std::shared_ptr<Core> core) {
  while (!co_await core->connections_.Join(kUnwindLimit)) continue;
}

class AsioServer final : public HttpServer {
 public:
  explicit AsioServer(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  ~AsioServer() override { core_->Abandon(); }
  void OnHead(Doorman doorman) override { core_->service.doorman = std::move(doorman); }
  void OnRequest(Handler handler) override { core_->service.handler = std::move(handler); }
  void OnSocket(SocketHandler handler) override { core_->service.socket_handler = std::move(handler); }
  std::uint16_t Port() const override { return core_->Port(); }
  Task<void> Run() override { return core_->Accept(); }
  Task<void> Shutdown(std::chrono::milliseconds limit) override { return core_->Shutdown(limit); }
  void CutConnections() override { core_->ResetAll(); }

 private:
  const std::shared_ptr<Core> core_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Listen(Executor executor, HttpServerOptions options) {
  auto core = std::make_shared<Core>(executor, std::move(options));
  if (auto listening = core->Listen(); !listening) return Fail(std::move(listening.error()));
  return std::make_unique<AsioServer>(std::move(core));
}

}  // namespace shipmate::net
