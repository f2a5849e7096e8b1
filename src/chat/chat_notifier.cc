#include "chat/chat_notifier.h"

#include <fmt/format.h>

#include <boost/asio/this_coro.hpp>
#include <utility>

#include "async/deadline.h"
#include "base/text.h"
#include "base/time_text.h"
#include "chat/clean.h"
#include "chat/command.h"
#include "chat/deploy_text.h"

namespace shipmate::chat {

namespace {

// Of an ended process: enough to see why, not enough to fill the screen.
constexpr std::size_t kTailLines = 10;
// A loop that goes on is told anew after this long.
constexpr std::chrono::minutes kTellAgain{5};
// A step's text, and each part of a push, in a headline.
constexpr std::size_t kLongestStep = 200;
constexpr std::size_t kLongestPart = 100;
constexpr std::size_t kLongestCommitLine = 200;
// How old the time of a running step in a post may be.
constexpr std::chrono::seconds kTimeInterval{10};

std::string Part(const std::string& text) {
  return Shorten(text, kLongestPart);
}

std::string Lasting(std::chrono::milliseconds duration) {
  return duration < std::chrono::seconds(1) ? "less than 1s" : base::FormatDuration(duration);
}

std::string Moment(std::chrono::milliseconds duration) {
  return duration < std::chrono::seconds(1) ? fmt::format("{}ms", duration.count()) : base::FormatDuration(duration);
}

// "killed by SIGSEGV after 3s", "start failed: ...".
std::string HowItEnded(const service::EventDetail& detail) {
  if (!detail.error.empty()) return detail.error;
  std::string text = detail.exit ? detail.exit->Describe() : "exited";
  if (detail.uptime.count() > 0) text += " after " + Moment(detail.uptime);
  return text;
}

void AddTail(Message& message, const service::EventDetail& detail) {
  const std::string tail = CleanBlock(detail.log_tail);
  if (!tail.empty()) message.code = std::string(LastLines(tail, kTailLines));
}

// " (12s, alice)", of what is known.
std::string Remark(const service::DeployDetail& detail) {
  return DeployRemark(detail.duration.count() > 0 ? Lasting(detail.duration) : "", detail.commit, detail.actor);
}

std::string DeployKey(const std::string& name, const service::DeployDetail& detail, std::string_view what) {
  return fmt::format("deploy:{}:{}:{}", name, detail.id, what);
}

}  // namespace

ChatNotifier::ChatNotifier(Outbox& outbox, const base::Clock& clock, std::string prefix)
    : outbox_(outbox), clock_(clock), prefix_(std::move(prefix)), run_(clock.WallNow().time_since_epoch().count()) {}

std::string ChatNotifier::UniqueKey(const std::string& stem) {
  return fmt::format("{}:{}-{}", stem, run_, ++events_);
}

void ChatNotifier::ServiceEvent(const std::string& name, const std::string& event, const service::EventDetail& detail) {
  // A schedule that works is nothing new.
  if (detail.scheduled) return;
  const bool unit_failed = event == "failed" && detail.incident == 0;
  if (event == "exited" || event == "start-failed" || unit_failed) return TellCrash(name, event, detail);
  if (event == "failed") return TellFailed(name, detail);
  // A start in a row of crashes says nothing new until it has proved itself; that it is restarted for its health was
  // told when it became unhealthy.
  if (detail.automatic && detail.incident != 0) return;
  if (event == "restarted" && detail.reason.starts_with("unhealthy: ")) return;
  // The deploy's success tells it.
  if (event == "restarted" && detail.told == service::Told::kInDeploy) return;
  Message message;
  message.headline.Bold(name);
  if (event == "unhealthy") message.tone = Message::Tone::kFailure;
  if (event == "recovered") {
    message.headline.Plain(fmt::format(": running again after {} crash{}, down for {}", detail.crashes,
                                       detail.crashes == 1 ? "" : "es", Moment(detail.down)));
    // It takes the place of what told how the service crashed.
    if (const auto row = told_.find(name); row != told_.end()) {
      message.lines.emplace_back("the last: " + row->second.last);
      message.edit_key = row->second.edit_key;
      told_.erase(row);
    }
  } else {
    message.headline.Plain(": " + (event == "healthy" ? "healthy again" : event));
  }
  if (event == "run-missed" || event == "run-skipped") {
    message.headline = Text().Bold(name).Plain(": " + detail.reason);
  }
  if (detail.reason == "outside") message.headline.Plain(", not by Shipmate");
  if (event == "unhealthy") message.headline.Plain(": " + Shorten(detail.reason, kLongestStep));
  const bool news = event == "recovered" || event == "healthy";
  Tell(name, event, detail, message, news ? Repeat::kEverywhere : Repeat::kNotWhereAnswered);
}

Message::Stage ChatNotifier::Worth(const std::string& name, const service::EventDetail& detail) {
  CrashRow& row = told_[name];
  if (row.incident != detail.incident) row = {.incident = detail.incident};
  if (detail.incident != 0) row.edit_key = fmt::format("incident:{}:{}:{}", name, run_, detail.incident);
  row.last = HowItEnded(detail);
  const base::SteadyTime now = clock_.Now();
  const bool doubled = (detail.crashes & (detail.crashes - 1)) == 0;
  if (detail.crashes > 1 && !doubled && row.told && now - *row.told < kTellAgain) return Message::Stage::kPassing;
  row.told = now;
  return Message::Stage::kLasting;
}

void ChatNotifier::TellCrash(const std::string& name, const std::string& event, const service::EventDetail& detail) {
  // Its end follows, and tells it.
  if (detail.incident != 0 && !detail.reason.empty()) return;
  Message message;
  message.stage = Worth(name, detail);
  message.edit_key = told_[name].edit_key;
  if (detail.told == service::Told::kInDeploy) return;
  message.tone = Message::Tone::kFailure;
  message.headline.Bold(name).Plain(": ");
  if (event == "failed") {
    // A unit's end comes with its manager's word for it; "success" adds nothing.
    const bool why = !detail.reason.empty() && detail.reason != "success";
    message.headline.Plain("failed" + (why ? fmt::format(" ({})", detail.reason) : "") + ": ");
  }
  if (detail.crashes > 1) message.headline.Plain(fmt::format("{} crashes, the last: ", detail.crashes));
  message.headline.Plain(HowItEnded(detail));
  if (detail.next_start) {
    message.headline.Plain(detail.next_start->count() == 0 ? "; started again"
                                                           : "; next start in " + Moment(*detail.next_start));
  }
  AddTail(message, detail);
  Tell(name, event, detail, message,
       detail.told == service::Told::kInAnswer ? Repeat::kNotWhereAnswered : Repeat::kEverywhere);
}

void ChatNotifier::TellFailed(const std::string& name, const service::EventDetail& detail) {
  Message message;
  if (const auto row = told_.find(name); row != told_.end() && row->second.incident == detail.incident) {
    message.edit_key = row->second.edit_key;
    told_.erase(row);
  }
  message.tone = Message::Tone::kFailure;
  message.headline.Bold(name).Plain(": failed: " + detail.reason + ", the last: " + HowItEnded(detail));
  message.headline.Plain("; start it with ").Code(prefix_ + "start " + name);
  AddTail(message, detail);
  Tell(name, "failed", detail, message, Repeat::kEverywhere);
}

void ChatNotifier::Tell(const std::string& name, const std::string& event, const service::EventDetail& detail,
                        const Message& message, Repeat repeat) {
  // A service that was removed and made anew begins to count anew: the process tells them apart.
  const std::string key = fmt::format("service:{}:{}:{}:{}", name, detail.generation, event, detail.pid);
  // These may come again for one process; so may a start that failed, whose process never was.
  const bool repeats = event == "unhealthy" || event == "healthy" || event == "start-failed" || event == "run-missed" ||
                       event == "run-skipped";
  outbox_.Notice("service", name, detail.generation == 0 || repeats ? UniqueKey(key) : key, message, repeat);
}

void ChatNotifier::DeployStarted(const std::string& name, const service::DeployDetail& detail) {
  Message message;
  message.headline.Plain("Deploying ").Bold(name).Plain("..." + Remark(detail));
  message.edit_key = DeployPost(name, detail.id);
  outbox_.Notice("deploy", name, DeployKey(name, detail, "started"), message);
}

void ChatNotifier::DeploySucceeded(const std::string& name, const std::string& /*output*/,
                                   const service::DeployDetail& detail) {
  Message message;
  message.headline.Plain("Deploy of ").Bold(name).Plain(" succeeded." + Remark(detail));
  message.tone = Message::Tone::kSuccess;
  if (!detail.note.empty()) message.lines.emplace_back(Shorten(detail.note, kLongestStep));
  message.edit_key = DeployPost(name, detail.id);
  deploys_.Forget(detail.id);
  outbox_.Notice("deploy", name, DeployKey(name, detail, "succeeded"), message);
}

void ChatNotifier::DeployFailed(const std::string& name, const std::string& step, const std::string& output,
                                const service::DeployDetail& detail) {
  Message message;
  message.headline.Plain("Deploy of ").Bold(name).Plain(" failed at step ").Code(Shorten(step, kLongestStep));
  message.headline.Plain("." + Remark(detail));
  for (const std::string& line : {detail.note, detail.aftermath}) {
    if (!line.empty()) message.lines.emplace_back(Shorten(line, kLongestStep));
  }
  message.tone = Message::Tone::kFailure;
  if (!output.empty()) message.code = output;
  message.code_file = fmt::format("{}-deploy-{}.log", name, detail.id);
  message.edit_key = DeployPost(name, detail.id);
  deploys_.Forget(detail.id);
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

void ChatNotifier::ConfirmationRequested(const std::string& name, const service::Question& question) {
  const service::WebhookInfo& info = question.info;
  Message message;
  message.headline.Plain("Deploy of ").Bold(name).Plain(" waits for a confirmation (");
  std::vector<std::string> parts;
  if (!info.repo.empty()) parts.push_back("repo " + Part(info.repo));
  if (!question.actor.empty()) parts.push_back(Part(question.actor));
  message.headline.Plain(base::Join(parts, ", "));
  if (!info.branch.empty()) message.headline.Plain(parts.empty() ? "branch " : ", branch ").Code(Part(info.branch));
  if (!info.commit_id.empty()) {
    message.headline.Plain(", commit ").Link(info.ShortSHA(), info.commit_url);
    if (!info.author.empty()) message.headline.Plain(" by " + Part(info.author));
  }
  // Without a commit there is nothing in the name of which it could be answered.
  const std::string what = question.token.starts_with('#') ? name : name + " " + question.token;
  message.headline.Plain("), for " + base::FormatDuration(question.ttl) + ".");
  message.buttons = {{.label = "Confirm", .command = prefix_ + "confirm " + what},
                     {.label = "Decline", .command = prefix_ + "decline " + name}};
  message.asks = true;
  message.edit_key = DeployPost(name, question.id);
  message.choices = {{.kind = Choice::Kind::kYes, .command = PrintCommand({"confirm", {name, question.token}})},
                     {.kind = Choice::Kind::kNo, .command = PrintCommand({"decline", {name, question.token}})}};
  outbox_.Notice("deploy", name, fmt::format("deploy:{}:{}:question", name, question.id), message);
}

void ChatNotifier::DeployNewsCame(const std::string& name, const service::DeployNews& news) {
  using Kind = service::DeployNews::Kind;
  if (news.kind == Kind::kProgress) {
    deploys_.Take(news, clock_.Now());
    return TellProgress(news.id);
  }
  auto message = DeployNewsText(name, news, prefix_);
  if (!message) return;
  // What is held may be asked for days later, by a post that is seen then.
  if (news.id != 0 && news.kind != Kind::kHeld) message->edit_key = DeployPost(name, news.id);
  if (news.kind == Kind::kCancelled || news.kind == Kind::kInterrupted) deploys_.Forget(news.id);
  // The answer to the command tells these where it was given.
  const bool answered = news.kind == Kind::kConfirmed || news.kind == Kind::kDeclined || news.kind == Kind::kFrozen ||
                        news.kind == Kind::kUnfrozen || news.kind == Kind::kQueued;
  const std::string key = fmt::format("deploy:{}:{}:news{}", name, news.id, static_cast<int>(news.kind));
  outbox_.Notice("deploy", name, news.id == 0 ? UniqueKey(key) : key, *message,
                 answered ? Repeat::kNotWhereAnswered : Repeat::kEverywhere);
}

void ChatNotifier::DeployRecorded(const deploy::Record& record) {
  deploys_.Take(record);
  if (deploys_.StepsDone(record.id)) TellProgress(record.id);
  if (wake_ && !deploys_.Empty()) wake_->Set();
}

void ChatNotifier::TellProgress(std::uint64_t id) {
  auto message = deploys_.Describe(id, clock_.Now());
  if (!message) return;
  const std::string name = deploys_.ServiceOf(id);
  message->edit_key = DeployPost(name, id);
  outbox_.Notice("deploy", name, UniqueKey(fmt::format("deploy:{}:{}:progress", name, id)), *message);
}

void ChatNotifier::TellProgress() {
  for (const std::uint64_t id : deploys_.Running()) TellProgress(id);
}

Task<void> ChatNotifier::KeepTime() {
  const auto executor = co_await boost::asio::this_coro::executor;
  for (;;) {
    if (deploys_.Empty()) {
      wake_ = std::make_shared<async::Event>(executor);
      const auto wake = wake_;
      co_await wake->Wait();
      wake_.reset();
    }
    co_await async::Sleep(kTimeInterval);
    TellProgress();
  }
}

}  // namespace shipmate::chat
