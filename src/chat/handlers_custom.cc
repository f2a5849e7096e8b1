// The user's own commands.

#include "base/text.h"
#include "chat/custom_commands.h"
#include "chat/handlers.h"

namespace shipmate::chat {

Task<Message> HandleCustom(const Request& request) {
  // What is not about one service is about the machine.
  if (request.scope.Limited() && request.arguments.services.empty()) {
    Message message;
    message.headline.Plain(request.spec.name + " is not about one service; here you can touch only ");
    message.headline.Plain(base::Join(request.scope.services, ", "));
    co_return message;
  }
  co_return co_await request.desk.custom->Perform(request.spec, request.arguments, request.actor,
                                                  request.scope.channel);
}

Task<Message> HandleYes(const Request& request) {
  if (request.desk.custom == nullptr) {
    Message message;
    message.headline.Plain("nothing waits for a yes");
    co_return message;
  }
  co_return co_await request.desk.custom->Confirm(request.arguments.word, request.actor, request.scope.channel);
}

}  // namespace shipmate::chat
