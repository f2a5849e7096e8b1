// Status: what the services are doing, and which frontends are not well.

#include <algorithm>

#include "chat/clean.h"
#include "chat/handlers.h"
#include "chat/status_text.h"

namespace shipmate::chat {

namespace {

constexpr std::size_t kLongestReason = 200;

void AddFrontends(Message& message, const Desk& desk) {
  if (!desk.frontends) return;
  for (const auto& [name, health] : desk.frontends()) {
    if (health.connection != Connection::kFailed && health.connection != Connection::kConnecting) continue;
    std::string line = name + (health.connection == Connection::kFailed ? ": failed" : ": connecting");
    if (!health.reason.empty()) line += ": " + Shorten(health.reason, kLongestReason);
    message.lines.emplace_back(std::move(line));
  }
}

}  // namespace

Task<Message> HandleStatus(const Request& request) {
  const std::vector<std::string>& wanted = request.arguments.services;
  if (wanted.size() == 1) {
    const auto view = co_await request.desk.manager.View(wanted.front());
    const auto use = co_await request.desk.manager.Use(wanted.front());
    if (view) co_return StatusDetails(*view, request.desk.clock, use, AsTyped(request.desk, request.actor, ""));
    Message message;
    message.headline.Bold(wanted.front()).Plain(": removed meanwhile");
    co_return message;
  }
  std::vector<service::ServiceView> views = co_await request.desk.manager.Views();
  std::erase_if(views, [&](const service::ServiceView& view) {
    return !request.scope.Has(view.name) || (!wanted.empty() && std::ranges::find(wanted, view.name) == wanted.end());
  });
  Message message = StatusOverview(std::move(views), AsTyped(request.desk, request.actor, ""));
  if (wanted.empty()) AddFrontends(message, request.desk);
  co_return message;
}

}  // namespace shipmate::chat
