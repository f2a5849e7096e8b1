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

TEST_CASE("answers and notices are posted in order, by channel") {
  boost::asio::io_context loop;
  FakeFrontend frontend("discord",
                        {{.id = "a", .services = {}, .notices = {}}, {.id = "b", .services = {}, .notices = {}}});
  Outbox outbox(loop.get_executor());
  outbox.Add(frontend);
  outbox.Notice("service", "api", "k1", Say("one"));
  outbox.Reply(frontend, "a", "m1", "r:discord:m1", Say("two"));
  outbox.Notice("service", "api", "k3", Say("three"));
  Close(loop, outbox);
  REQUIRE(frontend.sent.size() == 5);
  CHECK(frontend.Texts() == Names{"one", "one", "two", "three", "three"});
  CHECK(frontend.sent[0].channel == "a");
  CHECK(frontend.sent[1].channel == "b");
  CHECK(frontend.sent[0].key == "k1@a");
  CHECK(frontend.sent[0].reply_to == "");
  CHECK(frontend.sent[2].channel == "a");
  CHECK(frontend.sent[2].reply_to == "m1");
  CHECK(frontend.sent[2].key == "r:discord:m1");
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
  outbox.Notice("deploy", "api", "k", Say("y"));
  Close(loop, outbox);
  Names places;
  for (const Outgoing& sent : frontend.sent) places.push_back(sent.text + " in " + sent.channel);
  CHECK(places == Names{"x in all", "y in all", "y in api", "y in deploys"});
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
  Names places;
  for (const Outgoing& sent : frontend.sent) places.push_back(sent.text + ": " + sent.channel);
  CHECK(places == Names{"skipped in a: b", "another service: a", "another service: b", "everywhere: a", "everywhere: b",
                        "after: a", "after: b"});
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

TEST_CASE("what had to be left out is said before the next message, and answers are not left out") {
  boost::asio::io_context loop;
  FakeFrontend frontend("discord");
  frontend.dialect.limit = 20;
  async::Event& gate = frontend.HoldSends(loop.get_executor());
  Outbox outbox(loop.get_executor());
  outbox.Add(frontend);
  outbox.Reply(frontend, "c1", "m0", "r:discord:m0", Say("answer in flight"));
  Settle(loop);
  for (int i = 0; i < 3; ++i) outbox.Reply(frontend, "c1", "m", "r:discord:m" + std::to_string(i), Say("answer"));
  const int notices = static_cast<int>(Outbox::kCapacity) + 7;
  for (int i = 0; i < notices; ++i) {
    outbox.Notice("service", "api", "k" + std::to_string(i), Say("notice number " + std::to_string(1000 + i)));
  }
  gate.Set();
  Close(loop, outbox);
  const Names texts = frontend.Texts();
  REQUIRE(texts.size() == 5 + Outbox::kCapacity - 3);
  CHECK(texts[0] == "answer in flight");
  // 7 over the capacity, and 3 places taken by answers.
  CHECK(texts[1] == "10 notices left out");
  CHECK(texts[2] == "answer");
  CHECK(texts[4] == "answer");
  CHECK(texts[5] == "notice number 1010");
  CHECK(texts.back() == "notice number 1506");
}

TEST_CASE("an answer pushes a notice out when the queue is full, and each channel hears its own count") {
  boost::asio::io_context loop;
  FakeFrontend frontend("discord", {{.id = "quiet", .services = {"rare"}, .notices = {}},
                                    {.id = "busy", .services = {"often"}, .notices = {}}});
  frontend.dialect.limit = 30;
  async::Event& gate = frontend.HoldSends(loop.get_executor());
  Outbox outbox(loop.get_executor());
  outbox.Add(frontend);
  outbox.Reply(frontend, "busy", "m", "first", Say("in flight"));
  Settle(loop);
  outbox.Notice("service", "rare", "k", Say("one rare thing"));
  for (std::size_t i = 0; i < Outbox::kCapacity; ++i)
    outbox.Notice("service", "often", "k", Say("something that happens"));
  outbox.Reply(frontend, "busy", "m2", "second", Say("late answer"));
  gate.Set();
  Close(loop, outbox);
  std::size_t rare_left_out = 0;
  std::size_t busy_left_out = 0;
  for (const Outgoing& sent : frontend.sent) {
    if (sent.text != "1 notice left out") continue;
    ++(sent.channel == "quiet" ? rare_left_out : busy_left_out);
  }
  CHECK(rare_left_out == 1);
  CHECK(busy_left_out == 1);
  bool answered = false;
  for (const Outgoing& sent : frontend.sent) answered = answered || sent.text == "late answer";
  CHECK(answered);
}

TEST_CASE("a flood of notices becomes few messages, in order") {
  boost::asio::io_context loop;
  FakeFrontend frontend("discord",
                        {{.id = "a", .services = {}, .notices = {}}, {.id = "b", .services = {"web"}, .notices = {}}});
  async::Event& gate = frontend.HoldSends(loop.get_executor());
  Outbox outbox(loop.get_executor());
  outbox.Add(frontend);
  outbox.Notice("service", "api", "first", Say("first"));
  Settle(loop);
  for (int i = 0; i < 150; ++i)
    outbox.Notice("service", "api", "k" + std::to_string(i), Say("exit " + std::to_string(i)));
  outbox.Notice("service", "web", "w", Say("web"));
  outbox.Reply(frontend, "a", "m", "r", Say("answer"));
  gate.Set();
  Close(loop, outbox);
  Names in_a;
  Names in_b;
  for (const Outgoing& sent : frontend.sent) {
    CHECK(base::RuneCount(sent.text) <= 2000);
    Names& lines = sent.channel == "a" ? in_a : in_b;
    for (const std::string_view line : base::Split(sent.text, '\n')) lines.emplace_back(line);
  }
  CHECK(frontend.sent.size() <= 5);
  REQUIRE(in_a.size() == 153);
  CHECK(in_a.front() == "first");
  CHECK(in_a[1] == "exit 0");
  CHECK(in_a[150] == "exit 149");
  CHECK(in_a[151] == "web");
  CHECK(in_a[152] == "answer");
  CHECK(in_b == Names{"web"});
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
  CHECK(frontend.sent.size() == Outbox::kCapacity);
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
  Outbox outbox(loop.get_executor(), masker);
  outbox.Add(frontend);
  Message message = Say("it is hunter2-token");
  message.code = "hunter2-\x1b[1mtoken";
  outbox.Notice("service", "api", "k", message);
  outbox.Reply(frontend, "c1", "m", "r", message);
  Close(loop, outbox);
  CHECK(frontend.Texts() == Names{"it is ***\n```\n***\n```", "it is ***\n```\n***\n```"});
}

}  // namespace
}  // namespace shipmate::chat
