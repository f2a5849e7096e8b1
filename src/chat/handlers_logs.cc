// What looks into the logs.

#include <fmt/format.h>

#include "async/deadline.h"
#include "chat/clean.h"
#include "chat/handlers.h"

namespace shipmate::chat {

namespace {

// What a log answer holds when no number was given: what fits the smallest platform.
constexpr std::size_t kLogBytes = 1500;
constexpr std::size_t kLogLines = 1000;
// Enough for any line of a log that a person looks for, and a bound on the work.
constexpr std::size_t kLongestText = 200;
// --follow: as long as a person waits for an answer, and, once there is something, for what comes with it.
constexpr std::chrono::seconds kFollowLimit{30};
constexpr std::chrono::seconds kGatherLimit{2};
constexpr std::chrono::milliseconds kFollowStep{500};

std::string WrongUse(const Request& request) {
  const Bound& arguments = request.arguments;
  if (arguments.number && *arguments.number > kLogLines) return fmt::format("at most {} lines", kLogLines);
  if (const FlagValue* text = arguments.Flag("grep"); text != nullptr && text->text.size() > kLongestText) {
    return fmt::format("--grep takes at most {} characters", kLongestText);
  }
  if (arguments.Flag("follow") != nullptr && arguments.Flag("previous") != nullptr) {
    return "--follow is for the run that goes on, not for --previous ones";
  }
  return "";
}

service::LogQuery MakeQuery(const Bound& arguments) {
  service::LogQuery query;
  query.bytes = kLogBytes;
  query.lines = arguments.number;
  if (const FlagValue* text = arguments.Flag("grep")) query.text = text->text;
  if (const FlagValue* since = arguments.Flag("since")) query.since = since->duration;
  if (const FlagValue* previous = arguments.Flag("previous")) query.previous = previous->number;
  return query;
}

// Waits until something is written behind `answer`, and gathers what follows at once.
Task<Result<service::LogAnswer>> Follow(const Request& request, service::LogQuery query, service::LogAnswer answer) {
  query.from_file = answer.file.empty() ? "none yet" : answer.file;
  query.from = answer.end;
  query.since.reset();
  service::LogAnswer latest;
  auto limit = std::chrono::ceil<std::chrono::milliseconds>(kFollowLimit);
  for (std::chrono::milliseconds waited{0}; waited < limit; waited += kFollowStep) {
    co_await async::Sleep(kFollowStep);
    auto read = co_await request.desk.manager.ReadLog(request.arguments.services.front(), query);
    if (!read) co_return read;
    if (!read->text.empty() && latest.text.empty()) limit = std::min(limit, waited + kGatherLimit);
    latest = *std::move(read);
  }
  co_return latest;
}

Text Headline(const Request& request, const service::LogQuery& query, std::size_t lines) {
  Text headline;
  headline.Bold(request.arguments.services.front());
  const std::string with = query.text.empty() ? "" : " with " + QuoteShort(query.text);
  if (lines == 0) {
    headline.Plain(query.text.empty() && !query.since ? ": no logs" : ": no lines" + with);
  } else {
    headline.Plain(lines == 1 ? ": last line" + with : fmt::format(": last {} lines{}", lines, with));
  }
  return headline;
}

void AddLog(const Request& request, const service::LogQuery& query, const service::LogAnswer& answer,
            Message& message) {
  const std::string clean = CleanBlock(answer.text);
  const std::string_view tail = query.lines ? LastLines(clean, *query.lines) : std::string_view(clean);
  message.headline = Headline(request, query, tail.empty() ? 0 : CountLines(tail));
  for (const std::string& note : answer.notes) message.lines.emplace_back(note);
  if (!tail.empty()) message.code = std::string(tail);
}

}  // namespace

Task<Message> HandleLogs(const Request& request) {
  if (std::string wrong = WrongUse(request); !wrong.empty()) co_return Usage(request.spec, std::move(wrong));
  const std::string& name = request.arguments.services.front();
  const service::LogQuery query = MakeQuery(request.arguments);
  const bool follow = request.arguments.Flag("follow") != nullptr;
  const bool console = request.actor.platform == "console";
  auto log = co_await request.desk.manager.ReadLog(name, query);
  if (log && follow && console) log = co_await Follow(request, query, *std::move(log));

  Message message;
  if (!log) {
    message.headline.Bold(name).Plain(": logs error: " + log.error().what);
    co_return message;
  }
  AddLog(request, query, *log, message);
  if (follow && console && !message.code) {
    message.headline = Text().Bold(name).Plain(fmt::format(": nothing new within {} seconds", kFollowLimit.count()));
  } else if (follow && !console) {
    message.lines.emplace_back("this place cannot follow a log; ask again for what comes later");
  }
  co_return message;
}

}  // namespace shipmate::chat
