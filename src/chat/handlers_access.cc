// Who may what, and who did what.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/text.h"
#include "base/time_text.h"
#include "chat/clean.h"
#include "chat/handlers.h"

namespace shipmate::chat {

namespace {

constexpr std::size_t kUsualRows = 10;
constexpr std::size_t kMostRows = 50;
constexpr std::size_t kLongestPart = 100;
constexpr std::size_t kShownRoles = 10;

// Whatever somebody called himself or typed, a record is one line.
std::string Part(const std::string& text) {
  return Shorten(base::EscapeControls(text), kLongestPart);
}

Text Line(const history::CommandRecord& record, const base::Clock& clock) {
  Text line;
  line.Plain(base::FormatDuration(clock.WallNow() - record.at) + " ago ").Bold(Part(record.actor_name));
  line.Plain(fmt::format(" ({} {}, in {}) ", record.platform, Part(record.actor_id), Part(record.channel)));
  line.Code(Part(record.text)).Plain(": ");
  if (record.decision != "allowed") return line.Plain(Part(record.decision));
  return line.Plain(record.result.empty() ? "not answered yet" : Part(record.result));
}

}  // namespace

Task<Message> HandleAudit(const Request& request) {
  Message message;
  const std::size_t count = request.arguments.number.value_or(kUsualRows);
  if (count > kMostRows) co_return Usage(request.spec, fmt::format("at most {} lines", kMostRows));
  if (request.scope.Limited()) {
    message.headline.Plain("audit concerns every service; here you can touch only ");
    message.headline.Plain(base::Join(request.scope.services, ", "));
    co_return message;
  }
  if (request.desk.audit == nullptr) {
    message.headline.Plain("there is no audit trail: " + request.desk.unrecorded);
    co_return message;
  }
  const auto rows = request.desk.audit->Latest(count);
  if (!rows) {
    message.headline.Plain("the audit trail cannot be read: " + rows.error().what);
    co_return message;
  }
  message.headline.Plain(fmt::format("The last {} commands, the newest first:", rows->size()));
  for (const history::CommandRecord& row : *rows) message.lines.push_back(Line(row, request.desk.clock));
  co_return message;
}

Task<Message> HandleWhoami(const Request& request) {
  const Actor& actor = request.actor;
  Message message;
  message.headline.Plain("You are ").Bold(Part(actor.name)).Plain(fmt::format(", {} id ", actor.platform));
  message.headline.Code(Part(actor.id)).Plain(".");
  const std::string& channel = request.scope.channel;
  Text role("Your role here: ");
  const auto everywhere = request.desk.access.Everywhere(actor, channel);
  if (everywhere) role.Bold(std::string(RoleName(*everywhere)));
  // A role for some services shows where it is more than that.
  std::map<config::Role, std::vector<std::string>> higher;
  for (const std::string& service : request.desk.manager.ServiceNames()) {
    const auto on = request.desk.access.On(service, actor, channel);
    if (on > everywhere) higher[*on].push_back(service);
  }
  bool first = !everywhere;
  for (const auto& [what, services] : higher) {
    role.Plain(std::exchange(first, false) ? "" : "; ").Bold(std::string(RoleName(what)));
    role.Plain(" on " + Shorten(base::Join(services, ", "), kLongestPart));
  }
  message.lines.push_back(std::move(role));
  if (!actor.roles.empty()) {
    std::vector<std::string> shown(actor.roles.begin(), actor.roles.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                                  actor.roles.size(), kShownRoles)));
    message.lines.emplace_back("Role ids: " + base::Join(shown, ", ") +
                               (shown.size() < actor.roles.size() ? ", ..." : ""));
  }
  co_return message;
}

}  // namespace shipmate::chat
