#include "chat/outbox.h"

#include <doctest/doctest.h>

#include "async/deadline.h"
#include "base/text.h"
#include "fakes/fake_frontend.h"
#include "unit/run_task.h"

namespace shipmate::chat {
namespace {

using namespace std::chrono_literals;
using tests::FakeFrontend;
using Names = std::vector<std::string>;

constexpr std::chrono::seconds kLimit(30);

Message Say(const std::string& text) {
  Message message;
  message.headline.Plain(text);
  return message;
}

void Close(boost::asio::io_context& loop, Outbox& outbox, std::chrono::milliseconds limit = kLimit) {
  tests::RunTask(loop, outbox.Close(limit));
}

/// Runs what is ready to run.
void Settle(boost::asio::io_context& loop) {
  loop.restart();
  while (loop.poll() > 0) {
  }
}

TEST_CASE("in each channel answers go first, and the order of events is kept") {
  boost::asio::io_context loop;
  FakeFrontend frontend("discord",
                        {{.id = "a", .services = {}, .notices = {}}, {.id = "b", .services = {}, .notices = {}}});
  Outbox outbox(loop.get_executor());
  outbox.Add(frontend);
  outbox.Notice("service", "api", "k1", Say("one"));
  outbox.Reply(frontend, "a", "m1", "r:discord:m1", Say("two"));
  outbox.Notice("service", "api", "k3", Say("three"));
  outbox.Reply(
      frontend,
      {.channel = "a", .reply_to = "m2", .key = "r2", .message = Say("on it"), .priority = Priority::kAcknowledge});
  Close(loop, outbox);
  REQUIRE(frontend.sent.size() == 6);
  CHECK(frontend.TextsIn("a") == Names{"on it", "two", "one", "three"});
  CHECK(frontend.TextsIn("b") == Names{"one", "three"});
  for (const Outgoing& sent : frontend.sent) {
    if (sent.text == "one") CHECK(sent.key == "k1@" + sent.channel);
    if (sent.text == "one") CHECK(sent.reply_to == "");
    if (sent.text == "two") CHECK(sent.reply_to == "m1");
    if (sent.text == "two") CHECK(sent.key == "r:discord:m1");
  }
}

TEST_CASE("a notice goes where it is wanted") {
  boost::asio::io_context loop;
  FakeFrontend frontend("discord", {{.id = "all", .services = {}, .notices = {}},
                                    {.id = "api", .services = {"api"}, .notices = {}},
                                    {.id = "deploys", .services = {}, .notices = {"deploy"}}});
  FakeFrontend other("console");
  Outbox outbox(loop.get_executor());
  outbox.Add(frontend);
  outbox.Add(other);
  outbox.Notice("service", "web", "k", Say("x"));
  outbox.Notice("deploy", "api", "l", Say("y"));
  Close(loop, outbox);
  CHECK(frontend.TextsIn("all") == Names{"x", "y"});
  CHECK(frontend.TextsIn("api") == Names{"y"});
  CHECK(frontend.TextsIn("deploys") == Names{"y"});
  CHECK(other.Texts() == Names{"x", "y"});
}

TEST_CASE("a notice skips the channel whose answer tells it") {
  boost::asio::io_context loop;
  FakeFrontend frontend("discord",
                        {{.id = "a", .services = {}, .notices = {}}, {.id = "b", .services = {}, .notices = {}}});
  FakeFrontend other("mattermost", {{.id = "a", .services = {}, .notices = {}}});
  Outbox outbox(loop.get_executor());
  outbox.Add(frontend);
  outbox.Add(other);
  {
    const Outbox::Awaited awaited(outbox, "discord", "a", {"web*"});
    outbox.Notice("service", "web-1", "k1", Say("skipped in a"), Repeat::kNotWhereAnswered);
    outbox.Notice("service", "api", "k2", Say("another service"), Repeat::kNotWhereAnswered);
    outbox.Notice("service", "web-1", "k3", Say("everywhere"), Repeat::kEverywhere);
  }
  outbox.Notice("service", "web-1", "k4", Say("after"), Repeat::kNotWhereAnswered);
  Close(loop, outbox);
  CHECK(frontend.TextsIn("a") == Names{"another service", "everywhere", "after"});
  CHECK(frontend.TextsIn("b") == Names{"skipped in a", "another service", "everywhere", "after"});
  CHECK(other.sent.size() == 4);
}

TEST_CASE("the first post waits until the frontend is ready") {
  boost::asio::io_context loop;
  FakeFrontend frontend("discord");
  async::Event& ready = frontend.HoldReady(loop.get_executor());
  Outbox outbox(loop.get_executor());
  outbox.Add(frontend);
  outbox.Notice("service", "api", "k", Say("early"));
  Settle(loop);
  CHECK(frontend.sent.empty());
  ready.Set();
  Settle(loop);
  CHECK(frontend.Texts() == Names{"early"});
  Close(loop, outbox);
}

TEST_CASE("a slow frontend does not hold up another") {
  boost::asio::io_context loop;
  FakeFrontend slow("discord");
  FakeFrontend quick("console");
  async::Event& gate = slow.HoldSends(loop.get_executor());
  Outbox outbox(loop.get_executor());
  outbox.Add(slow);
  outbox.Add(quick);
  outbox.Notice("service", "api", "k", Say("x"));
  Settle(loop);
  CHECK(slow.sent.empty());
  CHECK(quick.sent.size() == 1);
  gate.Set();
  Close(loop, outbox);
  CHECK(slow.sent.size() == 1);
}

TEST_CASE("a failed or throwing Send costs that message alone") {
  boost::asio::io_context loop;
  FakeFrontend frontend("discord");
  frontend.on_send = [](const Outgoing& outgoing) -> Result<void> {
    if (outgoing.text == "refused") return Fail(Errc::kRefused, "no permission to post");
    if (outgoing.text == "thrown") throw std::runtime_error("broken");
    return {};
  };
  Outbox outbox(loop.get_executor());
  outbox.Add(frontend);
  for (const std::string& text : {std::string("refused"), std::string("thrown"), std::string("well")}) {
    outbox.Notice("service", "api", text, Say(text));
  }
  Close(loop, outbox);
  CHECK(frontend.Texts() == Names{"refused", "thrown", "well"});
}

TEST_CASE("what had to be left out is said before the next notice, and answers are not left out") {
  boost::asio::io_context loop;
  FakeFrontend frontend("discord");
  async::Event& gate = frontend.HoldSends(loop.get_executor());
  Outbox outbox(loop.get_executor());
  outbox.Add(frontend);
  outbox.Reply(frontend, "c1", "m0", "r:discord:m0", Say("answer in flight"));
  Settle(loop);
  for (int i = 1; i < 4; ++i) outbox.Reply(frontend, "c1", "m", "r:discord:m" + std::to_string(i), Say("answer"));
  const int notices = static_cast<int>(OutgoingQueue::kCapacity) + 7;
  for (int i = 0; i < notices; ++i) {
    outbox.Notice("service", "api", "k" + std::to_string(i), Say("notice number " + std::to_string(1000 + i)));
  }
  gate.Set();
  Close(loop, outbox);
  const Names texts = frontend.Texts();
  REQUIRE(texts.size() == 6);
  CHECK(texts[0] == "answer in flight");
  CHECK(texts[1] == "answer");
  CHECK(texts[3] == "answer");
  // 7 over the capacity, and 3 places taken by answers.
  CHECK(texts[4] == "10 notices left out");
  CHECK(texts[5].starts_with("**497 notices at once**, the newest first:\nnotice number 1506\nnotice number 1505\n"));
}

TEST_CASE("each channel hears its own count of what was left out") {
  boost::asio::io_context loop;
  FakeFrontend frontend("discord", {{.id = "quiet", .services = {"rare"}, .notices = {}},
                                    {.id = "busy", .services = {"often"}, .notices = {}}});
  async::Event& gate = frontend.HoldSends(loop.get_executor());
  Outbox outbox(loop.get_executor());
  outbox.Add(frontend);
  outbox.Notice("service", "rare", "k", Say("one rare thing"));
  for (std::size_t i = 0; i < OutgoingQueue::kCapacity + 3; ++i) {
    outbox.Notice("service", "often", "k" + std::to_string(i), Say("something that happens"));
  }
  gate.Set();
  Close(loop, outbox);
  CHECK(frontend.TextsIn("quiet") == Names{"one rare thing"});
  CHECK(frontend.TextsIn("busy").front() == "3 notices left out");
}

TEST_CASE("a flood becomes one message, the newest failure first, with all of it in a file") {
  boost::asio::io_context loop;
  FakeFrontend frontend("discord",
                        {{.id = "a", .services = {}, .notices = {}}, {.id = "b", .services = {"web"}, .notices = {}}});
  frontend.abilities.files = true;
  async::Event& gate = frontend.HoldSends(loop.get_executor());
  Outbox outbox(loop.get_executor());
  outbox.Add(frontend);
  outbox.Notice("service", "api", "first", Say("first"));
  Settle(loop);
  for (int i = 0; i < 300; ++i) {
    Message crash = Say("s" + std::to_string(i) + ": exited");
    crash.tone = Message::Tone::kFailure;
    crash.code = "the log";
    outbox.Notice("service", "s" + std::to_string(i), "k" + std::to_string(i), crash);
  }
  outbox.Notice("service", "web", "w", Say("web: started"));
  outbox.Reply(frontend, "a", "m", "r", Say("answer"));
  gate.Set();
  Close(loop, outbox);
  const Names in_a = frontend.TextsIn("a");
  REQUIRE(in_a.size() == 3);
  CHECK(in_a[0] == "first");
  CHECK(in_a[1] == "answer");
  CHECK(
      in_a[2].starts_with("**301 notices at once**, 300 of failures, the newest first:\ns299: exited\ns298: exited\n"));
  CHECK(base::RuneCount(in_a[2]) <= 2000);
  CHECK(in_a[2].contains("\n... and "));
  const Outgoing& summary = frontend.sent.back();
  REQUIRE(summary.attachments.size() == 1);
  CHECK(summary.attachments[0].name == "notices.txt");
  CHECK(base::Split(summary.attachments[0].bytes, '\n').size() == 302);
  CHECK(summary.attachments[0].bytes.ends_with("web: started\n"));
  CHECK(frontend.TextsIn("b") == Names{"web: started"});
}

TEST_CASE("answers are bounded, too") {
  boost::asio::io_context loop;
  FakeFrontend frontend("discord");
  async::Event& gate = frontend.HoldSends(loop.get_executor());
  Outbox outbox(loop.get_executor());
  outbox.Add(frontend);
  for (int i = 0; i < 1000; ++i) outbox.Reply(frontend, "c1", "m", std::to_string(i), Say(std::to_string(i)));
  gate.Set();
  Close(loop, outbox);
  CHECK(frontend.sent.size() == OutgoingQueue::kCapacity);
}

TEST_CASE("closing gives up what cannot be sent in time") {
  boost::asio::io_context loop;
  FakeFrontend stuck("discord");
  FakeFrontend never_ready("mattermost");
  FakeFrontend well("console");
  stuck.HoldSends(loop.get_executor());
  never_ready.HoldReady(loop.get_executor());
  Outbox outbox(loop.get_executor());
  outbox.Add(stuck);
  outbox.Add(never_ready);
  outbox.Add(well);
  outbox.Notice("service", "api", "k", Say("x"));
  outbox.Notice("service", "api", "l", Say("y"));
  const auto before = std::chrono::steady_clock::now();
  Close(loop, outbox, 50ms);
  CHECK(std::chrono::steady_clock::now() - before < 20s);
  CHECK(stuck.sent.empty());
  CHECK(never_ready.sent.empty());
  CHECK(well.Texts() == Names{"x", "y"});
  outbox.Notice("service", "api", "m", Say("too late"));
  Settle(loop);
  CHECK(well.sent.size() == 2);
}

TEST_CASE("secrets leave in no message") {
  boost::asio::io_context loop;
  auto masker = std::make_shared<base::Masker>();
  masker->Add(base::Secret("hunter2-token"));
  FakeFrontend frontend("discord");
  Outbox outbox(loop.get_executor(), {.masker = masker});
  outbox.Add(frontend);
  Message message = Say("it is hunter2-token");
  message.code = "hunter2-\x1b[1mtoken";
  outbox.Notice("service", "api", "k", message);
  outbox.Reply(frontend, "c1", "m", "r", message);
  Close(loop, outbox);
  CHECK(frontend.Texts() == Names{"it is ***\n```\n***\n```", "it is ***\n```\n***\n```"});
}

TEST_CASE("messages of one edit key are one post, whose passing states are not remembered") {
  boost::asio::io_context loop;
  FakeFrontend frontend("discord");
  frontend.abilities = {.edits = true, .lasting = true, .edit_interval = 0ms};
  Outbox outbox(loop.get_executor());
  outbox.Add(frontend);
  const auto say = [&](const std::string& text, Message::Stage stage) {
    Message message = Say(text);
    message.edit_key = "deploy:api:7";
    message.stage = stage;
    outbox.Notice("deploy", "api", "deploy:api:7:" + text, message);
    Settle(loop);
  };
  say("started", Message::Stage::kLasting);
  say("step 1", Message::Stage::kPassing);
  outbox.Notice("service", "web", "k", Say("web"));
  Settle(loop);
  say("done", Message::Stage::kLasting);
  Close(loop, outbox);
  CHECK(frontend.Texts() == Names{"started", "web"});
  REQUIRE(frontend.edits.size() == 2);
  CHECK(frontend.edits[0].id == "p1");
  CHECK(frontend.edits[0].channel == "c1");
  CHECK(frontend.edits[0].text == "step 1");
  CHECK(frontend.edits[1].text == "done");
}

TEST_CASE("of many states only the newest is shown") {
  boost::asio::io_context loop;
  FakeFrontend frontend("discord");
  frontend.abilities = {.edits = true, .lasting = true, .edit_interval = 20ms};
  Outbox outbox(loop.get_executor());
  outbox.Add(frontend);
  for (int i = 0; i < 100; ++i) {
    Message message = Say("state " + std::to_string(i));
    message.edit_key = "deploy";
    message.stage = i == 0 || i == 99 ? Message::Stage::kLasting : Message::Stage::kPassing;
    outbox.Notice("deploy", "api", "k" + std::to_string(i), message);
    if (i == 0) Settle(loop);
  }
  Close(loop, outbox);
  CHECK(frontend.Texts() == Names{"state 0"});
  REQUIRE(frontend.edits.size() == 1);
  CHECK(frontend.edits[0].text == "state 99");
}

TEST_CASE("where nothing can be edited the first and the last are posted") {
  boost::asio::io_context loop;
  FakeFrontend frontend("console");
  Outbox outbox(loop.get_executor());
  outbox.Add(frontend);
  for (const std::string& text : {std::string("started"), std::string("step 1"), std::string("done")}) {
    Message message = Say(text);
    message.edit_key = "deploy";
    if (text == "step 1") message.stage = Message::Stage::kPassing;
    outbox.Notice("deploy", "api", text, message);
    Settle(loop);
  }
  Close(loop, outbox);
  CHECK(frontend.Texts() == Names{"started", "done"});
  CHECK(frontend.edits.empty());
}

TEST_CASE("a post that somebody deleted is posted anew when there is something to tell") {
  boost::asio::io_context loop;
  FakeFrontend frontend("discord");
  frontend.abilities = {.edits = true, .lasting = true, .edit_interval = 0ms};
  frontend.on_edit = [](const Revision& revision) -> Result<void> {
    if (revision.id == "p1") return Fail(Errc::kNotFound, "it was deleted");
    return {};
  };
  Outbox outbox(loop.get_executor());
  outbox.Add(frontend);
  for (const std::string& text :
       {std::string("started"), std::string("step 1"), std::string("done"), std::string("again")}) {
    Message message = Say(text);
    message.edit_key = "deploy";
    if (text == "step 1") message.stage = Message::Stage::kPassing;
    outbox.Notice("deploy", "api", text, message);
    Settle(loop);
  }
  Close(loop, outbox);
  CHECK(frontend.Texts() == Names{"started", "done"});
  CHECK(frontend.edits.back().id == "p2");
  CHECK(frontend.edits.back().text == "again");
}

TEST_CASE("a file that no edit can carry is posted beside") {
  boost::asio::io_context loop;
  FakeFrontend frontend("mattermost");
  frontend.abilities = {.edits = true, .files = true, .lasting = true, .edit_interval = 0ms};
  frontend.dialect.limit = 60;
  Outbox outbox(loop.get_executor());
  outbox.Add(frontend);
  Message message = Say("started");
  message.edit_key = "deploy";
  outbox.Notice("deploy", "api", "a", message);
  Settle(loop);
  message = Say("failed");
  message.edit_key = "deploy";
  message.code = std::string(100, 'x');
  message.code_file = "api.log";
  outbox.Notice("deploy", "api", "b", message);
  Close(loop, outbox);
  REQUIRE(frontend.edits.size() == 1);
  CHECK(frontend.edits[0].attachments.empty());
  REQUIRE(frontend.sent.size() == 2);
  CHECK(frontend.sent[1].text == "api.log");
  CHECK(frontend.sent[1].attachments.at(0).bytes == std::string(100, 'x'));
}

}  // namespace
}  // namespace shipmate::chat
