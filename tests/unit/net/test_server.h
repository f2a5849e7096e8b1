#pragma once

// TestServer: an HttpServer on a free port of the loopback, run in the background of the test's loop, and shut down
// with the object. RawClient and RawServer: plain sockets for what no honest side would send.

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "async/spawn.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/tls.h"
#include "net/url.h"
#include "unit/net/test_certificates.h"
#include "unit/run_task.h"

namespace shipmate::tests {

inline net::Url TestUrl(const std::string& scheme, std::uint16_t port, const std::string& target = "/") {
  return net::ParseUrl(scheme + "://127.0.0.1:" + std::to_string(port) + target).value();
}

/// Runs the loop until `condition` holds; false when it does not within the test limit.
bool RunUntil(boost::asio::io_context& loop, const std::function<bool()>& condition);

class TestServer {
 public:
  explicit TestServer(boost::asio::io_context& loop, net::HttpServerOptions options = {}) : loop_(loop) {
    server_ = std::move(net::HttpServer::Listen(loop.get_executor(), std::move(options)).value());
    async::Spawn(loop.get_executor(), "server", server_->Run());
  }
  ~TestServer() {
    if (server_) RunTask(loop_, server_->Shutdown(std::chrono::milliseconds(0)));
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  net::HttpServer* operator->() { return server_.get(); }
  net::HttpServer& operator*() { return *server_; }
  std::uint16_t Port() const { return server_->Port(); }

 private:
  boost::asio::io_context& loop_;
  std::unique_ptr<net::HttpServer> server_;
};

/// Connects, sends `sent`, and gives everything that comes back until the server closes (or resets).
Task<std::string> RawExchange(std::uint16_t port, std::string sent);
/// Upgrades to a WebSocket, sends `frames` and gives every byte that comes back after the upgrade's answer.
Task<std::string> RawFrames(std::uint16_t port, std::string frames);

/// Accepts connections on a free port; each sends what `script` says and is then kept open or closed.
class RawServer {
 public:
  struct Turn {
    /// Sent once a request's header has come in.
    std::string answer;
    /// Whether the connection is then closed.
    bool close = true;
  };
  /// Turn n is for the n-th request, on whatever connection it comes.
  RawServer(boost::asio::io_context& loop, std::vector<Turn> script);
  ~RawServer();
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  std::uint16_t Port() const;
  const std::vector<std::string>& Requests() const;
  /// How many were accepted, and how many are open now.
  int Connections() const;
  std::size_t OpenConnections() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace shipmate::tests
