// Deploys that were: lists, and one with its steps.

#include <fmt/format.h>

#include <algorithm>

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

Message NotRecorded() {
  return Said("Deploys are not recorded: their database could not be opened. Shipmate's log tells why.");
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

// "fix it, alice", "failed at make, alice"
std::string What(const deploy::Record& record) {
  std::string what = record.subject;
  if (record.result != "success") {
    what = record.result;
    if (!record.failed_step.empty()) what += " at " + record.failed_step;
  }
  return Shorten(what + (what.empty() ? "" : ", ") + record.actor, kLongestPart);
}

// Of `service`, or of all.
Message List(const Request& request, const std::string& service) {
  if (request.desk.deploys == nullptr) return NotRecorded();
  const std::size_t count = std::min(request.arguments.number.value_or(kUsually), kMost);
  const auto records = request.desk.deploys->Latest(service, count);
  if (!records) return Said(records.error().what);
  Message message;
  message.table.rows.push_back({"", "deploy", service.empty() ? "service" : "commit", "ago", "what"});
  std::uint64_t newest = 0;
  for (const deploy::Record& record : *records) {
    if (!request.scope.Has(record.service)) continue;
    newest = std::max(newest, record.id);
    message.table.rows.push_back(
        {Mark(record.result), fmt::format("#{}", record.id),
         service.empty() ? record.service : base::EscapeControls(record.commit.substr(0, kShortCommit)),
         base::FormatDuration(request.desk.clock.WallNow() - record.began), What(record)});
  }
  if (newest == 0) return Said("No deploys yet.");
  const std::size_t shown = message.table.rows.size() - 1;
  if (service.empty()) {
    message.headline.Plain(shown == 1 ? "The last deploy; " : fmt::format("The last {} deploys; ", shown));
  } else {
    message.headline.Plain(shown == 1 ? "The last deploy of " : fmt::format("The last {} deploys of ", shown));
    message.headline.Bold(service).Plain("; ");
  }
  message.headline.Code(AsTyped(request.desk, request.actor, "deploy-log " + std::to_string(newest)));
  message.headline.Plain(" shows one.");
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
  if (request.desk.deploys == nullptr) co_return NotRecorded();
  const std::size_t id = request.arguments.number.value_or(0);
  const auto found = request.desk.deploys->Find(id);
  if (!found) co_return Said(found.error().what);
  if (!*found || !request.scope.Has((*found)->service)) co_return Said(fmt::format("No deploy {} is on record.", id));
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
