#include "chat/dispatcher.h"

#include <algorithm>

#include "base/text.h"
#include "chat/arguments.h"
#include "chat/clean.h"
#include "chat/handlers.h"

namespace shipmate::chat {

Task<Message> Dispatcher::Dispatch(Command command, Actor actor, Scope scope) {
  const config::CommandSpec* spec = desk_.verbs.Find(command.verb);
  const auto handler = std::ranges::find_if(
      Handlers(), [&](const NamedHandler& candidate) { return spec != nullptr && candidate.verb == spec->name; });
  if (handler == Handlers().end() || !IsOffered(*spec, actor)) {
    Message message;
    message.headline.Plain("unknown command " + QuoteShort(command.verb));
    const std::string nearest = base::Nearest(command.verb, desk_.verbs.Names());
    if (nearest.empty()) {
      message.headline.Plain("; try ").Code("help");
    } else {
      message.headline.Plain("; did you mean ").Bold(nearest).Plain("?");
    }
    co_return message;
  }
  auto bound = BindArguments(*spec, command, desk_.manager.ServiceNames(), scope, desk_.verbs);
  if (!bound) co_return std::move(bound.error());
  const Request request{.desk = desk_, .spec = *spec, .actor = actor, .scope = scope, .arguments = std::move(*bound)};
  co_return co_await handler->run(request);
}

}  // namespace shipmate::chat
