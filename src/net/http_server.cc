#include "net/http_server.h"

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <list>
#include <optional>
#include <utility>

#include "async/deadline.h"
#include "async/latch.h"
#include "async/spawn.h"
#include "base/log.h"
#include "base/text.h"
#include "net/connect.h"
#include "net/http_message.h"
#include "net/net_error.h"
#include "net/websocket_accept.h"

namespace shipmate::net {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
// How long accepting rests when the system has no descriptor or memory left for another connection.
constexpr std::chrono::milliseconds kAcceptPause{100};
// After an answer that ends the connection, what the client still sends is read and thrown away for so long: a close
// with unread data becomes a TCP reset, which may overtake the answer.
constexpr std::chrono::milliseconds kLinger{1000};
constexpr std::size_t kReadStep = 16 * 1024;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::chrono::milliseconds kSocketCloseLimit{1000};
// RFC 6455 section 7.4.1.
constexpr std::uint16_t kNormal = 1000;
constexpr std::uint16_t kGoingAway = 1001;
constexpr std::uint16_t kInternalError = 1011;
// After a reset and a cancellation everything unwinds at once; this only bounds the wait for a handler that does not.
constexpr std::chrono::milliseconds kUnwindLimit{5000};

enum class After { kNextRequest, kClose };
// Whether it answers a HEAD: a header without its body.
enum class Head { kNo, kYes };

HttpResponse Plain(unsigned status, std::string text) {
  HttpResponse response;
  response.status = status;
  response.headers.Add("Content-Type", "text/plain; charset=utf-8");
  response.body = std::move(text) + "\n";
  return response;
}

// A request that different programs may cut differently is a way to smuggle a second one through a proxy
// (RFC 9112 sections 6.1, 6.3 and 11.2): it is refused, not repaired.
const char* FramingFault(const http::request_parser<http::string_body>& parser) {
  const auto& request = parser.get();
  if (request.version() != 11 && request.version() != 10) return "unsupported HTTP version";
  const auto lengths = request.count(http::field::content_length);
  const auto codings = request.count(http::field::transfer_encoding);
  if (lengths > 1 || codings > 1 || (lengths > 0 && codings > 0)) return "ambiguous message length";
  if (lengths == 1) {
    for (const char c : request[http::field::content_length]) {
      if (c < '0' || c > '9') return "malformed Content-Length";
    }
  }
  if (codings == 1) {
    if (request.version() == 10) return "Transfer-Encoding in HTTP/1.0";
    if (!beast::iequals(request[http::field::transfer_encoding], "chunked")) return "unsupported Transfer-Encoding";
  }
  const auto hosts = request.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && request.version() == 11)) return "exactly one Host header is needed";
  return nullptr;
}

// The answer to a request that could not be read; none where the other side just went away.
std::optional<HttpResponse> AnswerToBroken(error_code error) {
  if (error == http::error::header_limit) return Plain(431, "the request's header is too large");
  if (error == http::error::body_limit || error == http::error::buffer_overflow) {
    return Plain(413, "the request's body is too large");
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message) return std::nullopt;
  if (error.category() == make_error_code(http::error::bad_version).category()) {
    return Plain(400, "malformed request: " + error.message());
  }
  return std::nullopt;
}

HttpRequest FromBeast(http::request<http::string_body>&& message) {
  HttpRequest request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  for (const auto& field : message) {
    request.headers.Add(std::string(field.name_string()), std::string(field.value()));
  }
  request.body = std::move(message.body());
  return request;
}

http::response<http::string_body> ToBeast(HttpResponse response, Head head, After after) {
  http::response<http::string_body> message;
  message.version(11);
  message.result(response.status);
  for (const auto& [name, value] : response.headers) {
    const bool upgrade = beast::iequals(name, "Upgrade");
    if (!IsFramingField(name) || upgrade) message.insert(name, value);
  }
  message.keep_alive(after == After::kNextRequest);
  const bool bodiless = response.status == 204 || response.status == 304 || response.status < 200;
  if (!bodiless) message.content_length(response.body.size());
  if (!bodiless && head == Head::kNo) message.body() = std::move(response.body);
  return message;
}

using Parser = http::request_parser<http::string_body>;

class Open;

class Core final : public std::enable_shared_from_this<Core> {
 public:
  Core(const Executor& executor, HttpServerOptions options)
      : executor_(executor), options_(std::move(options)), acceptor_(executor), connections_(executor) {}

  Result<void> Listen();
  Task<void> Accept();
  Task<void> Shutdown(std::chrono::milliseconds limit);
  /// Ends everything at once; nobody waits for it.
  void Abandon();
  void ResetAll();
  std::uint16_t Port() const { return port_; }

  HttpServer::Handler handler;
  HttpServer::SocketHandler socket_handler;

 private:
  friend class Open;

  static Task<void> Drain(std::shared_ptr<Core> core);
  static Task<void> Serve(std::unique_ptr<Open> open, tcp::socket socket);
  template <class Stream>
  Task<void> ServeRequests(Stream& stream, Open& open);
  template <class Stream>
  Task<Result<std::optional<HttpResponse>>> ReadRequest(Stream& stream, beast::flat_buffer& buffer, Parser& parser,
                                                        Open& open);
  template <class Stream>
  Task<After> Answer(Stream& stream, HttpResponse response, Head head, After after);
  template <class Stream>
  Task<void> ServeWebSocket(Stream& stream, HttpRequest request, Open& open);
  Task<HttpResponse> CallHandler(HttpRequest request);
  bool CloseOldestIdle();

  const Executor executor_;
  const HttpServerOptions options_;
  tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  bool draining_ = false;
  async::TaskGroup connections_;
  std::list<Open*> open_;               // oldest first
  std::unique_ptr<async::Event> room_;  // set when a connection ends; null when nobody waits for that
};

// One connection as the server sees it from outside; owned by its coroutine.
class Open {
 public:
  explicit Open(std::shared_ptr<Core> owner)
      : core(std::move(owner)), entry_(core->open_.insert(core->open_.end(), this)) {}
  ~Open() {
    core->open_.erase(entry_);
    if (core->room_) core->room_->Set();
  }
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;

  void Reset() {
    if (const auto upgraded = websocket.lock()) {
      upgraded->Abort();
    } else if (socket != nullptr) {
      CloseHard(*socket);
    }
  }

  const std::shared_ptr<Core> core;
  tcp::socket* socket = nullptr;  // null once a websocket has it
  std::weak_ptr<WebSocket> websocket;
  bool idle = false;  // nothing of a request has been received

 private:
  const std::list<Open*>::iterator entry_;
};

template <class Stream>
Task<Result<void>> ReadSome(Stream& stream, beast::flat_buffer& buffer) {
  const auto [error, count] = co_await stream.async_read_some(buffer.prepare(kReadStep), kToken);
  if (error) co_return Fail(ToError(error, "reading a request"));
  buffer.commit(count);
  co_return Result<void>();
}

template <class Stream>
Task<Result<void>> Write(Stream& stream, const http::response<http::string_body>& message) {
  const auto [error, count] = co_await http::async_write(stream, message, kToken);
  if (error) co_return Fail(ToError(error, "answering a request"));
  co_return Result<void>();
}

Task<Result<void>> HandshakeAsServer(TlsStream& stream) {
  const auto [error] = co_await stream.async_handshake(TlsStream::server, kToken);
  if (error) co_return Fail(ToError(error, "TLS handshake with a client"));
  co_return Result<void>();
}

Task<Result<void>> Discard(tcp::socket& socket) {
  error_code error;
  socket.shutdown(tcp::socket::shutdown_send, error);
  std::string unread(kReadStep, '\0');
  while (!error) std::tie(error, std::ignore) = co_await socket.async_read_some(asio::buffer(unread), kToken);
  co_return Result<void>();
}

Task<Result<void>> Finish(tcp::socket& stream) {
  return Discard(stream);
}

Task<Result<void>> Finish(TlsStream& stream) {
  // Answered by the client's own closing alert, or, when it is still sending a request, by an error.
  co_await stream.async_shutdown(kToken);
  co_return co_await Discard(stream.next_layer());
}

Task<void> CloseWebSocket(std::shared_ptr<WebSocket> websocket, std::uint16_t code, std::chrono::milliseconds limit) {
  co_await websocket->Close(code, "", limit);
}

Result<void> Core::Listen() {
  const std::string what = fmt::format("listening on {}:{}", options_.address, options_.port);
  error_code error;
  const auto address = asio::ip::make_address(options_.address, error);
  if (error) return Fail(Errc::kInvalid, what + ": the address must be a numeric IP address");
  const tcp::endpoint endpoint(address, options_.port);
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
    if (open_.size() >= options_.connection_limit) {
      // Only a client that is really waiting is worth an idle connection; while it waits, none becomes idle.
      const auto [error] = co_await acceptor_.async_wait(tcp::acceptor::wait_read, kToken);
      if (error) break;
      room_ = std::make_unique<async::Event>(executor_);
      CloseOldestIdle();
      co_await room_->Wait();
      room_.reset();
      continue;
    }
    auto [error, socket] = co_await acceptor_.async_accept(kToken);
    if (!error) {
      complained = false;
      connections_.Spawn("http connection", Serve(std::make_unique<Open>(self), std::move(socket)));
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

bool Core::CloseOldestIdle() {
  for (Open* open : open_) {
    if (!std::exchange(open->idle, false)) continue;
    error_code ignored;
    open->socket->close(ignored);
    return true;
  }
  return false;
}

Task<void> Core::Shutdown(std::chrono::milliseconds limit) {
  const auto self = shared_from_this();
  draining_ = true;
  error_code ignored;
  acceptor_.close(ignored);
  if (room_) room_->Set();
  while (CloseOldestIdle()) continue;
  for (Open* open : open_) {
    if (const auto websocket = open->websocket.lock()) {
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
  for (Open* open : open_) open->Reset();
}

void Core::Abandon() {
  draining_ = true;
  error_code ignored;
  acceptor_.close(ignored);
  if (room_) room_->Set();
  if (connections_.Size() == 0) return;
  connections_.Cancel();
  ResetAll();
  // Keeps the group alive until its members have ended.
  async::Spawn(executor_, "http server", Drain(shared_from_this()));
}

Task<void> Core::Drain(std::shared_ptr<Core> core) {
  while (!co_await core->connections_.Join(kUnwindLimit)) continue;
}

Task<void> Core::Serve(std::unique_ptr<Open> open, tcp::socket socket) {
  Core& core = *open->core;
  if (core.draining_) co_return;
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  if (!core.options_.tls) {
    open->socket = &socket;
    co_await core.ServeRequests(socket, *open);
    co_return;
  }
  TlsStream stream(std::move(socket), core.options_.tls->Get());
  open->socket = &stream.next_layer();
  const auto secured = co_await async::WithDeadline(HandshakeAsServer(stream), core.options_.request_limit, "TLS");
  if (secured) co_await core.ServeRequests(stream, *open);
}

template <class Stream>
Task<void> Core::ServeRequests(Stream& stream, Open& open) {
  beast::flat_buffer buffer;
  for (bool first = true;; first = false) {
    // The first request of a connection has one limit for everything, so that mere connecting buys no idle time.
    if (!first && buffer.size() == 0) {
      if (draining_ || room_) break;
      open.idle = true;
      const auto begun = co_await async::WithDeadline(ReadSome(stream, buffer), options_.idle_limit, "idle");
      open.idle = false;
      if (!begun) co_return;
    }
    Parser parser;
    parser.header_limit(static_cast<std::uint32_t>(options_.header_limit));
    parser.body_limit(options_.body_limit);
    auto refusal = co_await async::WithDeadline(ReadRequest(stream, buffer, parser, open), options_.request_limit,
                                                "reading a request");
    open.idle = false;
    if (!refusal) {
      if (refusal.error().code != Errc::kTimeout || (buffer.size() == 0 && !parser.got_some())) co_return;
      refusal = Plain(408, "the request took too long");
    }
    if (*refusal) {
      co_await Answer(stream, std::move(**refusal), Head::kNo, After::kClose);
      break;
    }

    const bool upgrade = beast::websocket::is_upgrade(parser.get());
    const Head head = parser.get().method() == http::verb::head ? Head::kYes : Head::kNo;
    After after = parser.get().keep_alive() ? After::kNextRequest : After::kClose;
    HttpRequest request = FromBeast(parser.release());
    HttpResponse response;
    if (upgrade && socket_handler) {
      if (buffer.size() == 0) {
        co_await ServeWebSocket(stream, std::move(request), open);
        co_return;
      }
      // Nothing may be sent before the upgrade is answered (RFC 6455 section 4.1).
      response = Plain(400, "data after an upgrade request");
      after = After::kClose;
    } else if (upgrade) {
      response = Plain(426, "no WebSocket is served here");
    } else {
      response = co_await CallHandler(std::move(request));
    }
    if (draining_ || room_) after = After::kClose;
    if (co_await Answer(stream, std::move(response), head, after) == After::kClose) break;
  }
  static_cast<void>(co_await async::WithDeadline(Finish(stream), kLinger, "closing"));
}

template <class Stream>
Task<Result<std::optional<HttpResponse>>> Core::ReadRequest(Stream& stream, beast::flat_buffer& buffer, Parser& parser,
                                                            Open& open) {
  if (buffer.size() == 0) {
    open.idle = true;
    auto begun = co_await ReadSome(stream, buffer);
    open.idle = false;
    if (!begun) co_return Fail(std::move(begun.error()));
  }
  auto [error, count] = co_await http::async_read_header(stream, buffer, parser, kToken);
  if (!error) {
    if (const char* fault = FramingFault(parser)) co_return Plain(400, fault);
    if (parser.is_done()) co_return std::nullopt;
    if (parser.get().count(http::field::expect) > 0 && parser.get().version() == 11) {
      if (!beast::iequals(parser.get()[http::field::expect], "100-continue")) {
        co_return Plain(417, "only 100-continue may be expected");
      }
      std::tie(error, count) = co_await asio::async_write(stream, asio::buffer(kContinue), kToken);
    }
  }
  if (!error) std::tie(error, count) = co_await http::async_read(stream, buffer, parser, kToken);
  if (!error) co_return std::nullopt;
  if (auto answer = AnswerToBroken(error)) co_return std::move(*answer);
  co_return Fail(ToError(error, "reading a request"));
}

template <class Stream>
Task<After> Core::Answer(Stream& stream, HttpResponse response, Head head, After after) {
  Result<void> valid = CheckHeaders(response.headers);
  if (valid && (response.status < 200 || response.status > 999)) {
    valid = Fail(Errc::kInvalid, fmt::format("{} is no final HTTP status", response.status));
  }
  if (!valid) {
    LogError("http: a handler's response cannot be sent: " + valid.error().what);
    response = Plain(500, "internal error");
  }
  if (beast::iequals(response.headers.Get("Connection"), "close")) after = After::kClose;
  const auto message = ToBeast(std::move(response), head, after);
  const auto written = co_await async::WithDeadline(Write(stream, message), options_.request_limit, "answering");
  co_return written ? after : After::kClose;
}

Task<HttpResponse> Core::CallHandler(HttpRequest request) {
  const std::string what =
      fmt::format("http: {} {}", request.method, request.target.substr(0, request.target.find('?')));
  if (!handler) co_return Plain(404, "nothing is served here");
  std::string failure;
  try {
    co_return co_await handler(std::move(request));
  } catch (const std::exception& error) {
    failure = error.what();
  }
  co_await ThrowIfCancelled();
  LogError(fmt::format("{}: the handler failed: {}", what, failure));
  co_return Plain(500, "internal error");
}

template <class Stream>
Task<void> Core::ServeWebSocket(Stream& stream, HttpRequest request, Open& open) {
  open.socket = nullptr;
  const WebSocketAcceptOptions options{.handshake_limit = options_.request_limit, .message_limit = options_.body_limit};
  auto accepted = co_await AcceptWebSocket(std::move(stream), request, options);
  if (!accepted) co_return;
  const std::shared_ptr<WebSocket> websocket = std::move(*accepted);
  open.websocket = websocket;
  std::optional<std::string> failure;
  if (!draining_) {
    try {
      co_await socket_handler(std::move(request), websocket);
    } catch (const std::exception& error) {
      failure = error.what();
    }
  }
  std::uint16_t code = draining_ ? kGoingAway : kNormal;
  if (failure) {
    co_await ThrowIfCancelled();
    LogError(fmt::format("http: a websocket's handler failed: {}", *failure));
    code = kInternalError;
  }
  co_await websocket->Close(code, "", kSocketCloseLimit);
}

class BeastServer final : public HttpServer {
 public:
  explicit BeastServer(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  ~BeastServer() override { core_->Abandon(); }
  void OnRequest(Handler handler) override { core_->handler = std::move(handler); }
  void OnSocket(SocketHandler handler) override { core_->socket_handler = std::move(handler); }
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
  return std::make_unique<BeastServer>(std::move(core));
}

}  // namespace shipmate::net
