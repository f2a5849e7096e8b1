// WebSocket against the server's own, plain and TLS, and against raw bytes.

#include "net/websocket.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "async/deadline.h"
#include "async/latch.h"
#include "unit/net/test_server.h"

using namespace shipmate;
using namespace shipmate::net;
using namespace shipmate::tests;
using namespace std::chrono_literals;

namespace {

Task<void> Echo(HttpRequest, std::shared_ptr<WebSocket> socket) {
  for (;;) {
    const auto message = co_await socket->Read();
    if (!message) co_return;
    const auto sent = co_await socket->Send(std::string(*message));
    if (!sent) co_return;
  }
}

Task<void> EchoSession(Executor executor, WebSocketOptions options) {
  auto socket = co_await WebSocket::Connect(executor, std::move(options));
  REQUIRE(socket.has_value());
  for (const std::size_t size : {0UL, 1UL, 125UL, 126UL, 65535UL, 65536UL, 8UL * 1024 * 1024}) {
    CAPTURE(size);
    REQUIRE((co_await (*socket)->Send(std::string(size, 'm'))).has_value());
    const auto echo = co_await (*socket)->Read();
    REQUIRE(echo.has_value());
    CHECK(*echo == std::string(size, 'm'));
  }
  co_await (*socket)->Close(1000, "done", 10s);
  CHECK((*socket)->CloseCode() == 1000);
}

// What a server's side of a connection went through.
struct Seen {
  explicit Seen(const Executor& executor) : ended(executor) {}
  std::vector<std::string> messages;
  std::optional<std::uint16_t> code;
  std::string reason;
  Error error;
  async::Event ended;
};

Task<void> ReadToEnd(Seen& seen, std::shared_ptr<WebSocket> socket) {
  for (;;) {
    const auto message = co_await socket->Read();
    if (!message) {
      seen.error = message.error();
      break;
    }
    seen.messages.emplace_back(*message);
  }
  seen.code = socket->CloseCode();
  seen.reason = socket->CloseReason();
  seen.ended.Set();
}

HttpServer::SocketHandler Record(Seen& seen) {
  return [&seen](HttpRequest, std::shared_ptr<WebSocket> socket) { return ReadToEnd(seen, std::move(socket)); };
}

Task<void> WaitAndHold(async::Event& event, std::shared_ptr<WebSocket> socket) {
  co_await event.Wait();
  socket->Abort();
}

HttpServer::SocketHandler Hold(async::Event& event) {
  return [&event](HttpRequest, std::shared_ptr<WebSocket> socket) { return WaitAndHold(event, std::move(socket)); };
}

Task<void> CloseWith4004(HttpRequest, std::shared_ptr<WebSocket> socket) {
  co_await socket->Close(4004, "Authentication failed.", 10s);
}

Task<void> AbortAtOnce(HttpRequest, std::shared_ptr<WebSocket> socket) {
  const auto hello = co_await socket->Send("hello");
  socket->Abort();
}

Task<void> SendLarge(HttpRequest, std::shared_ptr<WebSocket> socket) {
  const auto sent = co_await socket->Send(std::string(2000, 'x'));
  const auto answer = co_await socket->Read();
}

Task<void> ReadInto(WebSocket& socket, std::optional<Error>& error) {
  for (;;) {
    const auto message = co_await socket.Read();
    if (!message) {
      error = message.error();
      co_return;
    }
  }
}

Task<void> SendInto(WebSocket& socket, std::string text, std::optional<Result<void>>& result) {
  result = co_await socket.Send(std::move(text));
}

std::unique_ptr<WebSocket> Connected(boost::asio::io_context& loop, WebSocketOptions options) {
  auto socket = RunTask(loop, WebSocket::Connect(loop.get_executor(), std::move(options)));
  REQUIRE(socket.has_value());
  return std::move(*socket);
}

std::unique_ptr<WebSocket> Connected(boost::asio::io_context& loop, std::uint16_t port) {
  return Connected(loop, WebSocketOptions{.url = TestUrl("ws", port), .tls = nullptr});
}

std::string Bytes(std::initializer_list<int> bytes) {
  std::string text;
  for (const int byte : bytes) text += static_cast<char>(byte);
  return text;
}

// A client's frame with the masking key 0, under which the payload stays as it is.
std::string Frame(int first, const std::string& payload) {
  return Bytes({first, 0x80 | static_cast<int>(payload.size()), 0, 0, 0, 0}) + payload;
}

}  // namespace

TEST_CASE("messages of all sizes come back over plain TCP and over TLS") {
  TestCertificates certificates;
  const auto files = certificates.Make(TestCertificates::Kind::kGood);
  boost::asio::io_context loop(1);
  SUBCASE("plain") {
    TestServer server(loop);
    server->OnSocket(&Echo);
    RunTask(loop, EchoSession(loop.get_executor(), {.url = TestUrl("ws", server.Port()), .tls = nullptr}));
  }
  SUBCASE("TLS") {
    TestServer server(loop, {.tls = TlsContext::Server(files.certificate, files.key).value()});
    server->OnSocket(&Echo);
    RunTask(loop, EchoSession(loop.get_executor(), {.url = TestUrl("wss", server.Port()),
                                                    .tls = TlsContext::Client(certificates.AuthorityFile()).value()}));
  }
}

TEST_CASE("fragments are joined, pings are answered between them, and binary messages come too") {
  boost::asio::io_context loop(1);
  TestServer server(loop);
  server->OnSocket(&Echo);
  const std::string received =
      RunTask(loop, RawFrames(server.Port(), Frame(0x01, "he") + Frame(0x89, "abc") + Frame(0x00, "l") +
                                                 Frame(0x8A, "unasked") + Frame(0x80, "lo") + Frame(0x82, "\xff") +
                                                 Frame(0x88, Bytes({0x03, 0xE8}))));
  // The echo goes out as text, so the binary one breaks at the reader, not here.
  CHECK(received == Bytes({0x8A, 3}) + "abc" + Bytes({0x81, 5}) + "hello" + Bytes({0x81, 1}) + "\xff" +
                        Bytes({0x88, 2, 0x03, 0xE8}));
}

TEST_CASE("broken frames end the connection with the code that says why") {
  struct Row {
    std::string name;
    std::string frames;
    std::vector<int> codes;
  };
  const Row rows[] = {
      {"unmasked", Bytes({0x81, 1}) + "x", {1002}},
      {"reserved bit", Frame(0xC1, "x"), {1002}},
      {"unknown opcode", Frame(0x83, "x"), {1002}},
      {"bad UTF-8", Frame(0x81, "\xc3\x28"), {1007}},
      {"bad UTF-8 over fragments", Frame(0x01, "\xe2\x82") + Frame(0x80, "x"), {1007}},
      {"ping of 126 bytes", Bytes({0x89, 0xFE, 0, 126, 0, 0, 0, 0}) + std::string(126, 'p'), {1002}},
      {"fragmented ping", Frame(0x09, "x"), {1002}},
      {"continuation of nothing", Frame(0x80, "x"), {1002}},
      {"new message within a message", Frame(0x01, "x") + Frame(0x81, "y"), {1002}},
      {"length 2^63", Bytes({0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), {1002, 1009}},
      {"length 2^40", Bytes({0x81, 0xFF, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}), {1009}},
      {"over the limit", Bytes({0x81, 0xFE, 0x03, 0xE9, 0, 0, 0, 0}) + std::string(1001, 'x'), {1009}},
      {"fragments over the limit",
       Bytes({0x01, 0xFE, 0x03, 0xE8, 0, 0, 0, 0}) + std::string(1000, 'x') + Frame(0x80, "y"),
       {1009}},
      {"close code 1005", Frame(0x88, Bytes({0x03, 0xED})), {1002}},
      {"close of one byte", Frame(0x88, "x"), {1002}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    boost::asio::io_context loop(1);
    Seen seen(loop.get_executor());
    TestServer server(loop, {.body_limit = 1000});
    server->OnSocket(Record(seen));
    const std::string received = RunTask(loop, RawFrames(server.Port(), row.frames));
    REQUIRE(received.size() >= 4);
    CHECK(static_cast<unsigned char>(received[0]) == 0x88);
    const int code = static_cast<unsigned char>(received[2]) << 8 | static_cast<unsigned char>(received[3]);
    CHECK(std::ranges::find(row.codes, code) != row.codes.end());
    REQUIRE(RunTask(loop, seen.ended.WaitFor(30s)));
    CHECK(seen.messages.empty());
    CHECK(seen.error.code == (code == 1009 ? Errc::kTooLarge : Errc::kProtocol));
  }
}

TEST_CASE("the other side's close code and reason are told") {
  boost::asio::io_context loop(1);
  TestServer server(loop);
  SUBCASE("4004") {
    server->OnSocket(&CloseWith4004);
    const auto socket = Connected(loop, server.Port());
    const auto message = RunTask(loop, socket->Read());
    REQUIRE_FALSE(message.has_value());
    CHECK(message.error().code == Errc::kClosed);
    CHECK(message.error().what.find("code 4004 (Authentication failed.)") != std::string::npos);
    CHECK(socket->CloseCode() == 4004);
    CHECK(socket->CloseReason() == "Authentication failed.");
    CHECK(RunTask(loop, socket->Read()).error().code == Errc::kClosed);
    CHECK(RunTask(loop, socket->Send("x")).error().code == Errc::kClosed);
  }
  SUBCASE("ours reaches the server") {
    Seen seen(loop.get_executor());
    server->OnSocket(Record(seen));
    const auto socket = Connected(loop, server.Port());
    CHECK(RunTask(loop, socket->Send("last words")).has_value());
    RunTask(loop, socket->Close(4000, "r" + std::string(80, 'e') + "\xc3\xa9" + std::string(80, 'x'), 30s));
    REQUIRE(RunTask(loop, seen.ended.WaitFor(30s)));
    CHECK(seen.messages == std::vector<std::string>{"last words"});
    CHECK(seen.code == 4000);
    CHECK(seen.reason.size() == 123);
  }
  SUBCASE("a close frame without a code is 1005") {
    Seen seen(loop.get_executor());
    server->OnSocket(Record(seen));
    RunTask(loop, RawFrames(server.Port(), Frame(0x88, "")));
    REQUIRE(RunTask(loop, seen.ended.WaitFor(30s)));
    CHECK(seen.code == 1005);
  }
}

TEST_CASE("a drop without a close frame is kClosed and has no code") {
  TestCertificates certificates;
  const auto files = certificates.Make(TestCertificates::Kind::kGood);
  boost::asio::io_context loop(1);
  for (const bool secure : {false, true}) {
    CAPTURE(secure);
    TestServer server(loop, {.tls = secure ? TlsContext::Server(files.certificate, files.key).value() : nullptr});
    server->OnSocket(&AbortAtOnce);
    const auto socket = Connected(loop, {.url = TestUrl(secure ? "wss" : "ws", server.Port()),
                                         .tls = TlsContext::Client(certificates.AuthorityFile()).value()});
    std::optional<Error> error;
    RunTask(loop, ReadInto(*socket, error));
    CHECK((error && error->code == Errc::kClosed));
    CHECK_FALSE(socket->CloseCode().has_value());
    CHECK(socket->CloseReason().empty());
  }
}

TEST_CASE("Abort ends a pending Read and a stuck Send at once") {
  boost::asio::io_context loop(1);
  async::Event release(loop.get_executor());
  TestServer server(loop);
  server->OnSocket(Hold(release));
  const auto socket = Connected(loop, server.Port());
  async::TaskGroup group(loop.get_executor());
  std::optional<Error> read;
  std::optional<Result<void>> first;
  std::optional<Result<void>> second;
  group.Spawn("read", ReadInto(*socket, read));
  group.Spawn("send", SendInto(*socket, std::string(50'000'000, 'x'), first));
  group.Spawn("send", SendInto(*socket, "queued behind it", second));
  CHECK_FALSE(RunTask(loop, group.Join(20ms)));
  socket->Abort();
  CHECK(RunTask(loop, group.Join(30s)));
  CHECK((read && read->code == Errc::kClosed));
  CHECK((first && first->error().code == Errc::kClosed));
  CHECK((second && second->error().code == Errc::kClosed));
  CHECK_FALSE(socket->CloseCode().has_value());
  release.Set();
}

TEST_CASE("Close does not wait for a deaf peer longer than its limit") {
  boost::asio::io_context loop(1);
  async::Event release(loop.get_executor());
  TestServer server(loop);
  server->OnSocket(Hold(release));
  async::TaskGroup group(loop.get_executor());
  std::optional<Error> read;
  std::optional<Result<void>> sent;
  SUBCASE("that does not answer") {
    const auto socket = Connected(loop, server.Port());
    group.Spawn("read", ReadInto(*socket, read));
    RunTask(loop, socket->Close(1000, "", 20ms));
    CHECK(RunTask(loop, group.Join(30s)));
    CHECK((read && read->code == Errc::kClosed));
  }
  SUBCASE("that does not even read") {
    const auto socket = Connected(loop, server.Port());
    group.Spawn("send", SendInto(*socket, std::string(50'000'000, 'x'), sent));
    CHECK_FALSE(RunTask(loop, group.Join(20ms)));
    RunTask(loop, socket->Close(1000, "", 20ms));
    CHECK(RunTask(loop, group.Join(30s)));
    CHECK((sent && sent->error().code == Errc::kClosed));
  }
  release.Set();
}

TEST_CASE("a cancelled Read kills the connection; the handle may go away with operations pending") {
  TestCertificates certificates;
  const auto files = certificates.Make(TestCertificates::Kind::kGood);
  boost::asio::io_context loop(1);
  for (const bool secure : {false, true}) {
    CAPTURE(secure);
    Seen seen(loop.get_executor());
    TestServer server(loop, {.tls = secure ? TlsContext::Server(files.certificate, files.key).value() : nullptr});
    server->OnSocket(Record(seen));
    auto socket = Connected(loop, {.url = TestUrl(secure ? "wss" : "ws", server.Port()),
                                   .tls = TlsContext::Client(certificates.AuthorityFile()).value()});
    async::TaskGroup group(loop.get_executor());
    std::optional<Error> error;
    group.Spawn("read", ReadInto(*socket, error));
    CHECK_FALSE(RunTask(loop, group.Join(1ms)));
    group.Cancel();
    CHECK(RunTask(loop, group.Join(30s)));
    CHECK_FALSE(error.has_value());
    CHECK(RunTask(loop, socket->Send("x")).error().code == Errc::kClosed);
    CHECK(RunTask(loop, seen.ended.WaitFor(30s)));
    CHECK(seen.messages.empty());

    auto other = Connected(loop, {.url = TestUrl(secure ? "wss" : "ws", server.Port()),
                                  .tls = TlsContext::Client(certificates.AuthorityFile()).value()});
    group.Spawn("read", ReadInto(*other, error));
    CHECK_FALSE(RunTask(loop, group.Join(1ms)));
    other.reset();
    CHECK(RunTask(loop, group.Join(30s)));
    CHECK((error && error->code == Errc::kClosed));
  }
}

TEST_CASE("a message over the client's limit ends the connection with 1009") {
  boost::asio::io_context loop(1);
  Seen seen(loop.get_executor());
  TestServer server(loop);
  server->OnSocket(&SendLarge);
  const auto socket = Connected(loop, {.url = TestUrl("ws", server.Port()), .tls = nullptr, .message_limit = 1999});
  const auto message = RunTask(loop, socket->Read());
  REQUIRE_FALSE(message.has_value());
  CHECK(message.error().code == Errc::kTooLarge);
  const auto wide = Connected(loop, {.url = TestUrl("ws", server.Port()), .tls = nullptr, .message_limit = 2000});
  CHECK(RunTask(loop, wide->Read()).value().size() == 2000);
}

TEST_CASE("messages sent at once arrive in the order of the calls") {
  boost::asio::io_context loop(1);
  Seen seen(loop.get_executor());
  TestServer server(loop);
  server->OnSocket(Record(seen));
  const auto socket = Connected(loop, server.Port());
  async::TaskGroup group(loop.get_executor());
  std::vector<std::optional<Result<void>>> results(200);
  std::vector<std::string> expected;
  for (std::size_t i = 0; i < results.size(); ++i) {
    expected.push_back(std::to_string(i) + std::string(i * 20, '.'));
    group.Spawn("send", SendInto(*socket, expected.back(), results[i]));
  }
  CHECK(RunTask(loop, group.Join(30s)));
  RunTask(loop, socket->Close(1000, "", 30s));
  REQUIRE(RunTask(loop, seen.ended.WaitFor(30s)));
  CHECK(seen.messages == expected);
  for (const auto& result : results) CHECK((result && result->has_value()));
}

TEST_CASE("a refused upgrade says so") {
  struct Row {
    std::string answer;
    Errc code;
    std::string what;
  };
  const Row rows[] = {
      {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", Errc::kAuth, "upgrade answered with 401"},
      {"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", Errc::kAuth, "upgrade answered with 403"},
      {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", Errc::kRefused, "upgrade answered with 503"},
      {"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", Errc::kRefused,
       "upgrade answered with 302"},
      {"HTTP/1.1 429 Slow down\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", Errc::kRateLimited,
       "upgrade answered with 429"},
      {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
       "wrong\r\n\r\n",
       Errc::kProtocol, "broken answer to the WebSocket upgrade"},
      {"SSH-2.0-OpenSSH_9.2\r\n\r\n", Errc::kProtocol, "broken answer to the WebSocket upgrade"},
      {"", Errc::kClosed, "closed the connection"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.answer);
    boost::asio::io_context loop(1);
    RawServer server(loop, {{row.answer}});
    const auto socket = RunTask(
        loop, WebSocket::Connect(loop.get_executor(),
                                 {.url = TestUrl("ws", server.Port()), .tls = nullptr, .headers = {{"X-Mine", "1"}}}));
    REQUIRE_FALSE(socket.has_value());
    CAPTURE(socket.error().what);
    CHECK(socket.error().code == row.code);
    CHECK(socket.error().what.find(row.what) != std::string::npos);
    CHECK(socket.error().what.find("127.0.0.1:" + std::to_string(server.Port())) != std::string::npos);
    CHECK((socket.error().retry_after == 7s) == (row.code == Errc::kRateLimited));
    REQUIRE(server.Requests().size() == 1);
    CHECK(server.Requests()[0].find("X-Mine: 1\r\n") != std::string::npos);
  }
}

TEST_CASE("a header that would break the upgrade request is not sent") {
  boost::asio::io_context loop(1);
  RawServer server(loop, {});
  const auto socket = RunTask(loop, WebSocket::Connect(loop.get_executor(), {.url = TestUrl("ws", server.Port()),
                                                                             .tls = nullptr,
                                                                             .headers = {{"X", "a\r\nY: secret"}}}));
  REQUIRE_FALSE(socket.has_value());
  CHECK(socket.error().code == Errc::kInvalid);
  CHECK(socket.error().what.find("secret") == std::string::npos);
  CHECK(server.Connections() == 0);
}

TEST_CASE("a connection that cannot be made: silent, refused, not trusted") {
  TestCertificates certificates;
  boost::asio::io_context loop(1);
  std::uint16_t closed = 0;
  {
    RawServer silent(loop, {{"", false}});
    closed = silent.Port();
    const auto socket =
        RunTask(loop, WebSocket::Connect(loop.get_executor(),
                                         {.url = TestUrl("ws", closed), .tls = nullptr, .handshake_limit = 100ms}));
    CHECK(socket.error().code == Errc::kTimeout);
  }
  CHECK(RunTask(loop, WebSocket::Connect(loop.get_executor(), {.url = TestUrl("ws", closed), .tls = nullptr}))
            .error()
            .code == Errc::kRefused);
  CHECK(RunTask(loop, WebSocket::Connect(loop.get_executor(), {.url = TestUrl("wss", closed), .tls = nullptr}))
            .error()
            .code == Errc::kInvalid);
  for (const auto kind :
       {TestCertificates::Kind::kSelfSigned, TestCertificates::Kind::kWrongName, TestCertificates::Kind::kExpired}) {
    const auto files = certificates.Make(kind);
    TestServer server(loop, {.tls = TlsContext::Server(files.certificate, files.key).value()});
    server->OnSocket(&Echo);
    CHECK(RunTask(loop, WebSocket::Connect(loop.get_executor(),
                                           {.url = TestUrl("wss", server.Port()),
                                            .tls = TlsContext::Client(certificates.AuthorityFile()).value()}))
              .error()
              .code == Errc::kTls);
  }
}

TEST_CASE("the server's shutdown closes sockets with 1001, its cut drops them") {
  boost::asio::io_context loop(1);
  auto server = HttpServer::Listen(loop.get_executor(), {}).value();
  server->OnSocket(&Echo);
  async::TaskGroup group(loop.get_executor());
  group.Spawn("run", server->Run());
  std::optional<Error> error;
  const auto cut = Connected(loop, server->Port());
  server->CutConnections();
  RunTask(loop, ReadInto(*cut, error));
  CHECK((error && error->code == Errc::kClosed));
  CHECK_FALSE(cut->CloseCode().has_value());

  const auto socket = Connected(loop, server->Port());
  group.Spawn("read", ReadInto(*socket, error));
  RunTask(loop, server->Shutdown(30s));
  CHECK(RunTask(loop, group.Join(30s)));
  CHECK(socket->CloseCode() == 1001);
}

TEST_CASE("a socket handler that returns or throws ends the connection") {
  boost::asio::io_context loop(1);
  TestServer server(loop);
  const auto code_after = [&](HttpServer::SocketHandler handler) {
    server->OnSocket(std::move(handler));
    const auto socket = Connected(loop, server.Port());
    CHECK(RunTask(loop, socket->Read()).error().code == Errc::kClosed);
    return socket->CloseCode();
  };
  CHECK(code_after([](HttpRequest, std::shared_ptr<WebSocket>) -> Task<void> { co_return; }) == 1000);
  CHECK(code_after([](HttpRequest, std::shared_ptr<WebSocket>) -> Task<void> {
          co_await async::Sleep(1ms);
          throw std::runtime_error("handler is broken");
        }) == 1011);
}
