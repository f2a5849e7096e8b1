#include "chat/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "chat/clean.h"
#include "chat/handlers.h"

namespace shipmate::chat {

namespace {

Judgement Wrong(Message answer) {
  Judgement judgement;
  judgement.answer = std::move(answer);
  return judgement;
}

Message UnknownCommand(const std::string& verb, const Desk& desk, const Actor& actor) {
  Message message;
  message.headline.Plain("unknown command " + QuoteShort(verb));
  const std::string nearest = base::Nearest(verb, desk.verbs.Names());
  if (nearest.empty()) {
    message.headline.Plain("; try ").Code(AsTyped(desk, actor, "help"));
  } else {
    message.headline.Plain("; did you mean ").Bold(nearest).Plain("?");
  }
  return message;
}

}  // namespace

std::string AsTyped(const Desk& desk, const Actor& actor, const std::string& command) {
  return actor.platform == "console" ? command : desk.prefix + command;
}

Judgement Dispatcher::Refuse(Refusal refusal, const Actor& actor) const {
  Judgement judgement;
  judgement.decision = Decision::kRefused;
  judgement.answer = desk_.access.Refuse(refusal, actor);
  judgement.reason =
      fmt::format("needs {}, has {}", RoleName(refusal.needed), refusal.has ? RoleName(*refusal.has) : "none");
  return judgement;
}

Judgement Dispatcher::Judge(const Parsed& parsed, const Actor& actor, Scope scope) const {
  const Access& access = desk_.access;
  const auto highest = access.Highest(actor, scope.channel);
  const auto* command = std::get_if<Command>(&parsed);
  const config::CommandSpec* spec = command == nullptr ? nullptr : desk_.verbs.Find(command->verb);
  if (spec != nullptr && !IsOffered(*spec, actor)) spec = nullptr;

  Refusal refusal{.verb = "", .needed = config::Role::kViewer, .has = highest, .services = {}};
  if (spec != nullptr) {
    refusal.verb = spec->name;
    refusal.needed = spec->role;
  }
  if (!highest) return Refuse(std::move(refusal), actor);
  if (command == nullptr) {
    Message why;
    why.headline.Plain(std::get<BadCommand>(parsed).why);
    return Wrong(std::move(why));
  }
  if (spec == nullptr) return Wrong(UnknownCommand(command->verb, desk_, actor));
  if (highest < spec->role) return Refuse(std::move(refusal), actor);

  // A service on which somebody has no role is not there for him.
  std::vector<std::string> seen;
  std::vector<std::string> allowed;
  for (std::string& name : desk_.manager.ServiceNames()) {
    const auto role = access.On(name, actor, scope.channel);
    if (role >= spec->role && scope.Has(name)) allowed.push_back(name);
    if (role) seen.push_back(std::move(name));
  }
  auto bound = BindArguments(*spec, *command, seen, scope, desk_.verbs);
  if (!bound) return Wrong(std::move(bound.error()));
  for (const std::string& service : bound->services) {
    const auto role = access.On(service, actor, scope.channel);
    if (role >= spec->role) continue;
    refusal.has = role;
    refusal.services.push_back(service);
  }
  if (!refusal.services.empty()) return Refuse(std::move(refusal), actor);
  if (const auto everywhere = access.Everywhere(actor, scope.channel); everywhere < spec->role) {
    refusal.has = everywhere;
    if (allowed.empty()) return Refuse(std::move(refusal), actor);
    scope.services = std::move(allowed);
  }

  Judgement judgement;
  judgement.decision = Decision::kAllowed;
  judgement.spec = spec;
  judgement.table = desk_.verbs.Table();
  judgement.arguments = std::move(*bound);
  judgement.scope = std::move(scope);
  judgement.role = *highest;
  return judgement;
}

Task<Message> Dispatcher::Run(Judgement judged, Actor actor) {
  const Request request{.desk = desk_,
                        .spec = *judged.spec,
                        .actor = actor,
                        .role = judged.role,
                        .scope = judged.scope,
                        .arguments = std::move(judged.arguments)};
  if (request.spec.run) co_return co_await HandleCustom(request);
  const auto handler = std::ranges::find(Handlers(), request.spec.name, &NamedHandler::verb);
  co_return co_await handler->run(request);
}

}  // namespace shipmate::chat
