#pragma once

// HttpServer: HTTP/1.1 with keep-alive, plain or TLS, on one TCP address, with limits on header, body, time and the
// number of connections; an upgrade to WebSocket is handed to its own handler. A request whose length can be read in
// two ways is refused, and its connection closed. At the limit of connections the oldest idle one makes room for a
// client that waits; without an idle one, clients wait in the kernel's queue.
//
// The handlers, and what they refer to, must live until Shutdown has completed. A server may be destroyed at any time
// while the loop exists; then everything that still runs is cancelled.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "async/task.h"
#include "base/result.h"
#include "net/http_types.h"
#include "net/tls.h"
#include "net/websocket.h"

namespace shipmate::net {

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;           ///< 0 = any free one; see Port()
  std::shared_ptr<TlsContext> tls;  ///< null = plain
  std::size_t header_limit = 16 * 1024;
  std::size_t body_limit = 25 * 1024 * 1024;                          ///< 413 above; also the longest WebSocket message
  std::chrono::milliseconds request_limit{std::chrono::seconds(30)};  ///< reading one request; writing its answer
  std::chrono::milliseconds idle_limit{std::chrono::seconds(60)};     ///< between requests
  std::size_t connection_limit = 512;
  std::size_t body_budget = 64 * 1024 * 1024;  ///< large bodies of all connections together; 503 above
};

class HttpServer {
 public:
  /// Called when the header of a request is there, before its body is read: an answer refuses the request, and ends the
  /// connection.
  using Doorman = std::function<std::optional<HttpResponse>(const HttpRequest& head)>;
  /// Called for each request; the response's Content-Length and Connection are added. An exception becomes a 500.
  using Handler = std::function<Task<HttpResponse>(HttpRequest)>;
  /// Called for each accepted WebSocket with its upgrade request; the connection ends when it returns.
  using SocketHandler = std::function<Task<void>(HttpRequest, std::shared_ptr<WebSocket>)>;

  /// Binds and listens; kIo, naming the address and port, when that fails ("listening on 127.0.0.1:80: permission
  /// denied"). Nothing is accepted before Run.
  static Result<std::unique_ptr<HttpServer>> Listen(Executor executor, HttpServerOptions options);

  virtual ~HttpServer() = default;
  virtual void OnHead(Doorman doorman) = 0;
  /// Without a SocketHandler upgrade requests are answered 426.
  virtual void OnRequest(Handler handler) = 0;
  virtual void OnSocket(SocketHandler handler) = 0;
  virtual std::uint16_t Port() const = 0;
  /// Accepts until cancelled or shut down.
  virtual Task<void> Run() = 0;
  /// Stops accepting, closes idle connections, and WebSockets with code 1001, lets running requests finish within
  /// `limit`, then cancels and cuts what is left.
  virtual Task<void> Shutdown(std::chrono::milliseconds limit) = 0;
  /// Test doubles: cuts every open connection with a TCP reset, without close frames.
  virtual void CutConnections() = 0;
};

}  // namespace shipmate::net
