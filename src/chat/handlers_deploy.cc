// Deploys: asking for one, answering for one, ending one, and why nothing happened.

#include <fmt/format.h>

#include <optional>

#include "base/text.h"
#include "base/time_text.h"
#include "chat/clean.h"
#include "chat/deploy_progress.h"
#include "chat/handlers.h"

namespace shipmate::chat {

namespace {

using gate::DeployAnswer;

constexpr std::size_t kLongestVerdict = 300;
constexpr std::size_t kShownVerdicts = 8;

Text Problem(const std::string& name, const Error& error) {
  return Text().Plain("Deploy error: ").Bold(name).Plain(": " + error.what);
}

// Open questions about what can be seen from here; without any, no rows at all.
Table OpenQuestions(const Request& request) {
  Table table;
  for (const gate::Pending& pending : request.desk.gate.ListPending()) {
    if (!request.scope.Has(pending.service)) continue;
    if (table.rows.empty()) table.rows.push_back({"service", "commit", "left", "who"});
    const service::WebhookInfo& info = pending.wish.info;
    table.rows.push_back({pending.service, info.commit_id.empty() ? "-" : info.ShortSHA(),
                          base::FormatDuration(pending.left), pending.wish.actor});
  }
  return table;
}

Message NothingPending(const Request& request, const std::string& name) {
  Message message;
  message.headline.Plain("No pending deploy confirmation for ").Bold(name).Plain(" (or it expired).");
  message.table = OpenQuestions(request);
  if (!message.table.rows.empty()) message.lines.emplace_back("What waits:");
  return message;
}

Message Said(Text text) {
  Message message;
  message.headline = std::move(text);
  return message;
}

}  // namespace

gate::Person PersonOf(const Actor& actor) {
  return {.platform = actor.platform, .id = actor.id, .name = actor.name};
}

std::expected<gate::Asking, Message> AskingOf(const Request& request, const std::string& service) {
  if (request.arguments.Flag("yes") == nullptr) return gate::Asking::kAsUsual;
  if (request.desk.access.On(service, request.actor, request.scope.channel) == config::Role::kAdmin) {
    return gate::Asking::kSkipped;
  }
  return std::unexpected(Said(Problem(service, {.code = Errc::kRefused, .what = "--yes is for admins"})));
}

Text DeployAnswered(const std::string& name, const Result<DeployAnswer>& answer) {
  Text text;
  if (!answer) return Problem(name, answer.error());
  switch (answer->kind) {
    case DeployAnswer::Kind::kJoined:
      return text.Plain("A deploy of ").Bold(name).Plain(" waits already; this one joins it.");
    case DeployAnswer::Kind::kAwaitsConfirmation:
      return text.Plain("Deploy of ").Bold(name).Plain(" waits for a confirmation.");
    case DeployAnswer::Kind::kQueued:
      break;
  }
  text.Plain("Deploy requested for ").Bold(name);
  return text.Plain(answer->behind.empty() ? "." : "; it waits: " + answer->behind + ".");
}

Task<Message> HandleDeploy(const Request& request) {
  const FlagValue* branch = request.arguments.Flag("branch");
  const FlagValue* commit = request.arguments.Flag("commit");
  std::vector<Text> answers;
  std::string post;
  for (const std::string& name : request.arguments.services) {
    const auto asking = AskingOf(request, name);
    if (!asking) {
      answers.push_back(asking.error().headline);
      continue;
    }
    const auto answer = co_await request.desk.gate.RequestDeploy({.service = name,
                                                                  .person = PersonOf(request.actor),
                                                                  .asking = *asking,
                                                                  .branch = branch == nullptr ? "" : branch->text,
                                                                  .commit = commit == nullptr ? "" : commit->text});
    answers.push_back(DeployAnswered(name, answer));
    if (answer && answer->kind == DeployAnswer::Kind::kQueued) post = DeployPost(name, answer->id);
  }
  Message message;
  // One wish, one post: what becomes of it is told there.
  if (answers.size() == 1) message.edit_key = std::move(post);
  message.headline = answers.front();
  message.lines.assign(answers.begin() + 1, answers.end());
  co_return message;
}

Task<Message> HandleConfirm(const Request& request) {
  const std::string& name = request.arguments.services.front();
  const auto answer = request.desk.gate.Confirm(name, PersonOf(request.actor), request.arguments.word);
  if (!answer && answer.error().code == Errc::kNotFound) co_return NothingPending(request, name);
  if (!answer) co_return Said(Problem(name, answer.error()));
  Text text;
  text.Plain("Confirmed deploy for ").Bold(name);
  if (!answer->behind.empty()) text.Plain("; it waits: " + answer->behind);
  co_return Said(text.Plain("."));
}

Task<Message> HandleDecline(const Request& request) {
  const std::string& name = request.arguments.services.front();
  const auto declined = request.desk.gate.Decline(name, PersonOf(request.actor), request.arguments.word);
  if (!declined && declined.error().code == Errc::kNotFound) co_return NothingPending(request, name);
  if (!declined) co_return Said(Problem(name, declined.error()));
  co_return Said(Text().Plain("Declined the deploy of ").Bold(name).Plain("."));
}

Task<Message> HandlePending(const Request& request) {
  Message message;
  message.table = OpenQuestions(request);
  const std::size_t count = message.table.rows.empty() ? 0 : message.table.rows.size() - 1;
  message.headline.Plain(count == 0   ? "No deploy waits for a confirmation."
                         : count == 1 ? "1 deploy waits for a confirmation:"
                                      : fmt::format("{} deploys wait for a confirmation:", count));
  co_return message;
}

Task<Message> HandleCancel(const Request& request) {
  const std::string& name = request.arguments.services.front();
  const auto cancelled = request.desk.gate.Cancel(name, PersonOf(request.actor));
  if (cancelled) co_return Said(Text().Plain(*cancelled).Bold(name).Plain("."));
  if (cancelled.error().code == Errc::kNotFound) co_return Said(Text().Bold(name).Plain(": no deploy is running"));
  co_return Said(Text().Bold(name).Plain(": " + cancelled.error().what));
}

Task<Message> HandleWhy(const Request& request) {
  const std::string& name = request.arguments.services.front();
  const auto verdicts = request.desk.gate.Why(name);
  Message message;
  message.headline.Bold(name).Plain(verdicts.empty() ? ": nothing was decided about deploys of it yet"
                                                     : ": what was decided, the newest first");
  for (const gate::Verdict& verdict : verdicts) {
    if (message.lines.size() == kShownVerdicts) break;
    message.lines.emplace_back(base::FormatDuration(request.desk.clock.WallNow() - verdict.at) +
                               " ago: " + Shorten(verdict.text, kLongestVerdict));
  }
  co_return message;
}

}  // namespace shipmate::chat
