// Deploys that were: lists, and one with its steps.

#include <fmt/format.h>

#include "base/text.h"
#include "base/time_text.h"
#include "chat/clean.h"
#include "chat/handlers.h"
#include "history/deploys.h"
#include "os/files.h"

namespace shipmate::chat {

namespace {

constexpr std::size_t kUsually = 10;
constexpr std::size_t kMost = 50;
constexpr std::size_t kLongestPart = 80;
constexpr std::size_t kShortCommit = 7;
constexpr std::size_t kTailBytes = std::size_t{16} * 1024;

Message Said(std::string text) {
  Message message;
  message.headline.Plain(std::move(text));
  return message;
}

const char* Mark(const std::string& result) {
  if (result == "success") return "✓";
  if (result == "running") return "…";
  return "✗";
}

std::string Took(const deploy::Record& record) {
  if (record.ended == base::WallTime{}) return "running";
  return base::FormatDuration(record.ended - record.began);
}

// "✓ #12 api abc1234 fix it (alice, 12s, 3h ago)"
Text Line(const deploy::Record& record, base::WallTime now) {
  Text text;
  text.Plain(fmt::format("{} #{} ", Mark(record.result), record.id)).Bold(record.service);
  if (!record.commit.empty()) text.Plain(" ").Code(record.commit.substr(0, kShortCommit));
  if (!record.subject.empty()) text.Plain(" " + Shorten(record.subject, kLongestPart));
  text.Plain(fmt::format(" ({}, {}, {} ago)", Shorten(record.actor, kLongestPart), Took(record),
                         base::FormatDuration(now - record.began)));
  if (record.result != "success" && record.result != "running") text.Plain(": " + record.result);
  if (!record.failed_step.empty()) text.Plain(" at ").Code(Shorten(record.failed_step, kLongestPart));
  return text;
}

Message List(const Request& request, const std::string& service) {
  if (request.desk.deploys == nullptr) return Said("deploys are not recorded");
  const std::size_t count = std::min(request.arguments.number.value_or(kUsually), kMost);
  const auto records = request.desk.deploys->Latest(service, count);
  if (!records) return Said(records.error().what);
  Message message;
  for (const deploy::Record& record : *records) {
    if (request.scope.Has(record.service)) message.lines.push_back(Line(record, request.desk.clock.WallNow()));
  }
  if (message.lines.empty()) return Said("no deploys yet");
  message.headline.Plain(
      fmt::format("the last {}, the newest first; ",
                  message.lines.size() == 1 ? std::string("deploy") : fmt::format("{} deploys", message.lines.size())));
  message.headline.Code("deploy-log " + std::to_string(records->front().id)).Plain(" shows one");
  return message;
}

Text StepLine(const deploy::StepRecord& step) {
  Text text;
  text.Plain(step.failure.empty() ? "✓ " : "✗ ").Code(Shorten(step.text, kLongestPart));
  text.Plain(" " + (step.duration < std::chrono::seconds(1) ? fmt::format("{}ms", step.duration.count())
                                                            : base::FormatDuration(step.duration)));
  if (!step.failure.empty()) text.Plain(", " + Shorten(step.failure, kLongestPart));
  return text;
}

}  // namespace

Task<Message> HandleHistory(const Request& request) {
  co_return List(request, request.arguments.services.front());
}

Task<Message> HandleDeploys(const Request& request) {
  co_return List(request, "");
}

Task<Message> HandleDeployLog(const Request& request) {
  if (request.desk.deploys == nullptr) co_return Said("deploys are not recorded");
  const std::size_t id = request.arguments.number.value_or(0);
  const auto found = request.desk.deploys->Find(id);
  if (!found) co_return Said(found.error().what);
  if (!*found || !request.scope.Has((*found)->service)) co_return Said(fmt::format("no deploy {} is known", id));
  const deploy::Record& record = **found;
  Message message;
  message.headline = Line(record, request.desk.clock.WallNow());
  if (!record.branch.empty()) message.lines.emplace_back("branch " + Shorten(record.branch, kLongestPart));
  if (!record.note.empty()) message.lines.emplace_back(record.note);
  for (const deploy::StepRecord& step : record.steps) message.lines.push_back(StepLine(step));
  const std::string output = CleanBlock(os::ReadTail(record.log_file, kTailBytes));
  if (!output.empty()) message.code = output;
  co_return message;
}

}  // namespace shipmate::chat
