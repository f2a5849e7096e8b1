#pragma once

// WebhookServer: the receiver of webhooks on its port. The port is taken before any service is touched; requests are
// accepted once there is somebody to decide about them, and wait in the kernel's queue until then.

#include <chrono>
#include <memory>

#include "async/spawn.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "gate/deploy_gate.h"
#include "net/http_server.h"
#include "service/manager.h"
#include "webhook/desk.h"
#include "webhook/receiver.h"

namespace shipmate::app {

class WebhookServer {
 public:
  /// Null, with a warning in the log, when nothing is to be served: no section, or no secret. An error, one line that
  /// names the address or file, when the port cannot be had or TLS cannot be set up. `clock` outlives it.
  static Result<std::unique_ptr<WebhookServer>> Listen(const Executor& executor, const config::Config& config,
                                                       const config::Env& env, const base::Clock& clock);

  /// Begins to accept, in `background`. REQUIRES: all outlive the server's Shutdown.
  void Serve(async::TaskGroup& background, const service::Manager& manager, gate::DeployGate& gate);
  /// Lets running requests finish within `limit`.
  Task<void> Shutdown(std::chrono::milliseconds limit);

 private:
  WebhookServer() = default;

  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<webhook::Desk> desk_;
  std::unique_ptr<webhook::Receiver> receiver_;
};

}  // namespace shipmate::app
