#pragma once

// HttpConnection: one accepted connection of an HttpServer, from its first byte to its end. Its limits of time are kept
// by deadlines that the server looks at now and then, not by a timer a step. Internal to net.

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <memory>

#include "async/task.h"
#include "base/clock.h"
#include "net/connect.h"
#include "net/http_codec.h"
#include "net/http_server.h"
#include "net/websocket.h"

namespace shipmate::net {

/// What all connections of a server share.
struct HttpService {
  HttpServerOptions options;
  HttpServer::Doorman doorman;
  HttpServer::Handler handler;
  HttpServer::SocketHandler socket_handler;
  base::SystemClock clock;
  bool draining = false;  ///< no further request is begun
  bool crowded = false;   ///< a client waits for a place: connections end after their request
  std::size_t held = 0;   ///< bytes of large bodies in memory
};

class HttpConnection {
 public:
  /// `service` outlives it.
  explicit HttpConnection(HttpService& service) : service_(service) {}
  ~HttpConnection() { Hold(0); }
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  /// Completes when the connection has ended. REQUIRES: called once; outlives the task.
  Task<void> Serve(boost::asio::ip::tcp::socket socket);

  /// Nothing of a request has been received.
  bool Idle() const { return idle_; }
  void CloseIdle();
  /// With a TCP reset.
  void Reset();
  /// Ends what has taken longer than it may.
  void CheckDeadline(base::SteadyTime now);
  /// Null unless it has become a WebSocket.
  std::shared_ptr<WebSocket> Socket() const { return websocket_.lock(); }

 private:
  enum class Read { kRequest, kRefused, kEnded };

  template <class Stream>
  Task<void> ServeRequests(Stream& stream);
  template <class Stream>
  Task<Read> ReadRequest(Stream& stream, RequestReader& reader);
  template <class Stream>
  Task<After> Answer(Stream& stream, HttpResponse response, Head head, After after);
  template <class Stream>
  Task<void> ServeWebSocket(Stream& stream, HttpRequest request);
  Task<HttpResponse> CallHandler(HttpRequest request);
  Task<void> Discard(boost::asio::ip::tcp::socket& socket);
  Task<void> Finish(boost::asio::ip::tcp::socket& stream);
  Task<void> Finish(TlsStream& stream);
  void Allow(std::chrono::milliseconds limit);
  /// Accounts for a body of that size; whether there is room for it.
  bool Hold(std::size_t size);

  HttpService& service_;
  boost::asio::ip::tcp::socket* socket_ = nullptr;  // null once a websocket has it
  std::weak_ptr<WebSocket> websocket_;
  bool idle_ = false;
  bool first_ = true;  // no byte has come yet
  bool expired_ = false;
  base::SteadyTime deadline_ = base::SteadyTime::max();
  std::size_t held_ = 0;
  HttpResponse refusal_;
};

}  // namespace shipmate::net
