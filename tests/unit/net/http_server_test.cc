// HttpServer against raw bytes: limits, framing, keep-alive, shutdown.

#include "net/http_server.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/write.hpp>
#include <ctime>
#include <optional>
#include <stdexcept>
#include <string>

#include "async/deadline.h"
#include "async/latch.h"
#include "net/http_client.h"
#include "unit/net/test_server.h"

using namespace shipmate;
using namespace shipmate::net;
using namespace shipmate::tests;
using namespace std::chrono_literals;
using boost::asio::ip::tcp;

namespace {

// Answers with the target and body, and remembers what it was asked.
struct Recorder {
  std::vector<std::string> seen;

  HttpServer::Handler Handler() {
    return [this](HttpRequest request) { return Answer(*this, std::move(request)); };
  }
  static Task<HttpResponse> Answer(Recorder& recorder, HttpRequest request) {
    recorder.seen.push_back(request.method + " " + request.target + " " + request.body);
    HttpResponse response;
    response.status = 200;
    response.body = "[" + request.target + " " + request.body + "]";
    co_return response;
  }
};

Task<HttpResponse> Throw(HttpRequest) {
  co_await async::Sleep(1ms);
  throw std::runtime_error("handler is broken");
}

Task<HttpResponse> AnswerBadly(HttpRequest request) {
  HttpResponse response;
  response.status = request.target == "/status" ? 0 : 200;
  response.headers.Add("X-Bad", request.target == "/header" ? "a\r\nSet-Cookie: b" : "fine");
  co_return response;
}

// Says that it was called, and answers once `go` is set.
struct Gate {
  explicit Gate(const Executor& executor) : called(executor), go(executor) {}
  async::Event called;
  async::Event go;

  HttpServer::Handler Handler() {
    return [this](HttpRequest) { return Answer(*this); };
  }
  static Task<HttpResponse> Answer(Gate& gate) {
    gate.called.Set();
    co_await gate.go.Wait();
    HttpResponse response;
    response.status = 200;
    response.body = "late";
    co_return response;
  }
};

Task<void> Keep(Task<std::string> task, std::optional<std::string>& result) {
  result = co_await std::move(task);
}
Task<void> KeepDone(Task<void> task, bool& done) {
  co_await std::move(task);
  done = true;
}

int Answers(const std::string& received) {
  int count = 0;
  for (std::size_t at = received.find("HTTP/1.1 "); at != std::string::npos; at = received.find("HTTP/1.1 ", at + 1)) {
    ++count;
  }
  return count;
}

const std::string kClose = "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

}  // namespace

TEST_CASE("requests in one go are answered in order, and Connection: close ends it") {
  boost::asio::io_context loop(1);
  Recorder recorder;
  TestServer server(loop);
  server->OnRequest(recorder.Handler());
  const std::string received = RunTask(
      loop,
      RawExchange(server.Port(),
                  "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                  "POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n1\r\n!\r\n0\r\n\r\n" +
                      kClose + "GET /after HTTP/1.1\r\nHost: x\r\n\r\n"));
  CHECK(recorder.seen == std::vector<std::string>{"POST /1 abc", "POST /2 xyz!", "GET /last "});
  CHECK(Answers(received) == 3);
  CHECK(received.find("Connection: close") != std::string::npos);
  CHECK(received.ends_with("[/last ]"));
}

TEST_CASE("HTTP/1.0 closes, HEAD has no body, 100-continue is granted, nobody is 404, no socket is 426") {
  boost::asio::io_context loop(1);
  Recorder recorder;
  TestServer server(loop);
  CHECK(RunTask(loop, RawExchange(server.Port(), kClose)).starts_with("HTTP/1.1 404 "));
  server->OnRequest(recorder.Handler());
  CHECK(RunTask(loop, RawExchange(server.Port(), "GET /old HTTP/1.0\r\n\r\n")).ends_with("[/old ]"));
  const std::string head =
      RunTask(loop, RawExchange(server.Port(), "HEAD /h HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  CHECK(head.find("Content-Length: 5\r\n") != std::string::npos);
  CHECK(head.ends_with("\r\n\r\n"));
  const std::string granted = RunTask(
      loop, RawExchange(server.Port(),
                        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: "
                        "close\r\n\r\nhi"));
  CHECK(granted.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
  CHECK(granted.ends_with("[/ hi]"));
  CHECK(RunTask(loop, RawExchange(server.Port(),
                                  "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: "
                                  "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                                  "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
            .starts_with("HTTP/1.1 426 "));
}

TEST_CASE("what could be read in two ways is answered with 400 and the end of the connection") {
  const std::string smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string start = "POST / HTTP/1.1\r\nHost: x\r\n";
  const std::string length = "Content-Length: " + std::to_string(smuggled.size()) + "\r\n";
  for (const std::string& request : {
           start + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
           start + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + smuggled,
           start + "Content-Length: 0\r\n" + length + "\r\n" + smuggled,
           start + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
           start + "Content-Length: 5, 5\r\n\r\nhello",
           start + "Content-Length: +5\r\n\r\nhello",
           start + "Content-Length: -5\r\n\r\nhello",
           start + "Content-Length: 0x5\r\n\r\nhello",
           start + "Content-Length:\r\n\r\n" + smuggled,
           start + "Content-Length: 99999999999999999999999\r\n\r\nhello",
           start + "Transfer-Encoding: gzip\r\n\r\n" + smuggled,
           start + "Transfer-Encoding: xchunked\r\n\r\n" + smuggled,
           start + "Transfer-Encoding: chunked, identity\r\n\r\n" + smuggled,
           start + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + smuggled,
           start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
           start + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + smuggled,
           start + "Transfer-Encoding: chunked\r\n\r\n-1\r\n" + smuggled,
           start + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + smuggled,
           std::string("POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") + smuggled,
           start + "Content-Length : 0\r\n\r\n" + smuggled,
           start + std::string("X: a\0b\r\n\r\n", 10) + smuggled,
           std::string("GET / HTTP/1.1\nHost: x\n\n") + smuggled,
           start + "X: a\nContent-Length: 0\r\n\r\n" + smuggled,
           std::string("GET / HTTP/1.1\r\n\r\n") + smuggled,
           std::string("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n") + smuggled,
           std::string("GET / HTTP/2.7\r\nHost: a\r\n\r\n") + smuggled,
           std::string("GET /\r\n\r\n") + smuggled,
           std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not plain HTTP\r\n\r\n", 30),
       }) {
    CAPTURE(request);
    boost::asio::io_context loop(1);
    Recorder recorder;
    TestServer server(loop);
    server->OnRequest(recorder.Handler());
    const std::string received = RunTask(loop, RawExchange(server.Port(), request));
    CHECK(received.starts_with("HTTP/1.1 400 Bad Request\r\n"));
    CHECK(Answers(received) == 1);
    CHECK(recorder.seen.empty());
  }
}

TEST_CASE("header and body have limits") {
  boost::asio::io_context loop(1);
  Recorder recorder;
  TestServer server(loop, {.header_limit = 2000, .body_limit = 1000});
  server->OnRequest(recorder.Handler());
  const std::string start = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
  const auto ask = [&](const std::string& rest) { return RunTask(loop, RawExchange(server.Port(), start + rest)); };
  CHECK(ask("X: " + std::string(3000, 'x') + "\r\n\r\n").starts_with("HTTP/1.1 431 "));
  CHECK(ask("Content-Length: 99999999999\r\n\r\nx").starts_with("HTTP/1.1 413 "));
  CHECK(ask("Content-Length: 1001\r\n\r\n" + std::string(1001, 'x')).starts_with("HTTP/1.1 413 "));
  CHECK(ask("Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x') + "\r\n0\r\n\r\n")
            .starts_with("HTTP/1.1 413 "));
  std::string chunks;
  for (int i = 0; i < 1001; ++i) chunks += "1\r\nx\r\n";
  CHECK(ask("Transfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n").starts_with("HTTP/1.1 413 "));
  CHECK(recorder.seen.empty());
  CHECK(ask("Content-Length: 1000\r\n\r\n" + std::string(1000, 'x')).starts_with("HTTP/1.1 200 "));
}

TEST_CASE("a doorman refuses by the header alone, and its answer ends the connection") {
  boost::asio::io_context loop(1);
  Recorder recorder;
  TestServer server(loop);
  server->OnRequest(recorder.Handler());
  server->OnHead([](const HttpRequest& head) -> std::optional<HttpResponse> {
    if (head.target != "/no") return std::nullopt;
    HttpResponse response;
    response.status = 404;
    return response;
  });
  const std::string length = " HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n";
  const std::string received =
      RunTask(loop, RawExchange(server.Port(), "POST /yes" + length + "abc" + "POST /no" + length + "abc" + kClose));
  CHECK(Answers(received) == 2);
  CHECK(received.find("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n") != std::string::npos);
  CHECK(recorder.seen == std::vector<std::string>{"POST /yes abc"});
  // Not a byte of the body is waited for, nor a "100 Continue" sent.
  CHECK(RunTask(loop, RawExchange(server.Port(),
                                  "POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: "
                                  "100-continue\r\n\r\n"))
            .starts_with("HTTP/1.1 404 "));
}

TEST_CASE("large bodies have a common budget, small ones need none") {
  boost::asio::io_context loop(1);
  Recorder recorder;
  TestServer server(loop, {.body_budget = 100'000});
  server->OnRequest(recorder.Handler());
  const auto ask = [&](std::size_t size) {
    return RunTask(loop,
                   RawExchange(server.Port(), "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " +
                                                  std::to_string(size) + "\r\n\r\n" + std::string(size, 'x')));
  };
  CHECK(ask(90'000).starts_with("HTTP/1.1 200 "));
  CHECK(ask(90'000).starts_with("HTTP/1.1 200 "));
  std::optional<std::string> held;
  async::TaskGroup group(loop.get_executor());
  group.Spawn("held", Keep(RawExchange(server.Port(),
                                       "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: "
                                       "90001\r\n\r\n" +
                                           std::string(90'000, 'x')),
                           held));
  REQUIRE(RunUntil(loop, [&] { return RunTask(loop, RawExchange(server.Port(), kClose)).ends_with("[/last ]"); }));
  bool full = false;
  // The held body arrives in its own time.
  for (int tries = 0; tries < 100 && !full; ++tries) full = ask(90'000).starts_with("HTTP/1.1 503 ");
  CHECK(full);
  CHECK(ask(50'000).starts_with("HTTP/1.1 200 "));
  server->CutConnections();
  CHECK(RunTask(loop, group.Join(30s)));
  CHECK(ask(90'000).starts_with("HTTP/1.1 200 "));
}

TEST_CASE("slow and silent clients are cut, and hold up nobody") {
  boost::asio::io_context loop(1);
  Recorder recorder;
  TestServer server(loop, {.request_limit = 150ms, .idle_limit = 50ms});
  server->OnRequest(recorder.Handler());
  std::optional<std::string> silent;
  std::optional<std::string> header;
  std::optional<std::string> body;
  std::optional<std::string> idle;
  async::TaskGroup group(loop.get_executor());
  group.Spawn("silent", Keep(RawExchange(server.Port(), ""), silent));
  group.Spawn("header", Keep(RawExchange(server.Port(), "GET / HTTP/1.1\r\nHo"), header));
  group.Spawn("body",
              Keep(RawExchange(server.Port(), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"), body));
  group.Spawn("idle", Keep(RawExchange(server.Port(), "GET /i HTTP/1.1\r\nHost: x\r\n\r\n"), idle));
  CHECK(RunTask(loop, RawExchange(server.Port(), kClose)).ends_with("[/last ]"));
  CHECK(RunTask(loop, group.Join(30s)));
  CHECK(silent == "");
  CHECK((header && header->starts_with("HTTP/1.1 408 ")));
  CHECK((body && body->starts_with("HTTP/1.1 408 ")));
  CHECK((idle && idle->ends_with("[/i ]")));
}

TEST_CASE("a handler's exception or unsendable answer becomes a 500, and the connection goes on") {
  boost::asio::io_context loop(1);
  TestServer server(loop);
  HttpClient client(loop.get_executor(), {.origin = TestUrl("http", server.Port()), .tls = nullptr});
  const auto ask = [&](std::string target) {
    return RunTask(loop, client.Send({.method = "GET", .target = std::move(target), .headers = {}, .body = ""}, true));
  };
  server->OnRequest(&Throw);
  CHECK(ask("/")->status == 500);
  server->OnRequest(&AnswerBadly);
  CHECK(ask("/")->status == 200);
  CHECK(ask("/status")->status == 500);
  const auto injected = ask("/header");
  REQUIRE(injected.has_value());
  CHECK(injected->status == 500);
  CHECK_FALSE(injected->headers.Has("Set-Cookie"));
}

TEST_CASE("Shutdown lets a running request finish, then listens no more") {
  boost::asio::io_context loop(1);
  Gate gate(loop.get_executor());
  auto server = HttpServer::Listen(loop.get_executor(), {}).value();
  server->OnRequest(gate.Handler());
  async::TaskGroup group(loop.get_executor());
  std::optional<std::string> received;
  std::optional<std::string> idle;
  bool run_ended = false;
  bool shut = false;
  group.Spawn("run", KeepDone(server->Run(), run_ended));
  group.Spawn("request", Keep(RawExchange(server->Port(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), received));
  group.Spawn("idle", Keep(RawExchange(server->Port(), ""), idle));
  REQUIRE(RunTask(loop, gate.called.WaitFor(30s)));
  group.Spawn("shutdown", KeepDone(server->Shutdown(30s), shut));
  REQUIRE(RunUntil(loop, [&] { return run_ended && idle.has_value(); }));
  CHECK_FALSE(shut);
  CHECK_FALSE(received.has_value());
  gate.go.Set();
  CHECK(RunTask(loop, group.Join(30s)));
  CHECK(shut);
  CHECK((received && received->ends_with("late")));
  CHECK_THROWS(static_cast<void>(RunTask(loop, RawExchange(server->Port(), ""))));
}

TEST_CASE("Shutdown cuts what does not finish") {
  boost::asio::io_context loop(1);
  Gate gate(loop.get_executor());
  auto server = HttpServer::Listen(loop.get_executor(), {}).value();
  server->OnRequest(gate.Handler());
  async::TaskGroup group(loop.get_executor());
  std::optional<std::string> received;
  group.Spawn("run", server->Run());
  group.Spawn("request", Keep(RawExchange(server->Port(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), received));
  REQUIRE(RunTask(loop, gate.called.WaitFor(30s)));
  RunTask(loop, server->Shutdown(10ms));
  CHECK(RunTask(loop, group.Join(30s)));
  CHECK(received == "");
}

TEST_CASE("a server may be destroyed while requests run") {
  boost::asio::io_context loop(1);
  Gate gate(loop.get_executor());
  auto server = HttpServer::Listen(loop.get_executor(), {}).value();
  server->OnRequest(gate.Handler());
  async::TaskGroup group(loop.get_executor());
  std::optional<std::string> received;
  group.Spawn("run", server->Run());
  group.Spawn("request", Keep(RawExchange(server->Port(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), received));
  REQUIRE(RunTask(loop, gate.called.WaitFor(30s)));
  server.reset();
  CHECK(RunTask(loop, group.Join(30s)));
  CHECK(received == "");
}

TEST_CASE("a loop may end with a server and connections on it") {
  Recorder recorder;
  boost::asio::io_context loop(1);
  auto server = HttpServer::Listen(loop.get_executor(), {}).value();
  server->OnRequest(recorder.Handler());
  async::Spawn(loop.get_executor(), "run", server->Run());
  std::optional<std::string> received;
  async::Spawn(loop.get_executor(), "request",
               Keep(RawExchange(server->Port(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), received));
  CHECK(RunUntil(loop, [&] { return !recorder.seen.empty(); }));
}

TEST_CASE("CutConnections resets requests under way") {
  boost::asio::io_context loop(1);
  Gate gate(loop.get_executor());
  TestServer server(loop);
  server->OnRequest(gate.Handler());
  async::TaskGroup group(loop.get_executor());
  std::optional<std::string> received;
  group.Spawn("request", Keep(RawExchange(server.Port(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), received));
  REQUIRE(RunTask(loop, gate.called.WaitFor(30s)));
  server->CutConnections();
  CHECK(RunTask(loop, group.Join(30s)));
  CHECK(received == "");
}

TEST_CASE("at the limit of connections an idle one makes room, and a busy one is waited for") {
  boost::asio::io_context loop(1);
  SUBCASE("idle") {
    Recorder recorder;
    TestServer server(loop, {.connection_limit = 1});
    server->OnRequest(recorder.Handler());
    std::optional<std::string> kept;
    async::TaskGroup group(loop.get_executor());
    group.Spawn("kept", Keep(RawExchange(server.Port(), "GET /kept HTTP/1.1\r\nHost: x\r\n\r\n"), kept));
    REQUIRE(RunUntil(loop, [&] { return !recorder.seen.empty(); }));
    CHECK(RunTask(loop, RawExchange(server.Port(), kClose)).ends_with("[/last ]"));
    CHECK(RunTask(loop, group.Join(30s)));
    CHECK((kept && kept->ends_with("[/kept ]")));
  }
  SUBCASE("busy") {
    Gate gate(loop.get_executor());
    TestServer server(loop, {.connection_limit = 1});
    server->OnRequest(gate.Handler());
    std::optional<std::string> first;
    std::optional<std::string> second;
    async::TaskGroup group(loop.get_executor());
    group.Spawn("first", Keep(RawExchange(server.Port(), kClose), first));
    REQUIRE(RunTask(loop, gate.called.WaitFor(30s)));
    group.Spawn("second", Keep(RawExchange(server.Port(), kClose), second));
    gate.go.Set();
    CHECK(RunTask(loop, group.Join(30s)));
    CHECK((first && first->ends_with("late")));
    CHECK((second && second->ends_with("late")));
  }
}

TEST_CASE("without a free descriptor accepting rests, and goes on afterwards") {
  boost::asio::io_context loop(1);
  Recorder recorder;
  TestServer server(loop);
  server->OnRequest(recorder.Handler());
  loop.poll();
  tcp::socket client(loop);
  client.connect(tcp::endpoint(boost::asio::ip::address_v4::loopback(), server.Port()));
  boost::asio::write(client, boost::asio::buffer(kClose));
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int next = dup(0);
  REQUIRE(next > 0);
  close(next);
  const rlimit tight{static_cast<rlim_t>(next), before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &tight) == 0);
  const std::clock_t cpu = std::clock();
  loop.restart();
  loop.run_for(500ms);
  const double used = static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(recorder.seen.empty());
  CHECK(used < 0.25);
  CHECK(RunUntil(loop, [&] { return recorder.seen.size() == 1; }));
}

TEST_CASE("a port in use and a bad address are told") {
  boost::asio::io_context loop(1);
  const auto first = HttpServer::Listen(loop.get_executor(), {});
  REQUIRE(first.has_value());
  const auto second = HttpServer::Listen(loop.get_executor(), {.port = (*first)->Port()});
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == Errc::kIo);
  CHECK(second.error().what == "listening on 127.0.0.1:" + std::to_string((*first)->Port()) +
                                   ": address already in use; another program uses this port");
  CHECK(HttpServer::Listen(loop.get_executor(), {.address = "localhost"}).error().code == Errc::kInvalid);
}
