#include "net/http_connection.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <exception>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "net/http_message.h"
#include "net/net_error.h"
#include "net/websocket_accept.h"

namespace shipmate::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
// How long the rest of what a client sends is read and dropped after the last answer, so that its arrival does not
// destroy the answer on its way (RFC 9112 section 9.6).
constexpr std::chrono::milliseconds kLinger{1000};
constexpr std::size_t kDiscardStep = 16 * 1024;
// Bodies up to this size are not counted as held: a flood of large ones keeps no ordinary request out.
constexpr std::size_t kSmallBody = 64 * 1024;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::chrono::milliseconds kSocketCloseLimit{1000};
// RFC 6455 section 7.4.1.
constexpr std::uint16_t kNormal = 1000;
constexpr std::uint16_t kGoingAway = 1001;
constexpr std::uint16_t kInternalError = 1011;

bool SaysClose(const HttpResponse& response) {
  return base::ToLowerAscii(response.headers.Get("Connection")) == "close";
}

}  // namespace

void HttpConnection::Allow(std::chrono::milliseconds limit) {
  expired_ = false;
  deadline_ = service_.clock.Now() + limit;
}

void HttpConnection::CheckDeadline(base::SteadyTime now) {
  if (now < deadline_) return;
  // Again and again: what is cancelled now may have come about already, and its successor waits.
  expired_ = true;
  error_code ignored;
  if (socket_ != nullptr) socket_->cancel(ignored);
}

bool HttpConnection::Hold(std::size_t size) {
  const std::size_t counted = size > kSmallBody ? size : 0;
  service_.held = service_.held + counted - held_;
  const bool grows = counted > held_;
  held_ = counted;
  return !grows || service_.held <= service_.options.body_budget;
}

void HttpConnection::CloseIdle() {
  idle_ = false;
  error_code ignored;
  if (socket_ != nullptr) socket_->close(ignored);
}

void HttpConnection::Reset() {
  if (const auto upgraded = websocket_.lock()) {
    upgraded->Abort();
  } else if (socket_ != nullptr) {
    CloseHard(*socket_);
  }
}

Task<void> HttpConnection::Serve(tcp::socket socket) {
  if (service_.draining) co_return;
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  if (!service_.options.tls) {
    socket_ = &socket;
    co_await ServeRequests(socket);
    socket_ = nullptr;
    co_return;
  }
  TlsStream stream(std::move(socket), service_.options.tls->Get());
  socket_ = &stream.next_layer();
  Allow(service_.options.request_limit);
  const auto [error] = co_await stream.async_handshake(TlsStream::server, kToken);
  if (!error) co_await ServeRequests(stream);
  socket_ = nullptr;
}

template <class Stream>
Task<void> HttpConnection::ServeRequests(Stream& stream) {
  const HttpServerOptions& options = service_.options;
  RequestReader reader({.header = options.header_limit, .body = options.body_limit});
  for (bool first = true;; first = false) {
    const bool begun = reader.HasMore();
    if (!first && !begun && (service_.draining || service_.crowded)) break;
    // The first request of a connection has one limit for everything, so that mere connecting buys no idle time.
    Allow(first || begun ? options.request_limit : options.idle_limit);
    const Read read = co_await ReadRequest(stream, reader);
    if (read == Read::kEnded) co_return;
    if (read == Read::kRefused) {
      co_await Answer(stream, std::move(refusal_), Head::kNo, After::kClose);
      break;
    }

    const bool upgrade = reader.IsUpgrade();
    After after = reader.KeepsAlive() ? After::kNextRequest : After::kClose;
    HttpRequest request = reader.Take();
    const Head head = request.method == "HEAD" ? Head::kYes : Head::kNo;
    HttpResponse response;
    deadline_ = base::SteadyTime::max();
    if (upgrade && service_.socket_handler) {
      if (!reader.HasMore()) {
        co_await ServeWebSocket(stream, std::move(request));
        co_return;
      }
      // Nothing may be sent before the upgrade is answered (RFC 6455 section 4.1).
      response = PlainAnswer(400, "data after an upgrade request");
      after = After::kClose;
    } else if (upgrade) {
      response = PlainAnswer(426, "no WebSocket is served here");
    } else {
      response = co_await CallHandler(std::move(request));
    }
    Hold(0);
    if (service_.draining || service_.crowded) after = After::kClose;
    if (co_await Answer(stream, std::move(response), head, after) == After::kClose) break;
  }
  Allow(kLinger);
  co_await Finish(stream);
}

template <class Stream>
Task<HttpConnection::Read> HttpConnection::ReadRequest(Stream& stream, RequestReader& reader) {
  using State = RequestReader::State;
  for (;;) {
    switch (reader.Advance()) {
      case State::kDone:
        co_return Read::kRequest;
      case State::kRefused:
        refusal_ = reader.Refusal();
        co_return Read::kRefused;
      case State::kHead:
        if (service_.doorman) {
          if (auto refused = service_.doorman(reader.Head())) {
            refusal_ = *std::move(refused);
            co_return Read::kRefused;
          }
        }
        if (reader.ExpectsOtherwise()) {
          refusal_ = PlainAnswer(417, "only 100-continue may be expected");
          co_return Read::kRefused;
        }
        if (reader.AwaitsContinue()) {
          const auto [error, count] = co_await asio::async_write(stream, asio::buffer(kContinue), kToken);
          if (error) co_return Read::kEnded;
        }
        continue;
      case State::kMore:
        break;
    }
    if (!Hold(reader.BodySize())) {
      refusal_ = PlainAnswer(503, "too many large bodies at once; try again");
      co_return Read::kRefused;
    }
    const std::span<char> room = reader.Prepare();
    const bool nothing = reader.Empty();
    idle_ = nothing;
    const auto [error, count] = co_await stream.async_read_some(asio::buffer(room.data(), room.size()), kToken);
    idle_ = false;
    if (error) {
      if (!expired_ || nothing) co_return Read::kEnded;
      refusal_ = PlainAnswer(408, "the request took too long");
      co_return Read::kRefused;
    }
    reader.Commit(count);
    if (nothing && !first_) Allow(service_.options.request_limit);
    first_ = false;
  }
}

template <class Stream>
Task<After> HttpConnection::Answer(Stream& stream, HttpResponse response, Head head, After after) {
  Result<void> valid = CheckHeaders(response.headers);
  if (valid && (response.status < 200 || response.status > 999)) {
    valid = Fail(Errc::kInvalid, fmt::format("{} is no final HTTP status", response.status));
  }
  if (!valid) {
    LogError("http: a handler's response cannot be sent: " + valid.error().what);
    response = PlainAnswer(500, "internal error");
  }
  if (SaysClose(response)) after = After::kClose;
  const std::string header = EncodeAnswerHead(response, after);
  const std::array<asio::const_buffer, 2> parts = {
      asio::buffer(header), SendsBody(response, head) ? asio::buffer(response.body) : asio::const_buffer()};
  Allow(service_.options.request_limit);
  const auto [error, count] = co_await asio::async_write(stream, parts, kToken);
  co_return error ? After::kClose : after;
}

Task<HttpResponse> HttpConnection::CallHandler(HttpRequest request) {
  if (!service_.handler) co_return PlainAnswer(404, "nothing is served here");
  const std::string method = request.method;
  const std::string path = request.target.substr(0, request.target.find('?'));
  std::string failure;
  try {
    co_return co_await service_.handler(std::move(request));
  } catch (const std::exception& error) {
    failure = error.what();
  }
  co_await ThrowIfCancelled();
  LogError(fmt::format("http: {} {}: the handler failed: {}", method, path, failure));
  co_return PlainAnswer(500, "internal error");
}

template <class Stream>
Task<void> HttpConnection::ServeWebSocket(Stream& stream, HttpRequest request) {
  socket_ = nullptr;
  const WebSocketAcceptOptions options{.handshake_limit = service_.options.request_limit,
                                       .message_limit = service_.options.body_limit};
  auto accepted = co_await AcceptWebSocket(std::move(stream), request, options);
  if (!accepted) co_return;
  const std::shared_ptr<WebSocket> websocket = std::move(*accepted);
  websocket_ = websocket;
  std::optional<std::string> failure;
  if (!service_.draining) {
    try {
      co_await service_.socket_handler(std::move(request), websocket);
    } catch (const std::exception& error) {
      failure = error.what();
    }
  }
  std::uint16_t code = service_.draining ? kGoingAway : kNormal;
  if (failure) {
    co_await ThrowIfCancelled();
    LogError(fmt::format("http: a websocket's handler failed: {}", *failure));
    code = kInternalError;
  }
  co_await websocket->Close(code, "", kSocketCloseLimit);
}

Task<void> HttpConnection::Discard(tcp::socket& socket) {
  error_code error;
  socket.shutdown(tcp::socket::shutdown_send, error);
  std::string unread(kDiscardStep, '\0');
  while (!error && !expired_) {
    std::tie(error, std::ignore) = co_await socket.async_read_some(asio::buffer(unread), kToken);
  }
}

Task<void> HttpConnection::Finish(tcp::socket& stream) {
  return Discard(stream);
}

Task<void> HttpConnection::Finish(TlsStream& stream) {
  // Answered by the client's own closing alert, or, when it is still sending a request, by an error.
  co_await stream.async_shutdown(kToken);
  if (!expired_) co_await Discard(stream.next_layer());
}

}  // namespace shipmate::net
