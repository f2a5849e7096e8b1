#pragma once

// Dispatcher: from a parsed command to what is done and said. The same one serves every platform, the console, and
// whatever comes later; it alone knows the handlers.

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "async/task.h"
#include "chat/command.h"
#include "chat/frontend.h"
#include "chat/message.h"
#include "chat/verbs.h"
#include "gate/deploy_gate.h"
#include "service/manager.h"

namespace shipmate::chat {

/// What handlers may use. REQUIRES: everything referred to outlives the dispatcher.
struct Desk {
  service::Manager& manager;
  gate::DeployGate& gate;
  const Verbs& verbs;
  const base::Clock& clock;
  /// For the status overview: name and health of each frontend.
  std::function<std::vector<std::pair<std::string, Health>>()> frontends;
};

/// What a command may touch, by the place where it was given.
struct Scope {
  /// The only services that can be seen and commanded from there; empty = all.
  std::vector<std::string> services;

  bool Limited() const { return !services.empty(); }
  bool Has(const std::string& service) const {
    return services.empty() || std::ranges::find(services, service) != services.end();
  }
};

class Dispatcher {
 public:
  explicit Dispatcher(Desk desk) : desk_(std::move(desk)) {}

  /// Performs `command` for `actor` and gives the answer. An unknown verb, service or a usage error is an answer, too,
  /// with the nearest names; then nothing was done to any service.
  Task<Message> Dispatch(Command command, Actor actor, Scope scope);
  Task<Message> Dispatch(Command command, Actor actor) {
    return Dispatch(std::move(command), std::move(actor), Scope());
  }
  const Desk& GetDesk() const { return desk_; }

 private:
  Desk desk_;
};

}  // namespace shipmate::chat
