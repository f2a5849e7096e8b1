#include <doctest/doctest.h>

#include "unit/chat/bridge.h"

namespace shipmate::chat {
namespace {

using history::CommandRecord;
using tests::Bridge;
using tests::Recording;
using tests::Sleeper;

config::AccessConfig AliceAndBob() {
  config::AccessConfig access = tests::AliceIsAdmin();
  config::AccessGrant bob;
  bob.role = config::Role::kViewer;
  bob.discord = {"7"};
  access.grants.push_back(bob);
  return access;
}

Incoming From(std::string id, std::string name, std::string text, std::string message_id) {
  Incoming incoming = Bridge::By(std::move(text));
  incoming.actor.id = std::move(id);
  incoming.actor.name = std::move(name);
  incoming.message_id = std::move(message_id);
  return incoming;
}

TEST_CASE("every command is recorded: who, where, what, what was decided and what came of it") {
  Bridge bridge({Sleeper("api")}, tests::TwoChannels(), AliceAndBob(), Recording::kOn);
  bridge.Hear(From("42", "alice", "!stop api", "1"));
  bridge.Hear(From("7", "bob", "!stop api", "2"));
  bridge.Hear(From("42", "alice", "!stop apj", "3"));
  bridge.Hear(From("42", "alice", "good morning", "4"));
  const auto rows = bridge.audit->Latest(10);
  REQUIRE(rows.has_value());
  REQUIRE(rows->size() == 3);
  const CommandRecord expected{.platform = "discord",
                               .message_id = "1",
                               .channel = "ops",
                               .actor_id = "42",
                               .actor_name = "alice",
                               .text = "!stop api",
                               .decision = "allowed",
                               .result = "api: already stopped",
                               .at = bridge.machine.clock.WallNow()};
  CHECK((rows->at(2) == expected) == true);
  CHECK(rows->at(1).decision == "refused: needs operator, has viewer");
  CHECK(rows->at(1).actor_id == "7");
  CHECK(rows->at(0).decision == "not understood");

  bridge.machine.clock.Advance(std::chrono::minutes(5));
  CHECK(bridge.Say("!audit 2") ==
        "The last 2 commands, the newest first:\n"
        "0s ago **alice** (discord 42, in ops) `!audit 2`: not answered yet\n"
        "5m ago **alice** (discord 42, in ops) `!stop apj`: not understood");
  CHECK(bridge.Say("!audit 51").ends_with("at most 50 lines"));
  CHECK(bridge.Hear(From("7", "bob", "!audit", "9")).starts_with("Not allowed: `audit` needs the role **admin**"));
}

TEST_CASE("T-18: a record stays one line, whatever names and texts contain") {
  Bridge bridge({Sleeper("api")}, tests::TwoChannels(), AliceAndBob(), Recording::kOn);
  bridge.Hear(From("8", "mallory\nadmin\x1b[2J\u202e", "!stop api\n!stop web", "1"));
  const std::string said = bridge.Say("!audit 2");
  CHECK(std::ranges::count(said, '\n') == 2);
  CHECK(
      said.ends_with("**mallory\\nadmin\\x1b[2J\\u202e** (discord 8, in ops) `!stop api\\n!stop web`: refused: needs "
                     "viewer, has none"));
}

TEST_CASE("a message that was acted upon does nothing again, after a restart either") {
  Bridge bridge({Sleeper("api")}, tests::TwoChannels(), AliceAndBob(), Recording::kOn);
  bridge.hub->Receive(From("42", "alice", "!start api", "1"));
  REQUIRE(bridge.Hears("started (pid"));
  const int pid = bridge.machine.Pid("api");
  bridge.Say("!stop api");
  bridge.MakeHub();
  bridge.hub->Receive(From("42", "alice", "!start api", "1"));
  CHECK(bridge.Hear(From("42", "alice", "!start api", "1")).empty());
  bridge.machine.Settle();
  CHECK(pid > 0);
  CHECK(bridge.machine.Pid("api") == 0);
  CHECK(bridge.Posted("ops").size() == 1);
}

TEST_CASE("what a dead run left unanswered is answered once") {
  Bridge bridge({Sleeper("api")}, tests::TwoChannels(), AliceAndBob(), Recording::kOn);
  for (const std::string& platform : {std::string("discord"), std::string("console")}) {
    CommandRecord left{.platform = platform, .message_id = "old", .channel = "ops", .text = "!restart api"};
    left.decision = "allowed";
    REQUIRE(bridge.audit->Begin(left).has_value());
  }
  bridge.machine.clock.Advance(std::chrono::seconds(90));
  bridge.hub->AnswerInterrupted();
  bridge.hub->AnswerInterrupted();
  REQUIRE(bridge.Hears("`!restart api` was interrupted by a restart of Shipmate (1m 30s ago)."));
  bridge.machine.Settle();
  REQUIRE(bridge.frontend.sent.size() == 1);
  CHECK(bridge.frontend.sent[0].reply_to == "old");
  CHECK(bridge.frontend.sent[0].key == "r:discord:old");
  CHECK(bridge.frontend.sent[0].text.ends_with(
      "\nIt is not run again: look at `!status`, then give it once more if need be."));
  CHECK(bridge.audit->Latest(1)->front().result == "interrupted by a restart");
}

TEST_CASE("a command runs without a record, and its answer says so") {
  Bridge bridge({Sleeper("api")}, tests::TwoChannels(), AliceAndBob(), Recording::kOn);
  REQUIRE(bridge.database->Execute("DROP TABLE command", {}).has_value());
  const std::string said = bridge.Say("!start api");
  CHECK(said.starts_with("**api**: started"));
  CHECK(said.contains("\nnot in the audit trail: database "));
  CHECK(bridge.machine.Pid("api") > 0);
  CHECK(bridge.Say("!audit").starts_with("the audit trail cannot be read: database "));
}

TEST_CASE("what was typed while nobody listened is answered once and not run; talk and what is long past are not") {
  Bridge bridge({Sleeper("api")}, tests::TwoChannels(), AliceAndBob(), Recording::kOn);
  const auto ago = [&](std::chrono::seconds time) { return bridge.machine.clock.WallNow() - time; };
  bridge.hub->Missed(From("42", "alice", "!start api", "1"), ago(std::chrono::seconds(240)));
  bridge.hub->Missed(From("42", "alice", "!start api", "1"), ago(std::chrono::seconds(240)));
  bridge.hub->Missed(From("42", "alice", "good morning", "2"), ago(std::chrono::seconds(240)));
  bridge.hub->Missed(From("42", "alice", "!start api", "3"), ago(std::chrono::minutes(16)));
  REQUIRE(bridge.Hears("missed while offline 4m ago; not run"));
  bridge.machine.Settle();
  REQUIRE(bridge.frontend.sent.size() == 1);
  CHECK(bridge.frontend.sent[0].reply_to == "1");
  CHECK(bridge.machine.Pid("api") == 0);
  CHECK(bridge.audit->Latest(1)->front().decision == "missed");
  // It does not run when it is delivered after all.
  CHECK(bridge.Hear(From("42", "alice", "!start api", "1")).empty());
  CHECK(bridge.machine.Pid("api") == 0);

  CHECK(bridge.hub->LastSeen("discord", "ops").empty());
  bridge.hub->NoteSeen("discord", "ops", "77");
  bridge.hub->NoteSeen("discord", "ops", "78");
  CHECK(bridge.hub->LastSeen("discord", "ops") == "78");
  CHECK(bridge.hub->LastSeen("discord", "other").empty());
  CHECK(bridge.hub->LastSeen("mattermost", "ops").empty());
}

TEST_CASE("whoami tells the id and the role") {
  config::AccessConfig access = AliceAndBob();
  config::AccessGrant web;
  web.role = config::Role::kOperator;
  web.discord_roles = {"70"};
  web.services = {"web*"};
  access.grants.push_back(web);
  Bridge bridge({Sleeper("api"), Sleeper("web-1"), Sleeper("web-2")}, tests::TwoChannels(), access);
  CHECK(bridge.Say("!whoami") == "You are **alice**, discord id `42`.\nYour role here: **admin**");
  Incoming incoming = From("7", "bob", "!whoami", "1");
  incoming.actor.roles = {"70", "71"};
  CHECK(bridge.Hear(incoming) ==
        "You are **bob**, discord id `7`.\nYour role here: **viewer**; **operator** on web-1, web-2\nRole ids: 70, 71");
  incoming.actor.id = "8";
  CHECK(bridge.Hear(incoming).contains("\nYour role here: **operator** on web-1, web-2\n"));
}

}  // namespace
}  // namespace shipmate::chat
