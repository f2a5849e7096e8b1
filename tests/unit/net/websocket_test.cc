// WebSocket against the server's own, plain and TLS.

#include "net/websocket.h"

#include <doctest/doctest.h>

#include <string>

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
