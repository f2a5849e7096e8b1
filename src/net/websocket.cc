#include "net/websocket.h"

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <charconv>
#include <deque>
#include <utility>

#include "async/deadline.h"
#include "async/latch.h"
#include "base/text.h"
#include "net/connect.h"
#include "net/http_message.h"
#include "net/net_error.h"
#include "net/read_ahead.h"
#include "net/websocket_accept.h"

namespace shipmate::net {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using boost::system::error_code;

using PlainStream = ReadAhead<tcp::socket>;

// NOLINTBEGIN(readability-identifier-naming): Beast's customisation points, found by argument-dependent lookup: the end
// of TCP below a closed websocket.
void teardown(beast::role_type role, PlainStream& stream, error_code& error) {
  beast::websocket::teardown(role, stream.next_layer(), error);
}

template <class Handler>
void async_teardown(beast::role_type role, PlainStream& stream, Handler&& handler) {
  beast::websocket::async_teardown(role, stream.next_layer(), std::forward<Handler>(handler));
}
// NOLINTEND(readability-identifier-naming)

namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
// The longest single read, so that memory follows what came and not what a frame's header announces.
constexpr std::size_t kReadStep = 64 * 1024;
constexpr std::size_t kFirstRead = 16 * 1024;
// A buffer that one huge message left behind is given back above this size.
constexpr std::size_t kKeptCapacity = 1024 * 1024;
// RFC 6455 section 5.5: a control frame's payload has at most 125 bytes, two of which are the close code.
constexpr std::size_t kLongestReason = 123;
// RFC 6455 section 7.1.5: what a close frame without a code counts as.
constexpr std::uint16_t kNoCodeInFrame = 1005;
// Our own end of a connection that broke the protocol must not wait long for the other side's.
constexpr std::chrono::seconds kFailureLimit{5};

// What owns the Beast stream. Shared with the operations under way: Asio's TLS stream must not go away under them.
template <class Stream>
class Connection final : public std::enable_shared_from_this<Connection<Stream>> {
 public:
  template <class... Args>
  explicit Connection(std::string name, Args&&... args) : name_(std::move(name)), ws_(std::forward<Args>(args)...) {
    ws_.control_callback([this](websocket::frame_type type, beast::string_view) {
      if (type == websocket::frame_type::close) peer_closed_ = true;
    });
    // Whole messages are one frame each; Beast would cut them at 4 KiB.
    ws_.auto_fragment(false);
  }

  websocket::stream<Stream>& Ws() { return ws_; }

  Task<Result<std::string_view>> Read() {
    const auto self = this->shared_from_this();
    if (ended_) co_return Fail(*ended_);
    buffer_.consume(buffer_.size());
    if (buffer_.capacity() > kKeptCapacity) buffer_ = beast::flat_buffer();
    do {
      const auto [error, count] = co_await ReadSome();
      if (error) {
        co_await ThrowIfCancelled();
        co_return Fail(EndReading(error));
      }
      buffer_.commit(count);
    } while (!ws_.is_message_done());
    co_return std::string_view(static_cast<const char*>(buffer_.data().data()), buffer_.size());
  }

  Task<Result<void>> Send(std::string data, bool binary) {
    const auto self = this->shared_from_this();
    if (ended_ || closing_) co_return Fail(Ended());
    auto message = std::make_shared<Outgoing>(ws_.get_executor(), std::move(data), binary);
    queue_.push_back(message);
    Pump();
    co_await message->done.Wait();
    if (message->error) co_return Fail(Ended());
    co_return Result<void>();
  }

  Task<void> Close(std::uint16_t code, std::string reason, std::chrono::milliseconds limit) {
    const auto self = this->shared_from_this();
    struct AtEnd {
      Connection& connection;
      ~AtEnd() { connection.Cut(); }
    } at_end{*this};
    if (ended_) co_return;
    if (!closing_) {
      closing_ = std::make_shared<Closing>(ws_.get_executor());
      // Cut on a whole character: the reason must be UTF-8 (RFC 6455 section 5.5.1).
      std::string_view cut = reason;
      while (cut.size() > kLongestReason) cut = base::FirstRunes(cut, base::RuneCount(cut) - 1);
      closing_->reason =
          websocket::close_reason(static_cast<websocket::close_code>(code), beast::string_view(cut.data(), cut.size()));
      Pump();
    }
    const auto closing = closing_;
    co_await closing->done.WaitFor(limit);
  }

  /// An orderly end of TCP, without a close frame.
  void Cut() {
    if (!ended_) ended_ = Error{Errc::kClosed, name_ + ": the connection was closed here"};
    error_code ignored;
    Socket().close(ignored);
  }
  void Abort() {
    if (!ended_) ended_ = Error{Errc::kClosed, name_ + ": the connection was closed here"};
    CloseHard(Socket());
  }

  std::optional<std::uint16_t> CloseCode() const {
    if (!peer_closed_) return std::nullopt;
    const auto code = static_cast<std::uint16_t>(ws_.reason().code);
    return code == 0 ? kNoCodeInFrame : code;
  }
  std::string CloseReason() const {
    return peer_closed_ ? std::string(ws_.reason().reason.data(), ws_.reason().reason.size()) : std::string();
  }

 private:
  struct Outgoing {
    Outgoing(const Executor& executor, std::string text, bool is_binary)
        : data(std::move(text)), binary(is_binary), done(executor) {}
    std::string data;
    bool binary;
    error_code error;
    async::Event done;
  };
  struct Closing {
    explicit Closing(const Executor& executor) : done(executor) {}
    websocket::close_reason reason;
    bool started = false;
    async::Event done;
  };

  tcp::socket& Socket() { return beast::get_lowest_layer(ws_); }

  // Beast's read may wait where a cancellation does not reach (a pong behind a stuck write), so a cancelled read closes
  // the socket, which ends everything.
  auto ReadSome() {
    const std::size_t room = buffer_.capacity() - buffer_.size();
    const auto space = buffer_.prepare(std::clamp(room, buffer_.size() == 0 ? kFirstRead : std::size_t{1}, kReadStep));
    return asio::async_initiate<decltype(kToken), void(error_code, std::size_t)>(
        [](auto handler, Connection* self, const asio::mutable_buffer& into) {
          auto slot = asio::get_associated_cancellation_slot(handler);
          if (slot.is_connected()) {
            slot.assign([self](asio::cancellation_type) { self->Cut(); });
          }
          self->ws_.async_read_some(into,
                                    [handler = std::move(handler), slot](error_code error, std::size_t count) mutable {
                                      if (slot.is_connected()) slot.clear();
                                      std::move(handler)(error, count);
                                    });
        },
        kToken, this, asio::mutable_buffer(space.data(), space.size()));
  }

  void Pump() {
    if (writing_) return;
    if (!queue_.empty()) {
      writing_ = true;
      const Outgoing& message = *queue_.front();
      ws_.binary(message.binary);
      ws_.async_write(asio::buffer(message.data),
                      [self = this->shared_from_this()](error_code error, std::size_t) { self->Written(error); });
    } else if (closing_ && !std::exchange(closing_->started, true)) {
      ws_.async_close(closing_->reason,
                      [self = this->shared_from_this()](error_code error) { self->CloseEnded(error); });
    }
  }

  void CloseEnded(error_code error) {
    // Where Beast reads the answer within async_close, no callback tells of it.
    if (!error || ws_.reason()) peer_closed_ = true;
    closing_->done.Set();
  }

  void Written(error_code error) {
    writing_ = false;
    Finish(error);
    if (error) {
      // Whatever else waits will not get through either; closing the socket also ends a pending read.
      while (!queue_.empty()) Finish(error);
      Cut();
      if (closing_) closing_->done.Set();
    } else {
      Pump();
    }
  }
  void Finish(error_code error) {
    const auto message = std::move(queue_.front());
    queue_.pop_front();
    message->error = error;
    message->done.Set();
  }

  Error Ended() const { return ended_ ? *ended_ : Error{Errc::kClosed, name_ + ": the connection is being closed"}; }

  Error EndReading(error_code error) {
    Error what = Explain(error);
    if (!ended_) ended_ = what;
    error_code ignored;
    Socket().close(ignored);
    return what;
  }

  Error Explain(error_code error) const {
    if (peer_closed_) {
      const std::string reason = base::EscapeControls(CloseReason());
      return {Errc::kClosed, fmt::format("{}: the other side closed the connection with code {}{}{}{}", name_,
                                         CloseCode().value_or(kNoCodeInFrame), reason.empty() ? "" : " (", reason,
                                         reason.empty() ? "" : ")")};
    }
    if (error == websocket::error::message_too_big || error == websocket::error::buffer_overflow) {
      return {Errc::kTooLarge, fmt::format("{}: a message is larger than {} bytes", name_, ws_.read_message_max())};
    }
    if (error == websocket::condition::protocol_violation || error == websocket::error::bad_frame_payload) {
      return {Errc::kProtocol, fmt::format("{}: broken WebSocket data: {}", name_, error.message())};
    }
    if (ended_) return *ended_;
    if (IsConnectionEnd(error) || error == asio::error::operation_aborted) {
      return {Errc::kClosed, name_ + ": the connection ended without a close frame"};
    }
    return {Errc::kClosed, fmt::format("{}: the connection failed: {}", name_, error.message())};
  }

  const std::string name_;
  websocket::stream<Stream> ws_;
  beast::flat_buffer buffer_;
  std::deque<std::shared_ptr<Outgoing>> queue_;
  bool writing_ = false;
  std::shared_ptr<Closing> closing_;
  bool peer_closed_ = false;
  std::optional<Error> ended_;
};

template <class Stream>
class WebSocketHandle final : public WebSocket {
 public:
  explicit WebSocketHandle(std::shared_ptr<Connection<Stream>> connection) : connection_(std::move(connection)) {}
  ~WebSocketHandle() override { connection_->Cut(); }

  Task<Result<std::string_view>> Read() override { return connection_->Read(); }
  Task<Result<void>> Send(std::string text) override { return connection_->Send(std::move(text), false); }
  Task<Result<void>> SendBinary(std::string bytes) override { return connection_->Send(std::move(bytes), true); }
  std::optional<std::uint16_t> CloseCode() const override { return connection_->CloseCode(); }
  std::string CloseReason() const override { return connection_->CloseReason(); }
  Task<void> Close(std::uint16_t code, std::string reason, std::chrono::milliseconds limit) override {
    return connection_->Close(code, std::move(reason), limit);
  }
  void Abort() override { connection_->Abort(); }

 private:
  const std::shared_ptr<Connection<Stream>> connection_;
};

std::optional<std::chrono::milliseconds> RetryAfter(beast::string_view value) {
  unsigned seconds = 0;
  const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  // A fraction is rounded up.
  if (failure != std::errc() || (end != value.data() + value.size() && *end != '.')) return std::nullopt;
  const bool fraction = end != value.data() + value.size();
  return std::chrono::seconds(std::min(seconds, 24U * 3600U) + (fraction ? 1U : 0U));
}

Error Refused(const websocket::response_type& response, const std::string& what) {
  const unsigned status = response.result_int();
  Error error{Errc::kRefused, fmt::format("{}: upgrade answered with {}", what, status)};
  if (status == 401 || status == 403) error.code = Errc::kAuth;
  if (status == 429) {
    error.code = Errc::kRateLimited;
    error.retry_after = RetryAfter(response[http::field::retry_after]);
  }
  return error;
}

template <class Stream>
void Configure(websocket::stream<Stream>& ws, std::size_t message_limit) {
  ws.read_message_max(message_limit);
  // No idle limit and no timer for each message: whoever speaks a protocol above has heartbeats of his own. The limit
  // named "handshake" is also the one of the closing handshake.
  ws.set_option(websocket::stream_base::timeout{
      .handshake_timeout = kFailureLimit, .idle_timeout = websocket::stream_base::none(), .keep_alive_pings = false});
}

template <class Stream>
Task<Result<std::unique_ptr<WebSocket>>> Upgrade(std::shared_ptr<Connection<Stream>> connection,
                                                 WebSocketOptions options) {
  const std::string what = ConnectingTo(options.url);
  websocket::stream<Stream>& ws = connection->Ws();
  ws.set_option(websocket::stream_base::timeout{.handshake_timeout = options.handshake_limit,
                                                .idle_timeout = websocket::stream_base::none(),
                                                .keep_alive_pings = false});
  ws.set_option(websocket::stream_base::decorator([headers = options.headers](websocket::request_type& request) {
    for (const auto& [name, value] : headers) request.set(name, value);
  }));
  websocket::response_type response;
  const auto [error] = co_await ws.async_handshake(response, options.url.Authority(), options.url.target, kToken);
  if (error == websocket::error::upgrade_declined) co_return Fail(Refused(response, what));
  if (error == beast::error::timeout) co_return Fail(Errc::kTimeout, what + ": no answer to the WebSocket upgrade");
  if (error.category() == make_error_code(websocket::error::closed).category() ||
      error.category() == make_error_code(http::error::bad_version).category()) {
    if (error == http::error::end_of_stream || error == http::error::partial_message) {
      co_return Fail(Errc::kClosed, what + ": the other side closed the connection");
    }
    co_return Fail(Errc::kProtocol,
                   fmt::format("{}: broken answer to the WebSocket upgrade: {}", what, error.message()));
  }
  if (error) co_return Fail(ToError(error, what));
  Configure(ws, options.message_limit);
  co_return std::make_unique<WebSocketHandle<Stream>>(std::move(connection));
}

Task<Result<std::unique_ptr<WebSocket>>> ConnectSteps(Executor executor, WebSocketOptions options) {
  auto socket = co_await ConnectTcp(std::move(executor), options.url, options.handshake_limit);
  if (!socket) co_return Fail(std::move(socket.error()));
  const std::string name = fmt::format("websocket to {}", options.url.Authority());
  if (!options.url.Secure()) {
    co_return co_await Upgrade(std::make_shared<Connection<PlainStream>>(name, std::move(*socket)), std::move(options));
  }
  auto connection = std::make_shared<Connection<TlsStream>>(name, std::move(*socket), options.tls->Get());
  auto verified = co_await HandshakeAsClient(connection->Ws().next_layer(), options.url);
  if (!verified) co_return Fail(std::move(verified.error()));
  co_return co_await Upgrade(std::move(connection), std::move(options));
}

template <class Stream>
Task<Result<std::shared_ptr<WebSocket>>> Accept(Stream stream, HttpRequest request, WebSocketAcceptOptions options) {
  auto connection = std::make_shared<Connection<Stream>>("websocket of a client", std::move(stream));
  websocket::stream<Stream>& ws = connection->Ws();
  Configure(ws, options.message_limit);
  http::request<http::empty_body> upgrade;
  upgrade.version(11);
  upgrade.method_string(request.method);
  upgrade.target(request.target);
  for (const auto& [name, value] : request.headers) upgrade.insert(name, value);
  const auto [error] = co_await ws.async_accept(upgrade, kToken);
  if (error) co_return Fail(Errc::kProtocol, "accepting a websocket: " + error.message());
  co_return std::make_shared<WebSocketHandle<Stream>>(std::move(connection));
}

}  // namespace

Task<Result<std::unique_ptr<WebSocket>>> WebSocket::Connect(Executor executor, WebSocketOptions options) {
  const std::string what = ConnectingTo(options.url);
  const std::chrono::milliseconds limit = options.handshake_limit;
  if (options.url.Secure() && !options.tls) co_return Fail(Errc::kInvalid, what + ": no TLS settings were given");
  if (const auto valid = CheckHeaders(options.headers); !valid) {
    co_return Fail(Errc::kInvalid, what + ": " + valid.error().what);
  }
  co_return co_await async::WithDeadline(ConnectSteps(std::move(executor), std::move(options)), limit, what);
}

Task<Result<std::shared_ptr<WebSocket>>> AcceptWebSocket(tcp::socket stream, HttpRequest request,
                                                         WebSocketAcceptOptions options) {
  co_return co_await async::WithDeadline(Accept(std::move(stream), std::move(request), options),
                                         options.handshake_limit, "accepting a websocket");
}

Task<Result<std::shared_ptr<WebSocket>>> AcceptWebSocket(TlsStream stream, HttpRequest request,
                                                         WebSocketAcceptOptions options) {
  co_return co_await async::WithDeadline(Accept(std::move(stream), std::move(request), options),
                                         options.handshake_limit, "accepting a websocket");
}

}  // namespace shipmate::net
