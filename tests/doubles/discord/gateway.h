#pragma once

#include <boost/asio/steady_timer.hpp>
#include <list>
#include <memory>
#include <string>

#include "async/task.h"
#include "doubles/discord/world.h"
#include "net/http_types.h"
#include "net/inflate.h"
#include "net/websocket.h"

namespace shipmate::doubles::discord {

/// The gateway side (Discord, Gateway v10): sessions, heartbeats, identify, resume, close codes, zlib-stream.
class Gateway {
 public:
  Gateway(Executor executor, World& world);

  /// Serves one socket to its end.
  Task<void> Serve(net::HttpRequest request, std::shared_ptr<net::WebSocket> socket);

 private:
  struct Connection;

  /// Handles one frame; false = the connection was closed.
  Task<bool> Handle(std::shared_ptr<Connection> connection, std::string frame);
  Task<bool> Identify(std::shared_ptr<Connection> connection, json::object data);
  Task<bool> Resume(std::shared_ptr<Connection> connection, json::object data);
  Task<bool> CloseWith(std::shared_ptr<Connection> connection, std::uint16_t code, std::string reason);
  Task<void> Writer(std::shared_ptr<Connection> connection);
  Task<void> CloseNow(std::shared_ptr<Connection> connection, std::uint16_t code);
  void Attach(const std::shared_ptr<Connection>& connection, const std::shared_ptr<Session>& session);

  Executor executor_;
  World& world_;
  std::list<std::weak_ptr<Connection>> connections_;
};

}  // namespace shipmate::doubles::discord
