#pragma once

// The server's side of a WebSocket upgrade, for HttpServer. Internal to net.

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <memory>

#include "async/task.h"
#include "base/result.h"
#include "net/connect.h"
#include "net/http_types.h"
#include "net/websocket.h"

namespace shipmate::net {

struct WebSocketAcceptOptions {
  std::chrono::milliseconds handshake_limit;
  std::size_t message_limit = 0;
};

/// Answers the upgrade request that was read from `stream` and takes the stream over. A malformed upgrade is answered
/// with an HTTP error, and fails.
Task<Result<std::shared_ptr<WebSocket>>> AcceptWebSocket(boost::asio::ip::tcp::socket stream, HttpRequest request,
                                                         WebSocketAcceptOptions options);
Task<Result<std::shared_ptr<WebSocket>>> AcceptWebSocket(TlsStream stream, HttpRequest request,
                                                         WebSocketAcceptOptions options);

}  // namespace shipmate::net
