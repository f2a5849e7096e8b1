#pragma once

// Dispatcher: from a parsed command to what is done and said. The same one serves every platform, the console, and
// whatever comes later; it alone knows the handlers.

#include <functional>
#include <string>
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

class Dispatcher {
 public:
  explicit Dispatcher(Desk desk) : desk_(std::move(desk)) {}

  /// Performs `command` for `actor` and gives the answer. An unknown verb, service or a usage error is an answer, too,
  /// with the nearest names.
  Task<Message> Dispatch(Command command, Actor actor);
  const Desk& GetDesk() const { return desk_; }

 private:
  Desk desk_;
};

}  // namespace shipmate::chat
