#include "net/http_client.h"

#include <sys/socket.h>

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <map>
#include <optional>
#include <utility>

#include "async/deadline.h"
#include "net/connect.h"
#include "net/http_message.h"
#include "net/net_error.h"

namespace shipmate::net {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::uint32_t kHeaderLimit = 64 * 1024;
// Interim answers (RFC 9110 section 15.2) before the real one; a server that sends more is broken.
constexpr int kMostInterim = 8;

struct Connection {
  std::optional<tcp::socket> plain;
  std::optional<TlsStream> secure;
  beast::flat_buffer buffer;

  tcp::socket& Socket() { return secure ? secure->next_layer() : *plain; }

  // A server that gave the connection up has sent its end, or its closing alert; nothing else is due on an idle one.
  bool StillUsable() {
    char byte = 0;
    return recv(Socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
  }
};

struct Progress {
  std::size_t sent = 0;   // bytes of the request that were handed to the system
  bool answered = false;  // a byte of the answer came
  bool keep = false;      // the connection may carry another request
};

http::request<http::string_body> ToBeast(HttpRequest request, const HttpClientOptions& options) {
  http::request<http::string_body> message;
  message.version(11);
  message.method_string(request.method);
  message.target(request.target);
  message.set(http::field::host, options.origin.Authority());
  for (const auto& [name, value] : request.headers) {
    if (IsFramingField(name)) continue;
    if (request.body.empty() && beast::iequals(name, "Content-Type")) continue;
    message.insert(name, value);
  }
  message.set(http::field::connection, options.keep > 0 ? "keep-alive" : "close");
  const bool expects_body = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (!request.body.empty() || expects_body) message.content_length(request.body.size());
  message.body() = std::move(request.body);
  return message;
}

HttpResponse FromBeast(http::response<http::string_body>&& message) {
  HttpResponse response;
  response.status = message.result_int();
  for (const auto& field : message) {
    response.headers.Add(std::string(field.name_string()), std::string(field.value()));
  }
  response.body = std::move(message.body());
  return response;
}

Error ReadError(error_code error, const std::string& what, std::size_t body_limit) {
  if (error == http::error::body_limit || error == http::error::buffer_overflow) {
    return {Errc::kTooLarge, fmt::format("{}: the answer is larger than {} bytes", what, body_limit)};
  }
  if (error == http::error::header_limit) {
    return {Errc::kTooLarge, fmt::format("{}: the header of the answer is larger than {} bytes", what, kHeaderLimit)};
  }
  if (error == http::error::end_of_stream) {
    return {Errc::kClosed, what + ": the other side closed the connection without an answer"};
  }
  if (error == http::error::partial_message) {
    return {Errc::kClosed, what + ": the connection ended within the answer"};
  }
  if (error.category() == make_error_code(http::error::bad_version).category()) {
    return {Errc::kProtocol, what + ": the answer is not valid HTTP: " + error.message()};
  }
  return ToError(error, what);
}

template <class Stream>
Task<Result<HttpResponse>> Exchange(Stream& stream, beast::flat_buffer& buffer,
                                    const http::request<http::string_body>& request, const std::string& what,
                                    std::size_t body_limit, Progress& progress) {
  const auto [write_error, sent] = co_await http::async_write(stream, request, kToken);
  progress.sent = sent;
  if (write_error) co_return Fail(ToError(write_error, what));
  for (int interim = 0; interim <= kMostInterim; ++interim) {
    http::response_parser<http::string_body> parser;
    parser.header_limit(kHeaderLimit);
    parser.body_limit(body_limit);
    parser.skip(request.method() == http::verb::head);
    const auto [read_error, count] = co_await http::async_read(stream, buffer, parser, kToken);
    progress.answered = progress.answered || count > 0 || buffer.size() > 0;
    if (read_error) co_return Fail(ReadError(read_error, what, body_limit));
    const unsigned status = parser.get().result_int();
    if (status >= 100 && status < 200 && status != 101) continue;
    progress.keep = parser.get().keep_alive() && !parser.get().need_eof() && status != 101;
    co_return FromBeast(parser.release());
  }
  co_return Fail(Errc::kProtocol, what + ": the server sends interim answers without end");
}

Task<Result<std::unique_ptr<Connection>>> Open(Executor executor, const HttpClientOptions& options) {
  auto socket = co_await ConnectTcp(executor, options.origin, options.connect_limit);
  if (!socket) co_return Fail(std::move(socket.error()));
  auto connection = std::make_unique<Connection>();
  if (!options.origin.Secure()) {
    connection->plain.emplace(std::move(*socket));
    co_return connection;
  }
  connection->secure.emplace(std::move(*socket), options.tls->Get());
  auto verified = co_await HandshakeAsClient(*connection->secure, options.origin);
  if (!verified) co_return Fail(std::move(verified.error()));
  co_return connection;
}

}  // namespace

class HttpClient::Impl final : public std::enable_shared_from_this<HttpClient::Impl> {
 public:
  Impl(Executor executor, HttpClientOptions options) : executor_(std::move(executor)), options_(std::move(options)) {}

  Task<std::expected<HttpResponse, HttpFailure>> Send(HttpRequest request, bool repeatable) {
    const auto self = shared_from_this();
    const std::string what = fmt::format("{} {}", request.method, HostAndPort(options_.origin));
    if (options_.origin.Secure() && !options_.tls) {
      co_return Failure(Error{Errc::kInvalid, what + ": no TLS settings were given"}, Sent::kNothing);
    }
    if (const auto valid = CheckRequest(request); !valid) {
      co_return Failure(Error{valid.error().code, what + ": " + valid.error().what}, Sent::kNothing);
    }
    const http::request<http::string_body> message = ToBeast(std::move(request), options_);
    auto connection = TakeIdle();
    for (;;) {
      const bool reused = connection != nullptr;
      if (!reused) {
        auto opened = co_await async::WithDeadline(Open(executor_, options_), options_.connect_limit,
                                                   ConnectingTo(options_.origin));
        if (!opened) co_return Failure(std::move(opened.error()), Sent::kNothing);
        connection = std::move(*opened);
      }
      Progress progress;
      auto response =
          co_await async::WithDeadline(Talk(*connection, message, what, progress), options_.request_limit, what);
      if (response) {
        if (progress.keep && connection->buffer.size() == 0) Keep(std::move(connection));
        co_return std::move(*response);
      }
      co_await ThrowIfCancelled();
      connection.reset();
      const Sent sent = progress.sent > 0 ? Sent::kMaybe : Sent::kNothing;
      const bool stale = reused && !progress.answered && response.error().code == Errc::kClosed;
      if (!stale || (sent == Sent::kMaybe && !repeatable)) co_return Failure(std::move(response.error()), sent);
    }
  }

 private:
  struct Idle {
    Idle(const Executor& executor, std::unique_ptr<Connection> kept) : connection(std::move(kept)), timer(executor) {}
    std::unique_ptr<Connection> connection;
    asio::steady_timer timer;
  };

  static std::unexpected<HttpFailure> Failure(Error error, Sent sent) {
    return std::unexpected<HttpFailure>(HttpFailure{std::move(error), sent});
  }

  Task<Result<HttpResponse>> Talk(Connection& connection, const http::request<http::string_body>& message,
                                  const std::string& what, Progress& progress) {
    return connection.secure
               ? Exchange(*connection.secure, connection.buffer, message, what, options_.body_limit, progress)
               : Exchange(*connection.plain, connection.buffer, message, what, options_.body_limit, progress);
  }

  std::unique_ptr<Connection> TakeIdle() {
    while (!idle_.empty()) {
      // The youngest: the older ones may then age away.
      auto connection = std::move(std::prev(idle_.end())->second.connection);
      idle_.erase(std::prev(idle_.end()));
      if (connection->StillUsable()) return connection;
    }
    return nullptr;
  }

  void Keep(std::unique_ptr<Connection> connection) {
    if (options_.keep == 0) return;
    if (idle_.size() >= options_.keep) idle_.erase(idle_.begin());
    const std::uint64_t number = ++last_number_;
    Idle& idle = idle_.try_emplace(number, executor_, std::move(connection)).first->second;
    idle.timer.expires_after(options_.idle_limit);
    idle.timer.async_wait([weak = weak_from_this(), number](error_code error) {
      if (error) return;
      if (const auto self = weak.lock()) self->idle_.erase(number);
    });
  }

  const Executor executor_;
  const HttpClientOptions options_;
  std::map<std::uint64_t, Idle> idle_;  // by age
  std::uint64_t last_number_ = 0;
};

HttpClient::HttpClient(Executor executor, HttpClientOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options))) {}
HttpClient::~HttpClient() = default;

Task<std::expected<HttpResponse, HttpFailure>> HttpClient::Send(HttpRequest request, bool repeatable) {
  return impl_->Send(std::move(request), repeatable);
}

}  // namespace shipmate::net
