#include "net/try_connect.h"

#include <utility>

#include "async/deadline.h"
#include "net/connect.h"

namespace shipmate::net {

Task<Result<void>> TryConnect(Executor executor, std::string host, std::uint16_t port,
                              std::chrono::milliseconds limit) {
  Url url{.scheme = "http", .host = std::move(host), .port = port};
  auto connecting = ConnectTcp(std::move(executor), url, limit);
  const auto socket = co_await async::WithDeadline(std::move(connecting), limit, ConnectingTo(url));
  if (!socket) co_return Fail(socket.error());
  co_return Result<void>();
}

}  // namespace shipmate::net
