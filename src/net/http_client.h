#pragma once

// HttpClient: HTTP/1.1 to one origin, plain or TLS, over kept-alive connections. It never follows a redirect, so a
// token never leaves the configured origin. Every step has a time limit, name look-up included.

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>

#include "async/task.h"
#include "base/result.h"
#include "net/http_types.h"
#include "net/tls.h"
#include "net/url.h"

namespace shipmate::net {

struct HttpClientOptions {
  /// Scheme, host and port of every request; the target is each request's own.
  Url origin;
  /// REQUIRED for https.
  std::shared_ptr<TlsContext> tls;
  std::chrono::milliseconds connect_limit{std::chrono::seconds(10)};  ///< look-up, connect, TLS together
  std::chrono::milliseconds request_limit{std::chrono::seconds(30)};  ///< from the first byte sent to the last read
  std::size_t body_limit = 8 * 1024 * 1024;
  /// Idle connections kept; requests beyond the kept ones open their own.
  std::size_t keep = 2;
  std::chrono::milliseconds idle_limit{std::chrono::seconds(50)};  ///< an idle connection older than this is closed
};

/// How far a failed request got, for whoever decides whether it may be sent again.
enum class Sent {
  kNothing,  ///< no byte left: safe to repeat anything
  kMaybe,    ///< it may have been received and acted on
};

struct HttpFailure {
  Error error;
  Sent sent = Sent::kNothing;
};

class HttpClient {
 public:
  HttpClient(Executor executor, HttpClientOptions options);
  /// REQUIRES: no request is under way.
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Sends `request` (Host, Content-Length and Connection are added) and reads the whole answer, whatever its status.
  /// On a kept connection that the server had closed meanwhile (no byte of an answer came), the request is sent once
  /// more on a new connection if `repeatable`, or if nothing was sent yet.
  /// Errors: kNotFound (name), kRefused or kIo (connect), kTls, kTimeout, kTooLarge (body), kProtocol, kClosed.
  Task<std::expected<HttpResponse, HttpFailure>> Send(HttpRequest request, bool repeatable);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace shipmate::net
