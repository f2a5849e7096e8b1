// fake_discord [--cert FILE --key FILE]: a Discord on a free port of 127.0.0.1, over TLS when given a certificate.
// Prints one line, {"port": N}, when it listens, and serves until its standard input ends.

#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "async/spawn.h"
#include "doubles/discord/control.h"
#include "doubles/discord/gateway.h"
#include "doubles/discord/rest.h"
#include "net/http_server.h"

namespace shipmate::doubles::discord {

namespace {

class Program {
 public:
  Program(boost::asio::io_context& loop, std::unique_ptr<net::HttpServer> server, bool secure)
      : loop_(loop),
        server_(std::move(server)),
        gateway_(loop.get_executor(), world_),
        rest_(loop.get_executor(), world_) {
    world_.secure = secure;
    world_.public_host = fmt::format("127.0.0.1:{}", server_->Port());
    server_->OnRequest([this](net::HttpRequest request) { return Request(std::move(request)); });
    server_->OnSocket([this](net::HttpRequest request, std::shared_ptr<net::WebSocket> socket) {
      return gateway_.Serve(std::move(request), std::move(socket));
    });
    async::Spawn(loop.get_executor(), "server", server_->Run());
    async::Spawn(loop.get_executor(), "end of input", WaitForEnd());
  }

 private:
  Task<net::HttpResponse> Request(net::HttpRequest request) {
    if (request.target.starts_with("/control/")) co_return Control(world_, request);
    auto response = co_await rest_.Handle(std::move(request));
    if (response) co_return std::move(*response);
    server_->CutConnections();
    co_return net::HttpResponse{.status = 500};
  }

  Task<void> WaitForEnd() {
    boost::asio::posix::stream_descriptor input(loop_.get_executor(), dup(STDIN_FILENO));
    char byte = 0;
    for (;;) {
      const auto [error, count] = co_await input.async_read_some(boost::asio::buffer(&byte, 1),
                                                                 boost::asio::as_tuple(boost::asio::use_awaitable));
      if (error) break;
    }
    loop_.stop();
  }

  boost::asio::io_context& loop_;
  std::unique_ptr<net::HttpServer> server_;
  World world_;
  Gateway gateway_;
  Rest rest_;
};

int Main(int argc, char** argv) {
  std::string certificate;
  std::string key;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string_view(argv[i]) == "--cert") certificate = argv[i + 1];
    if (std::string_view(argv[i]) == "--key") key = argv[i + 1];
  }
  boost::asio::io_context loop(1);
  net::HttpServerOptions options;
  if (!certificate.empty()) {
    auto tls = net::TlsContext::Server(certificate, key);
    if (!tls) {
      std::fprintf(stderr, "fake_discord: %s\n", tls.error().what.c_str());
      return 1;
    }
    options.tls = std::move(*tls);
  }
  auto server = net::HttpServer::Listen(loop.get_executor(), std::move(options));
  if (!server) {
    std::fprintf(stderr, "fake_discord: %s\n", server.error().what.c_str());
    return 1;
  }
  std::printf("{\"port\": %u}\n", static_cast<unsigned>((*server)->Port()));
  std::fflush(stdout);
  Program program(loop, std::move(*server), !certificate.empty());
  loop.run();
  // Coroutines that wait on sockets are destroyed with the loop; nothing of the program is left to end in order.
  std::fflush(nullptr);
  std::_Exit(0);
}

}  // namespace

}  // namespace shipmate::doubles::discord

int main(int argc, char** argv) {
  return shipmate::doubles::discord::Main(argc, argv);
}
