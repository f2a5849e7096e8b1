#include "chat/deploy_progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/time_text.h"
#include "chat/clean.h"

namespace shipmate::chat {

namespace {

constexpr std::size_t kLongestStep = 80;
constexpr std::size_t kLongestPart = 100;
constexpr std::size_t kShortCommit = 7;
// Of the steps that are done, the last ones are shown.
constexpr std::size_t kShownSteps = 5;

std::string Took(std::chrono::milliseconds duration) {
  return duration < std::chrono::seconds(1) ? "less than 1s" : base::FormatDuration(duration);
}

}  // namespace

std::string DeployPost(const std::string& service, std::uint64_t id) {
  return fmt::format("deploy:{}:{}", service, id);
}

std::string DeployRemark(const std::string& lasted, const std::string& commit, const std::string& actor) {
  std::vector<std::string> parts;
  if (!lasted.empty()) parts.push_back(lasted);
  if (!commit.empty()) parts.push_back(Shorten(commit.substr(0, kShortCommit), kLongestPart));
  if (!actor.empty()) parts.push_back(Shorten(actor, kLongestPart));
  return parts.empty() ? "" : fmt::format(" ({})", fmt::join(parts, ", "));
}

void DeployProgress::Take(const deploy::Record& record) {
  if (record.ended != base::WallTime()) return Forget(record.id);
  running_[record.id].record = record;
}

void DeployProgress::Take(const service::DeployNews& news, base::SteadyTime now) {
  const auto entry = running_.find(news.id);
  if (entry == running_.end()) return;
  entry->second.step = news.step;
  entry->second.record.planned = news.steps;
  entry->second.step_text = news.step_text;
  entry->second.done_before = entry->second.record.steps.size();
  entry->second.step_began = now;
}

std::vector<std::uint64_t> DeployProgress::Running() const {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, entry] : running_) ids.push_back(id);
  return ids;
}

std::string DeployProgress::ServiceOf(std::uint64_t id) const {
  const auto entry = running_.find(id);
  return entry == running_.end() ? "" : entry->second.record.service;
}

bool DeployProgress::StepsDone(std::uint64_t id) const {
  const auto found = running_.find(id);
  if (found == running_.end()) return false;
  const Entry& entry = found->second;
  const auto& steps = entry.record.steps;
  return entry.step > 0 && entry.step == entry.record.planned && steps.size() > entry.done_before &&
         steps.back().failure.empty();
}

std::optional<Message> DeployProgress::Describe(std::uint64_t id, base::SteadyTime now) const {
  const auto found = running_.find(id);
  if (found == running_.end() || found->second.step == 0) return std::nullopt;
  const Entry& entry = found->second;
  const deploy::Record& record = entry.record;
  const std::size_t done = record.steps.size();
  const bool over = done > entry.done_before;
  // Its result follows.
  if (over && !record.steps.back().failure.empty()) return std::nullopt;
  // The steps of going back come behind the one that failed.
  const bool going_back = std::ranges::any_of(record.steps, [](const auto& step) { return !step.failure.empty(); });

  Message message;
  message.headline.Plain(going_back ? "Going back with " : "Deploying ").Bold(record.service).Plain(": ");
  if (over && entry.step == record.planned) {
    message.headline.Plain("the steps are done, now it has to come up");
  } else {
    message.headline.Plain(fmt::format("step {} of {}, ", entry.step, record.planned));
    message.headline.Code(Shorten(entry.step_text, kLongestStep));
    const auto lasting = std::chrono::duration_cast<std::chrono::milliseconds>(now - entry.step_began);
    if (lasting >= std::chrono::seconds(1)) message.headline.Plain(", for " + base::FormatDuration(lasting));
  }
  message.headline.Plain(DeployRemark("", record.commit, record.actor));
  const std::size_t first = done > kShownSteps ? done - kShownSteps : 0;
  if (first > 0)
    message.lines.emplace_back(fmt::format("{} before", first == 1 ? "1 step" : fmt::format("{} steps", first)));
  for (std::size_t i = first; i < done; ++i) {
    const deploy::StepRecord& step = record.steps[i];
    message.lines.push_back(Text()
                                .Plain(step.failure.empty() ? "\u2713 " : "\u2717 ")
                                .Code(Shorten(step.text, kLongestStep))
                                .Plain(" " + Took(step.duration)));
  }
  message.stage = Message::Stage::kPassing;
  return message;
}

}  // namespace shipmate::chat
