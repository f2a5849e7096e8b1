#include "gate/texts.h"

#include <fmt/format.h>

#include "base/text.h"
#include "base/time_text.h"

namespace shipmate::gate {

namespace {

// Names come from outside, and stand in one line of a message.
constexpr std::size_t kNameRunes = 80;

std::string OneLine(std::string_view text) {
  return base::EscapeControls(base::FirstRunes(base::Trim(text), kNameRunes));
}

}  // namespace

std::string Short(const std::string& commit) {
  constexpr std::size_t kLength = 7;
  return OneLine(commit.substr(0, kLength));
}

std::string PushActor(const service::WebhookInfo& info) {
  const std::string& who = info.pusher.empty() ? info.author : info.pusher;
  if (base::Trim(who).empty()) return "push";
  return "push by " + OneLine(who);
}

std::string DescribePush(const PushRequest& push) {
  const service::WebhookInfo& info = push.info;
  std::string text = push.deleted ? "deletion" : "push";
  if (!info.commit_id.empty()) text += " of " + Short(info.commit_id);
  text += (push.deleted ? " of " : " to ") + OneLine(info.branch.empty() ? push.ref : info.branch);
  if (!info.pusher.empty()) text += " by " + OneLine(info.pusher);
  return text;
}

std::string DescribeTarget(const Wish& wish) {
  const std::string& commit = wish.info.commit_id;
  const std::string& branch = wish.info.branch;
  if (commit.empty()) return branch.empty() ? fmt::format("#{}", wish.id) : "the newest of " + OneLine(branch);
  return branch.empty() ? Short(commit) : fmt::format("{} ({})", Short(commit), OneLine(branch));
}

std::string TokenOf(const Wish& wish) {
  return wish.info.commit_id.empty() ? fmt::format("#{}", wish.id) : Short(wish.info.commit_id);
}

std::string Ago(base::WallTime then, base::WallTime now) {
  const auto passed = now - then;
  if (passed < std::chrono::seconds(1)) return "just now";
  return base::FormatDuration(passed) + " ago";
}

}  // namespace shipmate::gate
