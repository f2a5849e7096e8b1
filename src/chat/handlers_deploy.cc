// Deploys: asking for one, confirming one, ending one.

#include <fmt/format.h>

#include "base/text.h"
#include "base/time_text.h"
#include "chat/handlers.h"

namespace shipmate::chat {

namespace {

// Who asked, as deploy records and notices show it.
std::string NameOf(const Actor& actor) {
  return actor.name.empty() ? actor.id : actor.name;
}

Text Requested(const std::string& name, const Result<service::DeployTicket>& ticket) {
  Text text;
  if (!ticket) return text.Plain("Deploy error: ").Bold(name).Plain(": " + ticket.error().what);
  if (ticket->merged) return text.Plain("A deploy of ").Bold(name).Plain(" waits already; this one joins it.");
  return text.Plain("Deploy requested for ").Bold(name).Plain(".");
}

}  // namespace

Task<Message> HandleDeploy(const Request& request) {
  std::vector<Text> answers;
  for (const std::string& name : request.arguments.services) {
    answers.push_back(Requested(name, request.desk.gate.RequestDeploy(name, NameOf(request.actor))));
  }
  Message message;
  message.headline = answers.front();
  message.lines.assign(answers.begin() + 1, answers.end());
  co_return message;
}

Task<Message> HandleConfirm(const Request& request) {
  const std::string& name = request.arguments.services.front();
  const auto ticket = request.desk.gate.Confirm(name, NameOf(request.actor));
  Message message;
  if (ticket) {
    message.headline.Plain("Confirmed deploy for ").Bold(name).Plain(".");
    co_return message;
  }
  if (ticket.error().code != Errc::kNotFound) {
    message.headline.Plain("Deploy error: ").Bold(name).Plain(": " + ticket.error().what);
    co_return message;
  }
  message.headline.Plain("No pending deploy confirmation for ").Bold(name).Plain(" (or it expired).");
  for (const gate::Pending& pending : request.desk.gate.ListPending()) {
    if (!request.scope.Has(pending.service)) continue;
    Text line;
    line.Plain("waiting: ").Bold(pending.service).Plain(", for " + base::FormatDuration(pending.left) + " more");
    message.lines.push_back(std::move(line));
  }
  co_return message;
}

Task<Message> HandleCancel(const Request& request) {
  const std::string& name = request.arguments.services.front();
  const auto cancelled = request.desk.manager.CancelDeploy(name);
  Message message;
  if (cancelled) {
    message.headline.Plain("Cancelling the deploy of ").Bold(name).Plain(".");
  } else if (cancelled.error().code == Errc::kNotFound) {
    message.headline.Bold(name).Plain(": no deploy is running");
  } else {
    message.headline.Bold(name).Plain(": " + cancelled.error().what);
  }
  co_return message;
}

}  // namespace shipmate::chat
