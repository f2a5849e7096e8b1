#include "chat/handlers.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "chat/clean.h"

namespace shipmate::chat {

namespace {

// From this many names on they stand in rows instead of one below the other.
constexpr std::size_t kListedSingly = 20;
constexpr std::size_t kRowWidth = 60;

void AddNames(Message& message, const std::string& title, const std::vector<std::string>& names) {
  if (!names.empty()) message.lines.emplace_back(title + ": " + base::Join(names, ", "));
}

Message HelpOn(const Request& request) {
  const std::string word = base::ToLowerAscii(request.arguments.word);
  const config::CommandSpec* spec = request.desk.verbs.Find(word);
  Message message;
  if (spec == nullptr || !IsOffered(*spec, request.actor)) {
    message.headline.Plain("no command " + QuoteShort(request.arguments.word));
    const std::string nearest = base::Nearest(word, request.desk.verbs.Names());
    if (!nearest.empty()) message.headline.Plain("; did you mean ").Bold(nearest).Plain("?");
    return message;
  }
  message.headline.Code(spec->Usage());
  message.lines.emplace_back(spec->help);
  if (request.role < spec->role) message.lines.emplace_back(fmt::format("needs the role {}", RoleName(spec->role)));
  if (!spec->aliases.empty()) message.lines.emplace_back("also: " + base::Join(spec->aliases, ", "));
  const bool several = std::ranges::any_of(spec->arguments, [](const config::ArgumentSpec& argument) {
    return argument.kind == config::ArgumentSpec::Kind::kServices;
  });
  for (const config::FlagSpec& flag : spec->flags) {
    const std::string full = "--" + flag.name;
    const std::string usage = flag.Usage();
    message.lines.push_back(Text().Code(usage));
    if (!usage.starts_with(full)) message.lines.back().Plain(" or ").Code(full);
    message.lines.back().Plain(" " + flag.help);
  }
  for (const config::ArgumentSpec& argument : spec->arguments) {
    if (argument.choices.empty()) continue;
    message.lines.emplace_back(argument.name + ": one of " + base::Join(argument.choices, ", "));
  }
  if (spec->run && spec->run->confirm) message.lines.emplace_back("asks before it runs");
  if (several) message.lines.push_back(Text().Plain("several names, or a pattern such as ").Code("web*"));
  return message;
}

}  // namespace

const std::vector<NamedHandler>& Handlers() {
  static const std::vector<NamedHandler> handlers = {{"audit", HandleAudit},
                                                     {"cancel", HandleCancel},
                                                     {"confirm", HandleConfirm},
                                                     {"count", HandleCount},
                                                     {"decline", HandleDecline},
                                                     {"deploy", HandleDeploy},
                                                     {"deploy-log", HandleDeployLog},
                                                     {"deploys", HandleDeploys},
                                                     {"freeze", HandleFreeze},
                                                     {"help", HandleHelp},
                                                     {"history", HandleHistory},
                                                     {"list", HandleList},
                                                     {"logs", HandleLogs},
                                                     {"pending", HandlePending},
                                                     {"pull", HandlePull},
                                                     {"reload", HandleReload},
                                                     {"restart", HandleRestart},
                                                     {"rollback", HandleRollback},
                                                     {"start", HandleStart},
                                                     {"start-all", HandleStartAll},
                                                     {"status", HandleStatus},
                                                     {"stop", HandleStop},
                                                     {"stop-all", HandleStopAll},
                                                     {"unfreeze", HandleUnfreeze},
                                                     {"whoami", HandleWhoami},
                                                     {"why", HandleWhy},
                                                     {"yes", HandleYes}};
  return handlers;
}

bool IsOffered(const config::CommandSpec& spec, const Actor& actor) {
  const std::string_view place = actor.platform == "console" ? "console" : "chat";
  return spec.places.empty() || std::ranges::find(spec.places, place) != spec.places.end();
}

Task<Message> HandleHelp(const Request& request) {
  if (!request.arguments.word.empty()) co_return HelpOn(request);
  Message message;
  message.headline.Bold("Commands");
  for (const config::CommandSpec& spec : request.desk.verbs.All()) {
    if (!IsOffered(spec, request.actor) || request.role < spec.role) continue;
    message.lines.push_back(Text().Code(spec.Usage()).Plain(" " + spec.help));
  }
  co_return message;
}

Task<Message> HandleList(const Request& request) {
  std::vector<std::string> names;
  for (std::string& name : request.desk.manager.ServiceNames()) {
    if (request.scope.Has(name)) names.push_back(std::move(name));
  }
  Message message;
  message.headline.Plain(names.empty()
                             ? "No services configured."
                             : fmt::format("{} {}:", names.size(), names.size() == 1 ? "service" : "services"));
  std::string row;
  for (const std::string& name : names) {
    if (names.size() < kListedSingly || row.size() + name.size() > kRowWidth) {
      if (!row.empty()) message.lines.emplace_back(row);
      row.clear();
    }
    row += (row.empty() ? "" : ", ") + name;
  }
  if (!row.empty()) message.lines.emplace_back(row);
  co_return message;
}

Task<Message> HandleCount(const Request& request) {
  std::size_t running = 0;
  std::size_t total = 0;
  if (request.scope.Limited()) {
    for (const service::ServiceView& view : co_await request.desk.manager.Views()) {
      if (!request.scope.Has(view.name)) continue;
      ++total;
      if (view.state.status == "running") ++running;
    }
  } else {
    std::tie(running, total) = co_await request.desk.manager.CountRunning();
  }
  Message message;
  message.headline.Plain(fmt::format("{}/{} running", running, total));
  co_return message;
}

Task<Message> HandleReload(const Request& request) {
  Message message;
  if (request.scope.Limited()) {
    message.headline.Plain("reload concerns every service; here you can touch only ");
    message.headline.Plain(base::Join(request.scope.services, ", "));
    co_return message;
  }
  const auto outcome = co_await request.desk.reload();
  if (!outcome) {
    message.headline.Plain("Reload failed, nothing was changed:");
    for (const std::string& problem : outcome.error()) message.lines.emplace_back(problem);
    co_return message;
  }
  const service::ReloadResult& reloaded = outcome->services;
  std::vector<std::string> parts = outcome->also;
  const auto count = [&parts](const std::vector<std::string>& names, std::string_view what) {
    if (!names.empty()) parts.push_back(fmt::format("{} {}", names.size(), what));
  };
  count(reloaded.changed, "changed");
  count(reloaded.added, "new");
  count(reloaded.removed, "removed");
  std::string summary = parts.empty() ? "nothing changed" : base::Join(parts, ", ");
  const auto add = [&summary](const std::vector<std::string>& names, std::string_view done) {
    if (!names.empty()) summary += fmt::format("; {}: {}", done, base::Join(names, ", "));
  };
  add(reloaded.restarted, "restarted");
  add(reloaded.started, "started");
  add(reloaded.stopped, "stopped");
  message.headline.Plain("Config reloaded: " + summary);
  AddNames(message, "changed", reloaded.changed);
  AddNames(message, "new", reloaded.added);
  AddNames(message, "removed", reloaded.removed);
  for (const std::string& warning : reloaded.warnings) message.lines.emplace_back("warning: " + warning);
  co_return message;
}

}  // namespace shipmate::chat
