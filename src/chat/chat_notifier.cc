#include "chat/chat_notifier.h"

#include <fmt/format.h>

#include "base/text.h"
#include "base/time_text.h"
#include "chat/clean.h"

namespace shipmate::chat {

namespace {

// Of an ended process: enough to see why, not enough to fill the screen.
constexpr std::size_t kTailLines = 10;
// A step's text, and each part of a push, in a headline.
constexpr std::size_t kLongestStep = 200;
constexpr std::size_t kLongestPart = 100;
constexpr std::size_t kLongestCommitLine = 200;

std::string Part(const std::string& text) {
  return Shorten(text, kLongestPart);
}

std::string Lasting(std::chrono::milliseconds duration) {
  return duration < std::chrono::seconds(1) ? "less than 1s" : base::FormatDuration(duration);
}

// " (12s, alice)", of what is known.
std::string Remark(const service::DeployDetail& detail) {
  std::vector<std::string> parts;
  if (detail.duration.count() > 0) parts.push_back(Lasting(detail.duration));
  if (!detail.actor.empty()) parts.push_back(Part(detail.actor));
  return parts.empty() ? "" : fmt::format(" ({})", fmt::join(parts, ", "));
}

std::string DeployKey(const std::string& name, const service::DeployDetail& detail, std::string_view what) {
  return fmt::format("deploy:{}:{}:{}", name, detail.id, what);
}

}  // namespace

ChatNotifier::ChatNotifier(Outbox& outbox, const base::Clock& clock, std::string prefix)
    : outbox_(outbox), prefix_(std::move(prefix)), run_(clock.WallNow().time_since_epoch().count()) {}

std::string ChatNotifier::UniqueKey(const std::string& stem) {
  return fmt::format("{}:{}-{}", stem, run_, ++events_);
}

void ChatNotifier::ServiceEvent(const std::string& name, const std::string& event, const service::EventDetail& detail) {
  Message message;
  message.headline.Bold(name);
  const bool exited = event == "exited" || event == "failed";
  if (exited) {
    // A unit's end comes with systemd's word for it; "success" adds nothing.
    const bool told = !detail.reason.empty() && detail.reason != "success";
    message.headline.Plain(": ");
    if (event == "failed") message.headline.Plain("failed" + (told ? fmt::format(" ({})", detail.reason) : "") + ": ");
    message.headline.Plain(detail.exit ? detail.exit->Describe() : "exited");
    if (detail.uptime.count() > 0) message.headline.Plain(" after " + Lasting(detail.uptime));
    const std::string tail = CleanBlock(detail.log_tail);
    if (!tail.empty()) message.code = std::string(LastLines(tail, kTailLines));
  } else {
    // That it is restarted was told when it became unhealthy.
    if (event == "restarted" && detail.reason.starts_with("unhealthy: ")) return;
    message.headline.Plain(": " + (event == "healthy" ? "healthy again" : event));
    if (detail.reason == "outside") message.headline.Plain(", not by Shipmate");
    if (event == "unhealthy") message.headline.Plain(": " + Shorten(detail.reason, kLongestStep));
  }
  const bool health = event == "unhealthy" || event == "healthy";
  const std::string key = fmt::format("service:{}:{}:{}", name, detail.generation, event);
  outbox_.Notice("service", name, detail.generation == 0 || health ? UniqueKey(key) : key, message,
                 exited || event == "healthy" ? Repeat::kEverywhere : Repeat::kNotWhereAnswered);
}

void ChatNotifier::DeployStarted(const std::string& name, const service::DeployDetail& detail) {
  Message message;
  message.headline.Plain("Deploying ").Bold(name).Plain("..." + Remark(detail));
  outbox_.Notice("deploy", name, DeployKey(name, detail, "started"), message);
}

void ChatNotifier::DeploySucceeded(const std::string& name, const std::string& /*output*/,
                                   const service::DeployDetail& detail) {
  Message message;
  message.headline.Plain("Deploy of ").Bold(name).Plain(" succeeded." + Remark(detail));
  outbox_.Notice("deploy", name, DeployKey(name, detail, "succeeded"), message);
}

void ChatNotifier::DeployFailed(const std::string& name, const std::string& step, const std::string& output,
                                const service::DeployDetail& detail) {
  Message message;
  message.headline.Plain("Deploy of ").Bold(name).Plain(" failed at step ").Code(Shorten(step, kLongestStep));
  message.headline.Plain("." + Remark(detail));
  if (!output.empty()) message.code = output;
  outbox_.Notice("deploy", name, DeployKey(name, detail, "failed"), message);
}

void ChatNotifier::WebhookReceived(const std::string& name, const service::WebhookInfo& info) {
  Message message;
  message.headline.Plain("Webhook for ").Bold(name).Plain(": ");
  if (info.commit_id.empty()) {
    message.headline.Plain("push to ").Code(Part(info.branch));
    if (!info.pusher.empty()) message.headline.Plain(" by " + Part(info.pusher));
  } else {
    message.headline.Link(Part(info.repo) + "@" + info.ShortSHA(), info.commit_url);
    message.headline.Plain(" on ").Code(Part(info.branch));
    if (!info.author.empty()) message.headline.Plain(" by " + Part(info.author));
    const std::string subject = Shorten(info.ShortMessage(), kLongestCommitLine);
    if (!subject.empty()) message.lines.push_back(Text("> " + subject));
    if (!info.compare.empty()) message.lines.push_back(Text().Link("compare", info.compare));
  }
  outbox_.Notice("webhook", name, UniqueKey(fmt::format("webhook:{}:{}", name, info.ShortSHA())), message);
}

void ChatNotifier::ConfirmationRequested(const std::string& name, const service::WebhookInfo& info,
                                         std::chrono::seconds ttl) {
  Message message;
  message.headline.Plain("Deploy of ").Bold(name).Plain(" waits for a confirmation (repo " + Part(info.repo));
  message.headline.Plain(", branch ").Code(Part(info.branch));
  if (!info.commit_id.empty()) {
    message.headline.Plain(", commit ").Link(info.ShortSHA(), info.commit_url);
    if (!info.author.empty()) message.headline.Plain(" by " + Part(info.author));
  }
  message.headline.Plain("). Answer ").Code(prefix_ + "confirm " + name);
  message.headline.Plain(" within " + base::FormatDuration(ttl) + ".");
  outbox_.Notice("deploy", name, UniqueKey(fmt::format("confirm:{}:{}", name, info.ShortSHA())), message);
}

}  // namespace shipmate::chat
