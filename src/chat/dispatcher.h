#pragma once

// Dispatcher: from a parsed command to what is done and said. The same one serves every platform, the console, and
// whatever comes later; it alone knows the handlers, and it alone decides whether somebody may.

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "async/task.h"
#include "chat/access.h"
#include "chat/arguments.h"
#include "chat/command.h"
#include "chat/frontend.h"
#include "chat/message.h"
#include "chat/scope.h"
#include "chat/verbs.h"
#include "gate/deploy_gate.h"
#include "history/audit.h"
#include "history/deploys.h"
#include "service/manager.h"

namespace shipmate::chat {

class CustomCommands;

/// What was read anew and applied.
struct Reloaded {
  service::ReloadResult services;
  /// Beside the services: "access", "2 commands".
  std::vector<std::string> also = {};
};
using ReloadOutcome = std::expected<Reloaded, config::Problems>;

/// What handlers may use. REQUIRES: everything referred to outlives the dispatcher.
struct Desk {
  service::Manager& manager;
  gate::DeployGate& gate;
  const Verbs& verbs;
  const Access& access;
  const base::Clock& clock;
  /// What a command starts with in a channel.
  std::string prefix;
  /// For the status overview: name and health of each frontend.
  std::function<std::vector<std::pair<std::string, Health>>()> frontends;
  /// Null where there are no commands of the user's own.
  CustomCommands* custom = nullptr;
  /// Reads all anew that can be changed while we run; all or nothing.
  std::function<Task<ReloadOutcome>()> reload;
  /// Null: nothing is recorded, and `unrecorded` says why.
  history::Audit* audit = nullptr;
  std::string unrecorded;
  /// Null: they are not recorded.
  history::Deploys* deploys = nullptr;
};

/// `command` as `actor` has to type it where he is.
std::string AsTyped(const Desk& desk, const Actor& actor, const std::string& command);

enum class Decision {
  kAllowed,
  kRefused,  ///< who asked may not do it
  kWrong,    ///< nobody could: it is no command, or its arguments do not fit
};

/// What is to become of something that was meant as a command.
struct Judgement {
  Decision decision = Decision::kWrong;
  /// The answer, unless it is allowed.
  Message answer;
  /// Of kRefused, for the log: "needs operator, has none".
  std::string reason;
  /// Of kAllowed: the command's row, what was given with it, what it may touch, and the role it was asked in.
  const config::CommandSpec* spec = nullptr;
  /// Of which `spec` is a row.
  std::shared_ptr<const std::vector<config::CommandSpec>> table = nullptr;
  Bound arguments;
  Scope scope;
  config::Role role = config::Role::kViewer;
};

class Dispatcher {
 public:
  explicit Dispatcher(Desk desk) : desk_(std::move(desk)) {}

  /// Decides, and touches nothing. Who has no role learns nothing but that; to others an unknown verb or service and a
  /// usage error are answered with the nearest names. All or nothing: one service out of reach, and none is touched.
  /// REQUIRES: `parsed` is not NotACommand.
  Judgement Judge(const Parsed& parsed, const Actor& actor, Scope scope) const;
  /// Performs what was allowed, and gives the answer. REQUIRES: judged by Judge, and allowed.
  Task<Message> Run(Judgement judged, Actor actor);
  const Desk& GetDesk() const { return desk_; }

 private:
  Judgement Refuse(Refusal refusal, const Actor& actor) const;

  Desk desk_;
};

}  // namespace shipmate::chat
