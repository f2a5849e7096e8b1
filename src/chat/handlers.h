#pragma once

// The handlers: what each command does, and how its answer reads. One function a command; the table names them all, and
// fits the files of bot-commands/ one to one.

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "chat/arguments.h"
#include "chat/dispatcher.h"

namespace shipmate::chat {

/// A command whose arguments are checked. It lives in the dispatcher's frame while the handler runs.
struct Request {
  const Desk& desk;
  const config::CommandSpec& spec;
  const Actor& actor;
  /// The highest role of the actor where he speaks.
  config::Role role;
  const Scope& scope;
  Bound arguments;
};

using Handler = Task<Message> (*)(const Request& request);

struct NamedHandler {
  std::string_view verb;
  Handler run;
};

const std::vector<NamedHandler>& Handlers();

// handlers.cc
Task<Message> HandleHelp(const Request& request);
Task<Message> HandleList(const Request& request);
Task<Message> HandleCount(const Request& request);
Task<Message> HandleReload(const Request& request);

// handlers_access.cc
Task<Message> HandleAudit(const Request& request);
Task<Message> HandleWhoami(const Request& request);

// handlers_custom.cc
/// Any command with a program of its own; not in the table.
Task<Message> HandleCustom(const Request& request);
Task<Message> HandleYes(const Request& request);

// handlers_service.cc
Task<Message> HandleStart(const Request& request);
Task<Message> HandleStop(const Request& request);
Task<Message> HandleRestart(const Request& request);
Task<Message> HandlePull(const Request& request);
Task<Message> HandleStartAll(const Request& request);
Task<Message> HandleStopAll(const Request& request);

// handlers_logs.cc
Task<Message> HandleLogs(const Request& request);

// handlers_status.cc
Task<Message> HandleStatus(const Request& request);

// handlers_deploy.cc
Task<Message> HandleDeploy(const Request& request);
Task<Message> HandleConfirm(const Request& request);
Task<Message> HandleDecline(const Request& request);
Task<Message> HandlePending(const Request& request);
Task<Message> HandleCancel(const Request& request);
Task<Message> HandleWhy(const Request& request);

// handlers_gate.cc
Task<Message> HandleRollback(const Request& request);
Task<Message> HandleFreeze(const Request& request);
Task<Message> HandleUnfreeze(const Request& request);

// handlers_history.cc
Task<Message> HandleHistory(const Request& request);
Task<Message> HandleDeploys(const Request& request);
Task<Message> HandleDeployLog(const Request& request);

/// `actor` as the gate knows people.
gate::Person PersonOf(const Actor& actor);
/// Whether `--yes` was given; an answer where that is not for the actor.
std::expected<gate::Asking, Message> AskingOf(const Request& request, const std::string& service);
/// What a wish for a deploy of `name` was answered.
Text DeployAnswered(const std::string& name, const Result<gate::DeployAnswer>& answer);

/// Whether `spec` is offered where `actor` speaks.
bool IsOffered(const config::CommandSpec& spec, const Actor& actor);

}  // namespace shipmate::chat
