#include "unit/net/test_server.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <list>

namespace shipmate::tests {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
}

Task<std::string> RawExchange(std::uint16_t port, std::string sent) {
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(tcp::endpoint(asio::ip::address_v4::loopback(), port), asio::use_awaitable);
  co_await asio::async_write(socket, asio::buffer(sent), kToken);
  std::string received;
  for (;;) {
    char chunk[4096];
    const auto [error, count] = co_await socket.async_read_some(asio::buffer(chunk), kToken);
    received.append(chunk, count);
    if (error) co_return received;
  }
}

Task<std::string> RawFrames(std::uint16_t port, std::string frames) {
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(tcp::endpoint(asio::ip::address_v4::loopback(), port), asio::use_awaitable);
  const std::string upgrade =
      "GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  co_await asio::async_write(socket, asio::buffer(upgrade), asio::use_awaitable);
  std::string received;
  const std::size_t header =
      co_await asio::async_read_until(socket, asio::dynamic_buffer(received), "\r\n\r\n", asio::use_awaitable);
  received.erase(0, header);
  co_await asio::async_write(socket, asio::buffer(frames), kToken);
  for (;;) {
    char chunk[4096];
    const auto [error, count] = co_await socket.async_read_some(asio::buffer(chunk), kToken);
    received.append(chunk, count);
    if (error) co_return received;
  }
}

bool RunUntil(boost::asio::io_context& loop, const std::function<bool()>& condition) {
  const auto limit = std::chrono::steady_clock::now() + kTestLimit;
  loop.restart();
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    loop.run_one_for(std::chrono::milliseconds(100));
    if (loop.stopped()) loop.restart();
  }
  return true;
}

struct RawServer::State {
  State(boost::asio::io_context& loop, std::vector<Turn> turns)
      : acceptor(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), script(std::move(turns)) {}

  static Task<void> Accept(std::shared_ptr<State> state) {
    for (;;) {
      auto [error, socket] = co_await state->acceptor.async_accept(kToken);
      if (error) co_return;
      ++state->connections;
      async::Spawn(state->acceptor.get_executor(), "raw connection", Serve(state, std::move(socket)));
    }
  }

  static Task<void> Serve(std::shared_ptr<State> state, tcp::socket accepted) {
    const auto socket = state->sockets.insert(state->sockets.end(), std::move(accepted));
    std::string input;
    for (;;) {
      const auto [error, length] =
          co_await asio::async_read_until(*socket, asio::dynamic_buffer(input), "\r\n\r\n", kToken);
      if (error) break;
      state->requests.push_back(input);
      input.clear();
      if (state->requests.size() > state->script.size()) break;
      const Turn& turn = state->script[state->requests.size() - 1];
      co_await asio::async_write(*socket, asio::buffer(turn.answer), kToken);
      if (turn.close) break;
    }
    state->sockets.erase(socket);
  }

  tcp::acceptor acceptor;
  std::vector<Turn> script;
  std::list<tcp::socket> sockets;
  std::vector<std::string> requests;
  int connections = 0;
};

RawServer::RawServer(boost::asio::io_context& loop, std::vector<Turn> script)
    : state_(std::make_shared<State>(loop, std::move(script))) {
  async::Spawn(loop.get_executor(), "raw server", State::Accept(state_));
}

RawServer::~RawServer() {
  boost::system::error_code ignored;
  state_->acceptor.close(ignored);
  for (tcp::socket& socket : state_->sockets) socket.close(ignored);
}

std::uint16_t RawServer::Port() const {
  return state_->acceptor.local_endpoint().port();
}
const std::vector<std::string>& RawServer::Requests() const {
  return state_->requests;
}
std::size_t RawServer::OpenConnections() const {
  return state_->sockets.size();
}
int RawServer::Connections() const {
  return state_->connections;
}

}  // namespace shipmate::tests
