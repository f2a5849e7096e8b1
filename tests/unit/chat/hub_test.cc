#include "chat/hub.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/log.h"
#include "unit/chat/bridge.h"

namespace shipmate::chat {
namespace {

using tests::Bridge;
using tests::ProcessService;
using tests::Sleeper;
using Names = std::vector<std::string>;

TEST_CASE("a command is answered in its channel, to its message") {
  Bridge bridge({Sleeper("api")});
  bridge.hub->Receive(Bridge::By("!count", "other"));
  REQUIRE(bridge.Hears("0/1 running"));
  REQUIRE(bridge.frontend.sent.size() == 1);
  const Outgoing& sent = bridge.frontend.sent[0];
  CHECK(sent.channel == "other");
  CHECK(sent.reply_to == "m1");
  CHECK(sent.key == "r:discord:m1");
}

TEST_CASE("talk is not answered, a command that cannot be read is") {
  Bridge bridge({Sleeper("api")});
  bridge.hub->Receive(Bridge::By("good morning"));
  bridge.hub->Receive(Bridge::By("!!!"));
  bridge.hub->Receive(Bridge::By("!deploy \u0430pi"));
  REQUIRE(bridge.Hears("cannot read \"\\u0430pi\""));
  CHECK(bridge.frontend.sent.size() == 1);
  CHECK(bridge.machine.Run(bridge.hub->Ask(Bridge::By("good morning"))) == std::nullopt);
}

TEST_CASE("an addressed text needs no prefix") {
  Bridge bridge({Sleeper("api")});
  Incoming incoming = Bridge::By("count");
  incoming.addressed = true;
  bridge.hub->Receive(incoming);
  CHECK(bridge.Hears("0/1 running"));
}

TEST_CASE("what a command changed is told once where it was given, and as a notice elsewhere") {
  Bridge bridge({Sleeper("api")});
  bridge.hub->Receive(Bridge::By("!start api", "ops"));
  REQUIRE(bridge.Hears("**api**: started (pid"));
  REQUIRE(bridge.machine.Until([&] { return bridge.Posted("other").size() == 1; }));
  bridge.machine.Settle();
  REQUIRE(bridge.Posted("ops").size() == 1);
  CHECK(bridge.Posted("ops")[0].starts_with("**api**: started (pid"));
  CHECK(bridge.Posted("other") == Names{"**api**: started"});
}

TEST_CASE("an exit is told everywhere") {
  Bridge bridge({ProcessService("job", "sleep 0.5; echo out of paper; exit 3")});
  bridge.Say("!start job");
  REQUIRE(bridge.Hears("exited with status 3"));
  REQUIRE(bridge.machine.Until([&] { return bridge.frontend.sent.size() >= 3; }));
  for (const std::string& channel : {std::string("ops"), std::string("other")}) {
    const std::string last = bridge.Posted(channel).back();
    CHECK(last.starts_with("**job**: exited with status 3"));
    CHECK(last.contains("out of paper"));
  }
}

TEST_CASE("a slow command does not hold up a quick one") {
  auto stubborn = ProcessService("stubborn", "trap '' TERM; while :; do sleep 1; done");
  stubborn.stop_timeout = std::chrono::seconds(2);
  Bridge bridge({stubborn, Sleeper("api")});
  bridge.Say("!start stubborn");
  bridge.hub->Receive(Bridge::By("!stop stubborn"));
  bridge.hub->Receive(Bridge::By("!count"));
  REQUIRE(bridge.Hears("running"));
  CHECK_FALSE(bridge.Posted("ops").back().contains("stopped"));
  CHECK(bridge.Hears("**stubborn**: stopped"));
}

TEST_CASE("a command that takes long is acknowledged, and its answer takes the place of that") {
  for (const bool edits : {true, false}) {
    auto stubborn = ProcessService("stubborn", "trap '' TERM; while :; do sleep 1; done");
    stubborn.stop_timeout = std::chrono::seconds(3);
    Bridge bridge({stubborn}, tests::TwoChannels(), tests::AliceIsAdmin(), tests::Recording::kOff,
                  {.edits = edits, .lasting = true});
    bridge.Say("!start stubborn");
    bridge.hub->Receive(Bridge::By("!stop stubborn"));
    REQUIRE(bridge.Hears("Working on `!stop stubborn` ..."));
    REQUIRE(bridge.machine.Until([&] {
      return edits ? !bridge.frontend.edits.empty() : bridge.Posted("ops").back() == "**stubborn**: stopped";
    }));
    if (!edits) continue;
    CHECK(bridge.frontend.edits[0].text == "**stubborn**: stopped");
    CHECK(bridge.frontend.edits[0].channel == "ops");
    CHECK_FALSE(std::ranges::count(bridge.Posted("ops"), "**stubborn**: stopped") > 0);
  }
}

TEST_CASE("the answer to a deploy is the post that tells of it") {
  auto site = Sleeper("site");
  site.dir = "/";
  site.deploy = {"true"};
  Bridge bridge({site}, tests::TwoChannels(), tests::AliceIsAdmin(), tests::Recording::kOff,
                {.edits = true, .lasting = true, .edit_interval = std::chrono::milliseconds(0)});
  bridge.hub->Receive(Bridge::By("!deploy site"));
  REQUIRE(bridge.machine.Until([&] {
    return std::ranges::count_if(bridge.frontend.edits, [](const Revision& edit) {
             return edit.text.starts_with("Deploy of **site** succeeded.");
           }) == 2;
  }));
  CHECK(bridge.Posted("ops").size() == 1);
  CHECK(bridge.Posted("other").size() == 1);
  CHECK(bridge.frontend.sent[0].reply_to == "m1");
}

TEST_CASE("too many commands at once are told so, and every one is answered") {
  Bridge bridge({Sleeper("api")});
  bridge.frontend.dialect.limit = 2000;
  for (int i = 0; i < 100; ++i) bridge.hub->Receive(Bridge::By("!count"));
  REQUIRE(bridge.machine.Until([&] { return bridge.frontend.sent.size() == 100; }));
  std::size_t refused = 0;
  for (const std::string& text : bridge.frontend.Texts()) {
    refused += text == "too many commands at once, try again" ? 1 : 0;
  }
  CHECK(refused == 100 - Hub::kRunningLimit);
}

TEST_CASE("closing takes no more commands and answers the running ones as interrupted") {
  auto stubborn = ProcessService("stubborn", "trap '' TERM; while :; do sleep 1; done");
  stubborn.stop_timeout = std::chrono::seconds(5);
  Bridge bridge({stubborn});
  bridge.Say("!start stubborn");
  bridge.hub->Receive(Bridge::By("!stop stubborn"));
  bridge.machine.Run(bridge.hub->Close(std::chrono::milliseconds(50)));
  bridge.hub->Receive(Bridge::By("!count"));
  CHECK(bridge.Hears("stop: interrupted, Shipmate is shutting down"));
  const auto answer = bridge.machine.Run(bridge.hub->Ask(Bridge::By("!count")));
  REQUIRE(answer.has_value());
  CHECK(answer->headline.Bare() == "shutting down");
}

TEST_CASE("T-18: a command is one line in the log, whatever it contains") {
  Bridge bridge({Sleeper("api")}, tests::TwoChannels(), std::nullopt);
  const std::string path = bridge.machine.dir / "bot.log";
  base::InitLog({.level = base::LogLevel::kInfo, .file = path, .masker = nullptr});
  Incoming incoming = Bridge::By("!status \"x\nINFO forged: line\"");
  incoming.actor.name = "mallory\nINFO forged\x1b[2J\u202e";
  incoming.actor.id = "7\r\n";
  static_cast<void>(bridge.machine.Run(bridge.hub->Ask(incoming)));
  base::ShutdownLog();
  const std::string log = tests::ReadText(path);
  CHECK(std::ranges::count(log, '\n') == 1);
  CHECK(log.contains(
      "command: platform=discord channel=\"ops\" actor=\"7\\r\\n\" name=\"mallory\\nINFO forged\\x1b[2J\\u202e\""));
  CHECK_FALSE(log.contains('\x1b'));
}

TEST_CASE("completion") {
  Bridge bridge({Sleeper("web-1"), Sleeper("web-2"), Sleeper("api")});
  Hub& hub = *bridge.hub;
  CHECK(hub.Complete("re") == Names{"reject", "reload", "restart"});
  CHECK(hub.Complete("!re") == Names{"!reject", "!reload", "!restart"});
  CHECK(hub.Complete("restart w") == Names{"web-1", "web-2"});
  CHECK(hub.Complete("!restart api w") == Names{"web-1", "web-2"});
  CHECK(hub.Complete("logs ") == Names{"api", "web-1", "web-2"});
  CHECK(hub.Complete("logs api ") == Names{});
  CHECK(hub.Complete("help st") == Names{"st", "start", "start-all", "status", "stop", "stop-all"});
  CHECK(hub.Complete("nosuch a") == Names{});
  CHECK(hub.Complete("count ") == Names{});
  CHECK(hub.Complete("").size() == bridge.verbs.Names().size());
}

}  // namespace
}  // namespace shipmate::chat
