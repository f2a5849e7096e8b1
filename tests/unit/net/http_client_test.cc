// HttpClient against HttpServer, plain and TLS, and against servers that misbehave.

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <boost/asio/ssl/context.hpp>
#include <optional>
#include <string>

#include "async/deadline.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "unit/net/test_server.h"

using namespace shipmate;
using namespace shipmate::net;
using namespace shipmate::tests;
using namespace std::chrono_literals;

namespace {

using Answer = std::expected<HttpResponse, HttpFailure>;

// Tells in its answer what it was asked.
Task<HttpResponse> Mirror(HttpRequest request) {
  HttpResponse response;
  response.status = 200;
  for (const auto& [name, value] : request.headers) response.headers.Add("X-Got-" + name, value);
  response.body = request.method + " " + request.target + "\n" + request.body;
  co_return response;
}

Task<void> SendAndKeep(HttpClient& client, HttpRequest request, std::optional<Answer>& answer) {
  answer = co_await client.Send(std::move(request), true);
}

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

HttpRequest Get(std::string target) {
  return {.method = "GET", .target = std::move(target), .headers = {}, .body = ""};
}

HttpRequest Post(std::string body) {
  return {.method = "POST", .target = "/post", .headers = {{"Content-Type", "text/plain"}}, .body = std::move(body)};
}

}  // namespace

TEST_CASE("a request and its answer, over one kept connection") {
  boost::asio::io_context loop(1);
  TestServer server(loop);
  server->OnRequest(&Mirror);
  HttpClient client(loop.get_executor(), {.origin = TestUrl("http", server.Port()), .tls = nullptr});
  const Answer first = RunTask(loop, client.Send(Get("/a?b=c"), true));
  REQUIRE(first.has_value());
  CHECK(first->status == 200);
  CHECK(first->body == "GET /a?b=c\n");
  CHECK(first->headers.Get("X-Got-Host") == "127.0.0.1:" + std::to_string(server.Port()));
  CHECK_FALSE(first->headers.Has("X-Got-Accept-Encoding"));
  CHECK_FALSE(first->headers.Has("X-Got-Content-Length"));
  const Answer second = RunTask(loop, client.Send(Post("hello"), false));
  REQUIRE(second.has_value());
  CHECK(second->body == "POST /post\nhello");
  CHECK(second->headers.Get("X-Got-Content-Length") == "5");
  CHECK(second->headers.Get("X-Got-Content-Type") == "text/plain");
  const Answer empty = RunTask(loop, client.Send(Post(""), false));
  REQUIRE(empty.has_value());
  CHECK(empty->headers.Get("X-Got-Content-Length") == "0");
  CHECK_FALSE(empty->headers.Has("X-Got-Content-Type"));
}

TEST_CASE("TLS with a trusted certificate") {
  TestCertificates certificates;
  const auto files = certificates.Make(TestCertificates::Kind::kGood);
  boost::asio::io_context loop(1);
  TestServer server(loop, {.tls = TlsContext::Server(files.certificate, files.key).value()});
  server->OnRequest(&Mirror);
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    CAPTURE(host);
    HttpClient client(loop.get_executor(),
                      {.origin = ParseUrl("https://" + host + ":" + std::to_string(server.Port())).value(),
                       .tls = TlsContext::Client(certificates.AuthorityFile()).value()});
    for (int i = 0; i < 3; ++i) {
      const Answer answer = RunTask(loop, client.Send(Post(std::string(100000, 'x')), false));
      REQUIRE(answer.has_value());
      CHECK(answer->body == "POST /post\n" + std::string(100000, 'x'));
    }
  }
}

TEST_CASE("a certificate that does not hold is refused, with the reason, before anything is sent") {
  using Kind = TestCertificates::Kind;
  struct Row {
    Kind kind;
    std::string reason;
  };
  TestCertificates certificates;
  for (const Row& row :
       {Row{Kind::kWrongName, "issued for another name than 127.0.0.1"}, Row{Kind::kExpired, "has expired"},
        Row{Kind::kSelfSigned, "set ca_file"}, Row{Kind::kOtherAuthority, "set ca_file"}}) {
    CAPTURE(row.reason);
    const auto files = certificates.Make(row.kind);
    boost::asio::io_context loop(1);
    TestServer server(loop, {.tls = TlsContext::Server(files.certificate, files.key).value()});
    int asked = 0;
    server->OnRequest([&asked](HttpRequest request) {
      ++asked;
      return Mirror(std::move(request));
    });
    HttpClient client(loop.get_executor(), {.origin = TestUrl("https", server.Port()),
                                            .tls = TlsContext::Client(certificates.AuthorityFile()).value()});
    const Answer answer = RunTask(loop, client.Send(Get("/"), true));
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().error.code == Errc::kTls);
    CHECK(answer.error().sent == Sent::kNothing);
    CAPTURE(answer.error().error.what);
    CHECK(answer.error().error.what.starts_with("connecting to 127.0.0.1:" + std::to_string(server.Port()) + ": "));
    CHECK(answer.error().error.what.find(row.reason) != std::string::npos);
    CHECK(asked == 0);
  }
}

TEST_CASE("the system's certificates do not trust ours, and a name is checked too") {
  TestCertificates certificates;
  const auto files = certificates.Make(TestCertificates::Kind::kWrongName);
  const auto good = certificates.Make(TestCertificates::Kind::kGood);
  boost::asio::io_context loop(1);
  TestServer server(loop, {.tls = TlsContext::Server(files.certificate, files.key).value()});
  HttpClient client(loop.get_executor(),
                    {.origin = ParseUrl("https://localhost:" + std::to_string(server.Port())).value(),
                     .tls = TlsContext::Client(certificates.AuthorityFile()).value()});
  const Answer answer = RunTask(loop, client.Send(Get("/"), true));
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().error.what.find("another name than localhost") != std::string::npos);

  TestServer trusted(loop, {.tls = TlsContext::Server(good.certificate, good.key).value()});
  HttpClient system(loop.get_executor(),
                    {.origin = TestUrl("https", trusted.Port()), .tls = TlsContext::Client("").value()});
  CHECK(RunTask(loop, system.Send(Get("/"), true)).error().error.code == Errc::kTls);
}

TEST_CASE("TLS 1.1 is refused, and so is a port without TLS") {
  TestCertificates certificates;
  const auto files = certificates.Make(TestCertificates::Kind::kGood);
  auto old = std::make_unique<boost::asio::ssl::context>(boost::asio::ssl::context::tls_server);
  old->use_certificate_chain_file(files.certificate);
  old->use_private_key_file(files.key, boost::asio::ssl::context::pem);
  SSL_CTX_set_max_proto_version(old->native_handle(), TLS1_1_VERSION);
  SSL_CTX_set_security_level(old->native_handle(), 0);
  boost::asio::io_context loop(1);
  TestServer server(loop, {.tls = std::make_shared<TlsContext>(std::move(old))});
  const auto trust = TlsContext::Client(certificates.AuthorityFile()).value();
  HttpClient client(loop.get_executor(), {.origin = TestUrl("https", server.Port()), .tls = trust});
  CHECK(RunTask(loop, client.Send(Get("/"), true)).error().error.code == Errc::kTls);

  TestServer plain(loop);
  HttpClient wrong(loop.get_executor(), {.origin = TestUrl("https", plain.Port()), .tls = trust});
  const Answer answer = RunTask(loop, wrong.Send(Get("/"), true));
  CHECK(answer.error().error.code == Errc::kTls);
  CHECK(answer.error().error.what.find("does not speak TLS on this port") != std::string::npos);
}

TEST_CASE("TLS files that cannot be read are named") {
  TestCertificates certificates;
  const auto one = certificates.Make(TestCertificates::Kind::kGood);
  const auto two = certificates.Make(TestCertificates::Kind::kGood);
  const std::string missing = certificates.Directory() + "/missing.pem";
  for (const auto& result : {TlsContext::Client(missing), TlsContext::Server(missing, one.key),
                             TlsContext::Server(one.certificate, missing)}) {
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == Errc::kTls);
    CHECK(result.error().what.find(missing) != std::string::npos);
  }
  CHECK_FALSE(TlsContext::Server(one.certificate, two.key).has_value());
  CHECK_FALSE(TlsContext::Client(one.key).has_value());
}

TEST_CASE("an answer over the limit is cut off, whatever it announces") {
  for (const std::string& answer :
       {std::string("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx"),
        "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + std::string(1001, 'x'),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x') + "\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n" + std::string(1001, 'x'),
        "HTTP/1.1 200 OK\r\nX: " + std::string(70000, 'x') + "\r\n\r\n"}) {
    CAPTURE(answer.substr(0, 60));
    boost::asio::io_context loop(1);
    RawServer server(loop, {{answer}});
    HttpClient client(loop.get_executor(),
                      {.origin = TestUrl("http", server.Port()), .tls = nullptr, .body_limit = 1000});
    const Answer result = RunTask(loop, client.Send(Get("/"), true));
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().error.code == Errc::kTooLarge);
    CHECK(result.error().sent == Sent::kMaybe);
  }
  boost::asio::io_context loop(1);
  RawServer server(loop, {{"HTTP/1.1 200 OK\r\n\r\n" + std::string(1000, 'x')}});
  HttpClient client(loop.get_executor(),
                    {.origin = TestUrl("http", server.Port()), .tls = nullptr, .body_limit = 1000});
  CHECK(RunTask(loop, client.Send(Get("/"), true))->body.size() == 1000);
}

TEST_CASE("a silent server is given up at the limit") {
  boost::asio::io_context loop(1);
  RawServer server(loop, {{"", false}});
  HttpClient client(loop.get_executor(),
                    {.origin = TestUrl("http", server.Port()), .tls = nullptr, .request_limit = 50ms});
  const Answer answer = RunTask(loop, client.Send(Get("/"), true));
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().error.code == Errc::kTimeout);
  CHECK(answer.error().sent == Sent::kMaybe);
  CHECK(answer.error().error.what == "GET 127.0.0.1:" + std::to_string(server.Port()) + ": no answer within 50ms");
  CHECK(server.Requests().size() == 1);
}

TEST_CASE("a server that is silent in the TLS handshake is given up at the limit") {
  TestCertificates certificates;
  boost::asio::io_context loop(1);
  RawServer server(loop, {});
  HttpClient client(loop.get_executor(), {.origin = TestUrl("https", server.Port()),
                                          .tls = TlsContext::Client(certificates.AuthorityFile()).value(),
                                          .connect_limit = 50ms});
  const Answer answer = RunTask(loop, client.Send(Get("/"), true));
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().error.code == Errc::kTimeout);
  CHECK(answer.error().sent == Sent::kNothing);
}

TEST_CASE("nobody listens, and no such name") {
  boost::asio::io_context loop(1);
  std::uint16_t port = 0;
  {
    RawServer closed(loop, {});
    port = closed.Port();
  }
  HttpClient nobody(loop.get_executor(), {.origin = TestUrl("http", port), .tls = nullptr});
  const Answer refused = RunTask(loop, nobody.Send(Post("x"), false));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().error.code == Errc::kRefused);
  CHECK(refused.error().sent == Sent::kNothing);
  CHECK(refused.error().error.what.find("127.0.0.1:" + std::to_string(port)) != std::string::npos);

  HttpClient nowhere(
      loop.get_executor(),
      {.origin = ParseUrl("http://no-such-host.invalid/").value(), .tls = nullptr, .connect_limit = 30s});
  const Answer unknown = RunTask(loop, nowhere.Send(Get("/"), true));
  REQUIRE_FALSE(unknown.has_value());
  // A machine without any name server says "try again" instead.
  CHECK((unknown.error().error.code == Errc::kNotFound || unknown.error().error.code == Errc::kIo ||
         unknown.error().error.code == Errc::kTimeout));
  CHECK(unknown.error().sent == Sent::kNothing);
  CHECK(unknown.error().error.what.find("no-such-host.invalid:80") != std::string::npos);
}

TEST_CASE("every address of a name is tried") {
  boost::asio::io_context loop(1);
  auto listening = HttpServer::Listen(loop.get_executor(), {.address = "::1"});
  if (!listening) {
    MESSAGE(std::string("skipped: no IPv6 loopback on this machine"));
    return;
  }
  async::Spawn(loop.get_executor(), "server", (*listening)->Run());
  (*listening)->OnRequest(&Mirror);
  HttpClient client(
      loop.get_executor(),
      {.origin = ParseUrl("http://localhost:" + std::to_string((*listening)->Port())).value(), .tls = nullptr});
  CHECK(RunTask(loop, client.Send(Get("/"), true)).has_value());
  RunTask(loop, (*listening)->Shutdown(0ms));
  const Answer refused = RunTask(loop, client.Send(Get("/"), true));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().error.code == Errc::kRefused);
}

TEST_CASE("a redirect is an answer like any other") {
  boost::asio::io_context loop(1);
  RawServer elsewhere(loop, {{kOk}});
  RawServer server(loop, {{"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:" + std::to_string(elsewhere.Port()) +
                           "/\r\nContent-Length: 0\r\n\r\n"}});
  HttpClient client(loop.get_executor(), {.origin = TestUrl("http", server.Port()), .tls = nullptr});
  const Answer answer = RunTask(loop, client.Send(Get("/"), true));
  REQUIRE(answer.has_value());
  CHECK(answer->status == 302);
  CHECK(elsewhere.Connections() == 0);
}

TEST_CASE("a kept connection that turns out dead: repeated once where that is safe") {
  boost::asio::io_context loop(1);
  SUBCASE("a repeatable request is sent again on a new connection") {
    RawServer server(loop, {{kOk, false}, {"", true}, {kOk, false}});
    HttpClient client(loop.get_executor(), {.origin = TestUrl("http", server.Port()), .tls = nullptr});
    REQUIRE(RunTask(loop, client.Send(Get("/1"), true)).has_value());
    const Answer answer = RunTask(loop, client.Send(Get("/2"), true));
    REQUIRE(answer.has_value());
    CHECK(answer->body == "ok");
    CHECK(server.Requests().size() == 3);
    CHECK(server.Connections() == 2);
  }
  SUBCASE("only once") {
    RawServer server(loop, {{kOk, false}, {"", true}, {"", true}, {kOk, false}});
    HttpClient client(loop.get_executor(), {.origin = TestUrl("http", server.Port()), .tls = nullptr});
    REQUIRE(RunTask(loop, client.Send(Get("/1"), true)).has_value());
    const Answer answer = RunTask(loop, client.Send(Get("/2"), true));
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().error.code == Errc::kClosed);
    CHECK(server.Requests().size() == 3);
  }
  SUBCASE("one that may have been acted on is not") {
    RawServer server(loop, {{kOk, false}, {"", true}, {kOk, false}});
    HttpClient client(loop.get_executor(), {.origin = TestUrl("http", server.Port()), .tls = nullptr});
    REQUIRE(RunTask(loop, client.Send(Get("/1"), true)).has_value());
    const Answer answer = RunTask(loop, client.Send(Post("x"), false));
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().error.code == Errc::kClosed);
    CHECK(answer.error().sent == Sent::kMaybe);
    CHECK(server.Requests().size() == 2);
  }
  SUBCASE("once a byte of the answer came, nothing is") {
    RawServer server(loop, {{kOk, false}, {"HTTP/1.1 200 OK\r\nContent-Le", true}, {kOk, false}});
    HttpClient client(loop.get_executor(), {.origin = TestUrl("http", server.Port()), .tls = nullptr});
    REQUIRE(RunTask(loop, client.Send(Get("/1"), true)).has_value());
    const Answer answer = RunTask(loop, client.Send(Get("/2"), true));
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().error.code == Errc::kClosed);
    CHECK(server.Requests().size() == 2);
  }
  SUBCASE("a first connection's end is no stale one") {
    RawServer server(loop, {{"", true}, {kOk, true}});
    HttpClient client(loop.get_executor(), {.origin = TestUrl("http", server.Port()), .tls = nullptr});
    CHECK(RunTask(loop, client.Send(Get("/1"), true)).error().error.code == Errc::kClosed);
    CHECK(server.Requests().size() == 1);
  }
  SUBCASE("one that was closed while idle is not used at all") {
    RawServer server(loop, {{kOk, true}, {kOk, true}});
    HttpClient client(loop.get_executor(), {.origin = TestUrl("http", server.Port()), .tls = nullptr});
    REQUIRE(RunTask(loop, client.Send(Get("/1"), true)).has_value());
    REQUIRE(RunUntil(loop, [&] { return server.OpenConnections() == 0; }));
    CHECK(RunTask(loop, client.Send(Post("x"), false)).has_value());
    CHECK(server.Requests().size() == 2);
  }
}

TEST_CASE("over TLS, too, a cut idle connection is noticed before anything is sent") {
  TestCertificates certificates;
  const auto files = certificates.Make(TestCertificates::Kind::kGood);
  boost::asio::io_context loop(1);
  TestServer server(loop, {.tls = TlsContext::Server(files.certificate, files.key).value()});
  server->OnRequest(&Mirror);
  HttpClient client(loop.get_executor(), {.origin = TestUrl("https", server.Port()),
                                          .tls = TlsContext::Client(certificates.AuthorityFile()).value()});
  for (int i = 0; i < 3; ++i) {
    REQUIRE(RunTask(loop, client.Send(Post("x"), false)).has_value());
    server->CutConnections();
  }
}

TEST_CASE("connections are kept up to the given number, and for the given time") {
  boost::asio::io_context loop(1);
  RawServer server(loop, std::vector<RawServer::Turn>(8, {kOk, false}));
  SUBCASE("none") {
    HttpClient client(loop.get_executor(), {.origin = TestUrl("http", server.Port()), .tls = nullptr, .keep = 0});
    REQUIRE(RunTask(loop, client.Send(Get("/"), true)).has_value());
    CHECK(server.Requests()[0].find("Connection: close") != std::string::npos);
    CHECK(RunUntil(loop, [&] { return server.OpenConnections() == 0; }));
  }
  SUBCASE("two of three") {
    HttpClient client(loop.get_executor(), {.origin = TestUrl("http", server.Port()), .tls = nullptr, .keep = 2});
    std::optional<Answer> answers[3];
    async::TaskGroup group(loop.get_executor());
    for (auto& answer : answers) group.Spawn("request", SendAndKeep(client, Get("/"), answer));
    CHECK(RunTask(loop, group.Join(30s)));
    for (const auto& answer : answers) CHECK((answer && answer->has_value()));
    CHECK(server.Connections() == 3);
    CHECK(RunUntil(loop, [&] { return server.OpenConnections() == 2; }));
    REQUIRE(RunTask(loop, client.Send(Get("/"), true)).has_value());
    CHECK(server.Connections() == 3);
  }
  SUBCASE("not longer than the idle limit") {
    HttpClient client(loop.get_executor(),
                      {.origin = TestUrl("http", server.Port()), .tls = nullptr, .idle_limit = 20ms});
    REQUIRE(RunTask(loop, client.Send(Get("/"), true)).has_value());
    CHECK(RunUntil(loop, [&] { return server.OpenConnections() == 0; }));
  }
}

TEST_CASE("answers without a body, interim answers, and answers that are none") {
  boost::asio::io_context loop(1);
  RawServer server(loop, {{"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n", false},
                          {"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n", false},
                          {"HTTP/1.1 103 Early Hints\r\n\r\n" + kOk, false},
                          {"220 mail.example ESMTP\r\n\r\n", true}});
  HttpClient client(loop.get_executor(), {.origin = TestUrl("http", server.Port()), .tls = nullptr});
  const Answer none = RunTask(loop, client.Send(Get("/"), true));
  REQUIRE(none.has_value());
  CHECK(none->status == 204);
  CHECK(none->body.empty());
  CHECK(none->headers.Get("x-a") == "b");
  const Answer head = RunTask(loop, client.Send({.method = "HEAD", .target = "/", .headers = {}, .body = ""}, true));
  REQUIRE(head.has_value());
  CHECK(head->headers.Get("Content-Length") == "400");
  CHECK(head->body.empty());
  CHECK(RunTask(loop, client.Send(Get("/"), true))->body == "ok");
  CHECK(RunTask(loop, client.Send(Get("/"), true)).error().error.code == Errc::kProtocol);
  CHECK(server.Connections() == 1);
}

TEST_CASE("a request that would break its own framing is not sent") {
  boost::asio::io_context loop(1);
  RawServer server(loop, {});
  HttpClient client(loop.get_executor(), {.origin = TestUrl("http", server.Port()), .tls = nullptr});
  for (HttpRequest request :
       {HttpRequest{.method = "GET", .target = "http://evil.example/", .headers = {}, .body = ""},
        HttpRequest{.method = "GET", .target = "/a b", .headers = {}, .body = ""},
        HttpRequest{.method = "GET", .target = "/\r\nX: y", .headers = {}, .body = ""},
        HttpRequest{.method = "GE T", .target = "/", .headers = {}, .body = ""},
        HttpRequest{.method = "GET", .target = "/", .headers = {{"X", "a\r\nY: secret"}}, .body = ""},
        HttpRequest{.method = "GET", .target = "/", .headers = {{"X:", "a"}}, .body = ""}}) {
    const Answer answer = RunTask(loop, client.Send(std::move(request), true));
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().error.code == Errc::kInvalid);
    CHECK(answer.error().sent == Sent::kNothing);
    CHECK(answer.error().error.what.find("secret") == std::string::npos);
  }
  CHECK(server.Connections() == 0);
}

TEST_CASE("a cancelled request unwinds") {
  boost::asio::io_context loop(1);
  RawServer server(loop, {{"", false}});
  HttpClient client(loop.get_executor(), {.origin = TestUrl("http", server.Port()), .tls = nullptr});
  async::TaskGroup group(loop.get_executor());
  std::optional<Answer> answer;
  group.Spawn("request", SendAndKeep(client, Get("/"), answer));
  REQUIRE(RunUntil(loop, [&] { return server.Requests().size() == 1; }));
  group.Cancel();
  CHECK(RunTask(loop, group.Join(30s)));
  CHECK_FALSE(answer.has_value());
}
