// HttpClient against HttpServer, plain and TLS.

#include <doctest/doctest.h>

#include <stdexcept>
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

Task<HttpResponse> Throw(HttpRequest) {
  co_await async::Sleep(1ms);
  throw std::runtime_error("handler is broken");
}

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

TEST_CASE("a handler's exception becomes a 500") {
  boost::asio::io_context loop(1);
  TestServer server(loop);
  server->OnRequest(&Throw);
  HttpClient client(loop.get_executor(), {.origin = TestUrl("http", server.Port()), .tls = nullptr});
  CHECK(RunTask(loop, client.Send(Get("/"), true))->status == 500);
}
