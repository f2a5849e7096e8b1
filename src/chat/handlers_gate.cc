// Going back to an earlier deploy, and keeping deploys from happening.

#include <algorithm>

#include "base/time_text.h"
#include "chat/handlers.h"

namespace shipmate::chat {

namespace {

Message Said(Text text) {
  Message message;
  message.headline = std::move(text);
  return message;
}

Text& AddWhom(Text& text, const std::string& name) {
  return name.empty() ? text.Plain("all services") : text.Bold(name);
}

// All services are more than what can be reached from a limited place.
std::optional<Message> RefuseAll(const Request& request, const std::string& name) {
  if (!name.empty() || !request.scope.Limited()) return std::nullopt;
  return Said(Text("name a service: from here not all can be reached"));
}

std::string ServiceOf(const Request& request) {
  return request.arguments.services.empty() ? "" : request.arguments.services.front();
}

}  // namespace

Task<Message> HandleRollback(const Request& request) {
  const std::string name = ServiceOf(request);
  const auto asking = AskingOf(request, name);
  if (!asking) co_return asking.error();
  const auto answer = co_await request.desk.gate.RequestRollback({.service = name,
                                                                  .person = PersonOf(request.actor),
                                                                  .to = request.arguments.number.value_or(0),
                                                                  .asking = *asking});
  Message message = Said(DeployAnswered(name, answer));
  if (!answer) co_return message;
  Text which;
  which.Plain("going back to ").Code(answer->wish.info.ShortSHA());
  if (!answer->wish.info.commit_msg.empty()) which.Plain(" " + answer->wish.info.ShortMessage());
  message.lines.push_back(std::move(which));
  message.lines.push_back(
      Text().Plain("pushes are held back until ").Code(AsTyped(request.desk, request.actor, "unfreeze " + name)));
  co_return message;
}

Task<Message> HandleFreeze(const Request& request) {
  const std::string name = ServiceOf(request);
  if (auto refused = RefuseAll(request, name)) co_return *std::move(refused);
  const gate::Person person = PersonOf(request.actor);
  gate::Freeze freeze{.service = name, .reason = "", .actor = person.Shown(), .actor_id = person.Key()};
  if (const FlagValue* reason = request.arguments.Flag("reason")) freeze.reason = reason->text;
  if (const FlagValue* length = request.arguments.Flag("for")) {
    freeze.until = request.desk.clock.WallNow() + length->duration;
  }
  if (const auto frozen = request.desk.gate.SetFreeze(freeze); !frozen) {
    co_return Said(Text("Freeze error: " + frozen.error().what));
  }
  Text text;
  AddWhom(text.Plain("Deploys of "), name).Plain(" are frozen; what is pushed is remembered. ");
  text.Code(AsTyped(request.desk, request.actor, name.empty() ? "unfreeze" : "unfreeze " + name)).Plain(" ends it.");
  co_return Said(std::move(text));
}

Task<Message> HandleUnfreeze(const Request& request) {
  const std::string name = ServiceOf(request);
  if (auto refused = RefuseAll(request, name)) co_return *std::move(refused);
  const gate::Person person = PersonOf(request.actor);
  const auto freezes = request.desk.gate.ListFreezes();
  const auto own = std::ranges::find(freezes, name, &gate::Freeze::service);
  const bool admin = name.empty()
                         ? request.role == config::Role::kAdmin
                         : request.desk.access.On(name, request.actor, request.scope.channel) == config::Role::kAdmin;
  if (own != freezes.end() && own->actor_id != person.Key() && !admin) {
    co_return Said(Text("frozen by " + own->actor + ": they or an admin can end it"));
  }
  if (const auto ended = request.desk.gate.EndFreeze(name, person); !ended) {
    co_return Said(Text(ended.error().what));
  }
  Text text;
  co_return Said(AddWhom(text.Plain("Deploys again of "), name).Plain("."));
}

}  // namespace shipmate::chat
