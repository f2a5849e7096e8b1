#pragma once

// WebSocket (RFC 6455): one connection, client or server side, plain or TLS, text messages. One coroutine reads; any
// may send, messages go out in the order of the calls. Pings of the other side are answered while a Read is pending.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "async/task.h"
#include "base/result.h"
#include "net/http_types.h"
#include "net/tls.h"
#include "net/url.h"

namespace shipmate::net {

struct WebSocketOptions {
  Url url;
  std::shared_ptr<TlsContext> tls;                                      ///< REQUIRED for wss
  Headers headers;                                                      ///< added to the upgrade request
  std::chrono::milliseconds handshake_limit{std::chrono::seconds(30)};  ///< look-up, connect, TLS and upgrade together
  std::size_t message_limit = 64 * 1024 * 1024;
};

class WebSocket {
 public:
  /// Connects and upgrades. A refused upgrade is kRefused with the HTTP status in the text ("upgrade answered with
  /// 503"), kAuth for 401 and 403, kRateLimited (with retry_after where told) for 429.
  static Task<Result<std::unique_ptr<WebSocket>>> Connect(Executor executor, WebSocketOptions options);

  virtual ~WebSocket() = default;
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

  /// The next whole message (text or binary). The view is valid until the next Read. kClosed when the connection ended,
  /// in whatever way: then CloseCode() tells. kTooLarge, kProtocol likewise end it. A cancelled Read kills the
  /// connection. REQUIRES: no other Read is pending.
  virtual Task<Result<std::string_view>> Read() = 0;
  /// Queues `text` and returns once it was handed to the kernel; kClosed when the connection has ended.
  virtual Task<Result<void>> Send(std::string text) = 0;
  virtual Task<Result<void>> SendBinary(std::string bytes) = 0;
  /// The code of the close frame that the other side sent (1005 when the frame had none); nullopt when there was no
  /// such frame (a drop).
  virtual std::optional<std::uint16_t> CloseCode() const = 0;
  virtual std::string CloseReason() const = 0;
  /// Sends a close frame and waits for the answer, at most `limit`, then closes the socket. Any code of RFC 6455
  /// section 7.4 or 3000-4999.
  virtual Task<void> Close(std::uint16_t code, std::string reason, std::chrono::milliseconds limit) = 0;
  /// Cuts the connection at once, without a close frame; a pending Read fails with kClosed.
  virtual void Abort() = 0;

 protected:
  WebSocket() = default;
};

}  // namespace shipmate::net
