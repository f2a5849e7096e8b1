#include "chat/chat_notifier.h"

#include <doctest/doctest.h>

#include <set>

#include "base/text.h"
#include "fakes/fake_clock.h"
#include "fakes/fake_frontend.h"
#include "unit/run_task.h"

namespace shipmate::chat {
namespace {

using namespace std::chrono_literals;
using Names = std::vector<std::string>;

/// A notifier, its outbox and a frontend that posts at once.
struct Desk {
  explicit Desk(chat::Abilities abilities = {})
      : outbox(loop.get_executor()), frontend("discord"), notifier(outbox, clock, "!") {
    frontend.abilities = abilities;
    outbox.Add(frontend);
  }

  /// Runs what is ready to run.
  void Settle() {
    loop.restart();
    while (loop.poll() > 0) {
    }
  }

  /// What was posted; ends the outbox.
  Names Posted() {
    tests::RunTask(loop, outbox.Close(30s));
    return frontend.Texts();
  }

  boost::asio::io_context loop;
  tests::FakeClock clock;
  Outbox outbox;
  tests::FakeFrontend frontend;
  ChatNotifier notifier;
};

service::WebhookInfo Push() {
  service::WebhookInfo info;
  info.repo = "acme/shop";
  info.branch = "main";
  info.compare = "https://forge.example/acme/shop/compare/a...b";
  info.pusher = "bob";
  info.commit_id = "deadbeefcafe";
  info.commit_msg = "feat: add a thing\n\nsecond paragraph";
  info.commit_url = "https://forge.example/acme/shop/commit/deadbeefcafe";
  info.author = "Alice";
  return info;
}

TEST_CASE("starts and stops") {
  Desk desk;
  desk.notifier.ServiceEvent("web", "started", {.generation = 1, .pid = 7, .exit = {}, .log_tail = ""});
  desk.notifier.ServiceEvent("web", "stopped", {.generation = 1, .pid = 0, .exit = {}, .log_tail = ""});
  desk.notifier.ServiceEvent("web", "restarted", {.generation = 2, .pid = 0, .exit = {}, .log_tail = ""});
  CHECK(desk.Posted() == Names{"**web**: started", "**web**: stopped", "**web**: restarted"});
  CHECK(desk.frontend.sent[0].key == "service:web:1:started:7@c1");
}

TEST_CASE("an exit tells how, after how long, and the last lines") {
  Desk desk;
  service::EventDetail detail;
  detail.generation = 3;
  detail.exit = os::ExitStatus{.code = 3, .signal = {}};
  detail.uptime = 2h + 3min;
  for (int i = 0; i < 30; ++i) detail.log_tail += "line " + std::to_string(i) + "\r\n";
  detail.log_tail += "\x1b[31mError: ```broken```\x1b[0m\n";
  desk.notifier.ServiceEvent("web", "exited", detail);
  desk.notifier.ServiceEvent("job", "exited", {});
  desk.notifier.ServiceEvent("flash", "exited", {.generation = 1, .exit = {}, .uptime = 300ms, .log_tail = ""});
  const Names posted = desk.Posted();
  REQUIRE(posted.size() == 3);
  CHECK(
      posted[0] ==
      "**web**: exited with status 3 after 2h 3m\n```\nline 21\nline 22\nline 23\nline 24\nline 25\nline 26\nline 27\n"
      "line 28\nline 29\nError: ```broken```\n```");
  CHECK(posted[1] == "**job**: exited");
  CHECK(posted[2] == "**flash**: exited after 300ms");
}

TEST_CASE("what happened to a unit without our doing is told with systemd's word for it") {
  Desk desk;
  desk.notifier.ServiceEvent(
      "web", "failed",
      {.exit = os::ExitStatus{.signal = 11, .core_dumped = true}, .uptime = 3min, .reason = "core-dump"});
  desk.notifier.ServiceEvent("web", "started", {.reason = "outside"});
  desk.notifier.ServiceEvent("web", "exited", {.exit = os::ExitStatus{.code = 0}, .reason = "success"});
  CHECK(desk.Posted() == Names{"**web**: failed (core-dump): killed by SIGSEGV (core dumped) after 3m",
                               "**web**: started, not by Shipmate", "**web**: exited with status 0"});
}

TEST_CASE("a row of crashes: told first, at doubles and after minutes; then given up, or recovered once") {
  Desk desk;
  service::EventDetail crash{.exit = os::ExitStatus{.code = 3}, .uptime = 12ms, .log_tail = "out of luck\n"};
  crash.incident = 1;
  crash.next_start = 1500ms;
  for (crash.crashes = 1; crash.crashes <= 8; ++crash.crashes) {
    crash.generation = crash.crashes;
    desk.notifier.ServiceEvent("web", "exited", crash);
    desk.notifier.ServiceEvent("web", "restarted", {.incident = 1, .crashes = crash.crashes, .automatic = true});
  }
  desk.clock.Advance(6min);
  crash.generation = crash.crashes = 9;
  desk.notifier.ServiceEvent("web", "exited", crash);
  desk.notifier.ServiceEvent("web", "recovered", {.generation = 10, .crashes = 9, .down = 12s});
  crash.incident = 2;
  crash.generation = crash.crashes = 16;
  crash.next_start.reset();
  crash.reason = "5 crashes in 1m";
  desk.notifier.ServiceEvent("web", "exited", crash);
  desk.notifier.ServiceEvent("web", "failed", crash);
  const std::string tail = "\n```\nout of luck\n```";
  const std::string last = " crashes, the last: exited with status 3 after 12ms; next start in 1s" + tail;
  CHECK(desk.Posted() == Names{"**web**: exited with status 3 after 12ms; next start in 1s" + tail, "**web**: 2" + last,
                               "**web**: 4" + last, "**web**: 8" + last, "**web**: 9" + last,
                               "**web**: running again after 9 crashes, down for 12s\nthe last: exited with status 3 "
                               "after 12ms",
                               "**web**: failed: 5 crashes in 1m, the last: exited with status 3 after 12ms; start it "
                               "with `!start web`" +
                                   tail});
}

TEST_CASE("where posts can be edited, a row of crashes is one post that counts, and so is a deploy") {
  Desk desk({.edits = true, .lasting = true, .edit_interval = 0ms});
  service::EventDetail crash{.exit = os::ExitStatus{.code = 3}, .uptime = 12ms, .log_tail = ""};
  crash.incident = 1;
  for (crash.crashes = 1; crash.crashes <= 3; ++crash.crashes) {
    crash.generation = crash.crashes;
    desk.notifier.ServiceEvent("web", "exited", crash);
    desk.Settle();
  }
  desk.notifier.ServiceEvent("web", "recovered", {.generation = 4, .incident = 1, .crashes = 3, .down = 12s});
  desk.Settle();
  // The next row is another post.
  crash.incident = 2;
  crash.crashes = 1;
  crash.generation = 9;
  desk.notifier.ServiceEvent("web", "exited", crash);
  desk.notifier.DeployStarted("web", {.id = 7, .actor = "alice"});
  desk.Settle();
  desk.notifier.DeploySucceeded("web", "", {.id = 7, .actor = "alice", .duration = 12s});
  CHECK(desk.Posted() == Names{"**web**: exited with status 3 after 12ms", "**web**: exited with status 3 after 12ms",
                               "Deploying **web**... (alice)"});
  REQUIRE(desk.frontend.edits.size() == 4);
  CHECK(desk.frontend.edits[0].text == "**web**: 2 crashes, the last: exited with status 3 after 12ms");
  CHECK(desk.frontend.edits[1].text == "**web**: 3 crashes, the last: exited with status 3 after 12ms");
  CHECK(desk.frontend.edits[2].text ==
        "**web**: running again after 3 crashes, down for 12s\nthe last: exited with status 3 after 12ms");
  CHECK(desk.frontend.edits[2].id == "p1");
  CHECK(desk.frontend.edits[3].text == "Deploy of **web** succeeded. (12s, alice)");
  CHECK(desk.frontend.edits[3].id == "p3");
}

TEST_CASE("a crash that the deploy's failure tells is not told twice; a start that failed is told") {
  Desk desk;
  service::EventDetail crash{.generation = 1, .exit = os::ExitStatus{.code = 3}, .log_tail = ""};
  crash.incident = 1;
  crash.crashes = 1;
  crash.told = service::Told::kInDeploy;
  desk.notifier.ServiceEvent("web", "exited", crash);
  service::EventDetail start{.generation = 2, .log_tail = "", .error = "start failed: starting process: no such file"};
  start.incident = 1;
  start.crashes = 2;
  start.next_start = 0ms;
  desk.notifier.ServiceEvent("web", "start-failed", start);
  CHECK(desk.Posted() ==
        Names{"**web**: 2 crashes, the last: start failed: starting process: no such file; started again"});
}

TEST_CASE("starts and stops are not repeated where their command is answered, exits and deploys are") {
  Desk desk;
  {
    const Outbox::Awaited awaited(desk.outbox, "discord", "c1", {"web"});
    desk.notifier.ServiceEvent("web", "restarted", {.generation = 2, .exit = {}, .log_tail = ""});
    desk.notifier.ServiceEvent("web", "exited", {.generation = 2, .exit = {}, .log_tail = ""});
    desk.notifier.DeployStarted("web", {});
  }
  CHECK(desk.Posted() == Names{"**web**: exited", "Deploying **web**..."});
}

TEST_CASE("deploys") {
  Desk desk;
  desk.notifier.DeployStarted("web", {.id = 4, .actor = "alice"});
  desk.notifier.DeploySucceeded("web", "lots of output", {.id = 4, .actor = "alice", .duration = 12s});
  desk.notifier.DeployFailed("web", "build", "exit code 1\nsome error", {});
  desk.notifier.DeployFailed("web", "a `b`\nc", "", {.id = 5, .actor = "", .duration = 90s});
  CHECK(desk.Posted() == Names{"Deploying **web**... (alice)", "Deploy of **web** succeeded. (12s, alice)",
                               "Deploy of **web** failed at step `build`.\n```\nexit code 1\nsome error\n```",
                               "Deploy of **web** failed at step `a `b`\\nc`. (1m 30s)"});
  CHECK(desk.frontend.sent[0].key == "deploy:web:4:started@c1");
  CHECK(desk.frontend.sent[1].key == "deploy:web:4:succeeded@c1");
}

TEST_CASE("the end of a failed step's output is kept, whatever the step's length") {
  for (const std::size_t length : {std::size_t{5}, std::size_t{10'000}}) {
    Desk desk;
    std::string output;
    for (int i = 0; i < 25'000; ++i) output += "x\n";
    output += "===FINAL_ERROR_MARKER_AT_TAIL===";
    desk.notifier.DeployFailed("web", std::string(length, 's'), output, {});
    const std::string posted = desk.Posted().at(0);
    CHECK(base::RuneCount(posted) <= 2000);
    CHECK(posted.contains("truncated"));
    CHECK(posted.ends_with("===FINAL_ERROR_MARKER_AT_TAIL===\n```"));
  }
}

TEST_CASE("a push") {
  Desk desk;
  desk.notifier.WebhookReceived("shop", Push());
  service::WebhookInfo bare;
  bare.branch = "dev";
  bare.pusher = "bob";
  bare.compare = "https://forge.example/compare";
  desk.notifier.WebhookReceived("shop", bare);
  CHECK(desk.Posted() ==
        Names{"Webhook for **shop**: acme/shop@deadbee (https://forge.example/acme/shop/commit/deadbeefcafe) on `main` "
              "by Alice\n> feat: add a thing\ncompare (https://forge.example/acme/shop/compare/a...b)",
              "Webhook for **shop**: push to `dev` by bob"});
}

TEST_CASE("of a schedule its failures are told, and what became of a run; not that it works") {
  Desk desk;
  desk.notifier.ServiceEvent("job", "started", {.generation = 1, .automatic = true, .scheduled = true});
  desk.notifier.ServiceEvent("job", "exited", {.generation = 1, .exit = os::ExitStatus{.code = 0}, .scheduled = true});
  for (int i = 0; i < 2; ++i) desk.notifier.ServiceEvent("job", "run-skipped", {.generation = 1, .reason = "left out"});
  desk.notifier.ServiceEvent("job", "run-missed", {.generation = 1, .reason = "made up for"});
  desk.notifier.ServiceEvent("job", "exited", {.generation = 2, .exit = os::ExitStatus{.code = 3}});
  CHECK(base::Join(desk.Posted(), "; ") ==
        "**job**: left out; **job**: left out; **job**: made up for; **job**: exited with status 3");
}

TEST_CASE("a hostile push is one short message") {
  Desk desk;
  service::WebhookInfo info = Push();
  info.commit_msg =
      "](javascript:x)||\u202e" + std::string(1, '\0') + std::string(10'000, 'y') + std::string(5000, '\n');
  info.author = "@everyone\n" + std::string(5000, 'z');
  info.branch = std::string(5000, 'b') + "`";
  info.commit_url = "javascript:alert(1)";
  desk.notifier.WebhookReceived("shop", info);
  const std::string posted = desk.Posted().at(0);
  CHECK(base::RuneCount(posted) < 700);
  CHECK(base::Split(posted, '\n').size() == 3);
  CHECK_FALSE(posted.contains("\u202e"));
  CHECK_FALSE(posted.contains("alert"));
}

TEST_CASE("a confirmation is asked for, with what it is about") {
  Desk desk;
  desk.notifier.ConfirmationRequested(
      "shop", {.id = 7, .info = Push(), .actor = "push by bob", .ttl = 10min, .token = "deadbee"});
  CHECK(desk.Posted() ==
        Names{"Deploy of **shop** waits for a confirmation (repo acme/shop, push by bob, branch `main`, commit "
              "deadbee (https://forge.example/acme/shop/commit/deadbeefcafe) by Alice), for 10m.\n"
              "Confirm: `!confirm shop deadbee`, Decline: `!decline shop`"});
}

constexpr Abilities kEditor{.edits = true, .lasting = true, .edit_interval = 0ms};
using Kind = service::DeployNews::Kind;

service::DeployNews News(Kind kind) {
  service::DeployNews news;
  news.kind = kind;
  news.id = 7;
  news.actor = "carol";
  news.commit = "deadbeefcafe";
  return news;
}

deploy::Record RunningDeploy() {
  deploy::Record record;
  record.id = 7;
  record.service = "shop";
  record.actor = "bob";
  record.commit = "deadbeefcafe";
  record.planned = 2;
  return record;
}

TEST_CASE("from the question to the result a deploy is one post") {
  Desk desk(kEditor);
  std::vector<std::string> texts;
  const auto settle = [&] {
    desk.Settle();
    texts.push_back(desk.frontend.edits.empty() ? desk.frontend.Texts().back() : desk.frontend.edits.back().text);
  };
  desk.notifier.ConfirmationRequested(
      "shop", {.id = 7, .info = Push(), .actor = "push by bob", .ttl = 10min, .token = "deadbee"});
  settle();
  CHECK(texts.back().ends_with("\nConfirm: `!confirm shop deadbee`, Decline: `!decline shop`"));
  desk.notifier.DeployNewsCame("shop", News(Kind::kConfirmed));
  settle();
  CHECK(texts.back() == "Deploy of **shop** (deadbee) was confirmed by carol.");
  service::DeployNews queued = News(Kind::kQueued);
  queued.why = "deploy 6 of shop is running";
  desk.notifier.DeployNewsCame("shop", queued);
  settle();
  CHECK(texts.back() == "Deploy of **shop** (deadbee) is queued: deploy 6 of shop is running.");
  desk.notifier.DeployStarted("shop", {.id = 7, .actor = "bob", .commit = "deadbeefcafe"});
  settle();
  CHECK(texts.back() == "Deploying **shop**... (deadbee, bob)");

  deploy::Record record = RunningDeploy();
  desk.notifier.DeployRecorded(record);
  service::DeployNews step = News(Kind::kProgress);
  step.step = 1;
  step.steps = 2;
  step.step_text = "git pull";
  desk.notifier.DeployNewsCame("shop", step);
  settle();
  CHECK(texts.back() == "Deploying **shop**: step 1 of 2, `git pull` (deadbee, bob)");
  desk.clock.Advance(12s);
  desk.notifier.TellProgress();
  settle();
  CHECK(texts.back() == "Deploying **shop**: step 1 of 2, `git pull`, for 12s (deadbee, bob)");
  record.steps.push_back({.text = "git pull", .duration = 13s});
  desk.notifier.DeployRecorded(record);
  step.step = 2;
  step.step_text = "make";
  desk.notifier.DeployNewsCame("shop", step);
  settle();
  CHECK(texts.back() == "Deploying **shop**: step 2 of 2, `make` (deadbee, bob)\n\u2713 `git pull` 13s");
  record.steps.push_back({.text = "make", .duration = 90s});
  desk.notifier.DeployRecorded(record);
  settle();
  CHECK(texts.back() ==
        "Deploying **shop**: the steps are done, now it has to come up (deadbee, bob)\n\u2713 `git pull` 13s\n"
        "\u2713 `make` 1m 30s");
  desk.notifier.DeploySucceeded("shop", "", {.id = 7, .actor = "bob", .duration = 2min, .commit = "deadbeefcafe"});
  settle();
  CHECK(texts.back() == "Deploy of **shop** succeeded. (2m, deadbee, bob)");
  CHECK(desk.frontend.sent.size() == 1);
  // Nothing is left to tell of it.
  desk.notifier.TellProgress();
  const std::size_t edits = desk.frontend.edits.size();
  desk.Settle();
  CHECK(desk.frontend.edits.size() == edits);
  desk.Posted();
}

TEST_CASE("a question that nobody answered, or that is answered otherwise, is edited to say so") {
  for (const auto& [kind, text] : {std::pair(Kind::kDeclined, "was declined by carol."),
                                   {Kind::kExpired, "was not confirmed in time"},
                                   {Kind::kSuperseded, "is off: superseded by cafe123."}}) {
    Desk desk(kEditor);
    desk.notifier.ConfirmationRequested("shop", {.id = 7, .info = Push(), .actor = "", .ttl = 10min, .token = "x"});
    desk.Settle();
    service::DeployNews news = News(kind);
    if (kind == Kind::kSuperseded) news.why = "superseded by cafe123";
    {
      // The one who answers is answered; the question has to say it all the same.
      const Outbox::Awaited awaited(desk.outbox, "discord", "c1", {"shop"});
      desk.notifier.DeployNewsCame("shop", news);
    }
    CHECK(desk.Posted().size() == 1);
    REQUIRE(desk.frontend.edits.size() == 1);
    CHECK(desk.frontend.edits[0].text.contains(std::string(text)));
    CHECK_FALSE(desk.frontend.edits[0].text.contains("Confirm:"));
  }
}

TEST_CASE("what was held is asked by a post of its own") {
  Desk desk(kEditor);
  desk.notifier.DeployNewsCame("shop", News(Kind::kHeld));
  desk.Settle();
  desk.notifier.ConfirmationRequested("shop", {.id = 7, .info = Push(), .actor = "", .ttl = 10min, .token = "x"});
  CHECK(desk.Posted().size() == 2);
}

TEST_CASE(
    "where nothing can be edited a deploy's steps are not told, and its question is answered by the answer alone") {
  Desk desk;
  desk.notifier.ConfirmationRequested("shop", {.id = 7, .info = Push(), .actor = "", .ttl = 10min, .token = "x"});
  {
    const Outbox::Awaited awaited(desk.outbox, "discord", "c1", {"shop"});
    desk.notifier.DeployNewsCame("shop", News(Kind::kConfirmed));
  }
  desk.notifier.DeployStarted("shop", {.id = 7});
  desk.notifier.DeployRecorded(RunningDeploy());
  service::DeployNews step = News(Kind::kProgress);
  step.step = 1;
  step.steps = 2;
  desk.notifier.DeployNewsCame("shop", step);
  desk.notifier.DeploySucceeded("shop", "", {.id = 7});
  const Names posted = desk.Posted();
  REQUIRE(posted.size() == 3);
  CHECK(posted[1] == "Deploying **shop**...");
  CHECK(posted[2] == "Deploy of **shop** succeeded.");
}

TEST_CASE("the steps of going back are told as that, and a failed step leaves the word to the result") {
  DeployProgress progress;
  deploy::Record record = RunningDeploy();
  progress.Take(record);
  const base::SteadyTime now{};
  CHECK_FALSE(progress.Describe(7, now));
  service::DeployNews step = News(Kind::kProgress);
  step.step = 1;
  step.steps = 2;
  step.step_text = "make";
  progress.Take(step, now);
  REQUIRE(progress.Describe(7, now));
  record.steps.push_back({.text = "make", .duration = 1s, .failure = "exit status 2"});
  progress.Take(record);
  CHECK_FALSE(progress.Describe(7, now));
  step.steps = 1;
  step.step_text = "git checkout";
  progress.Take(step, now);
  const auto back = progress.Describe(7, now + 3s);
  REQUIRE(back);
  CHECK(back->headline.Bare() == "Going back with shop: step 1 of 1, git checkout, for 3s (deadbee, bob)");
  CHECK(back->lines.at(0).Bare() == "\u2717 make 1s");
  for (int i = 0; i < 9; ++i) record.steps.push_back({.text = "x", .duration = 1ms});
  progress.Take(record);
  CHECK(progress.Describe(7, now)->lines.size() == 6);
  CHECK(progress.Describe(7, now)->lines[0].Bare() == "5 steps before");
  record.ended = base::WallTime(1s);
  progress.Take(record);
  CHECK(progress.Empty());
}

TEST_CASE("events that have no number of their own get keys that never repeat") {
  Desk desk;
  for (int i = 0; i < 3; ++i) {
    desk.notifier.WebhookReceived("shop", Push());
    desk.notifier.ServiceEvent("unit", "started", {});
    desk.notifier.ConfirmationRequested(
        "shop",
        {.id = static_cast<std::uint64_t>(i) + 1, .info = Push(), .actor = "", .ttl = 10min, .token = "deadbee"});
  }
  CHECK(desk.Posted().size() == 9);
  std::set<std::string> keys;
  for (const Outgoing& sent : desk.frontend.sent) keys.insert(sent.key);
  CHECK(keys.size() == 9);
}

}  // namespace
}  // namespace shipmate::chat
