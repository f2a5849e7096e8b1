#include "chat/access.h"

#include <doctest/doctest.h>

#include "base/log.h"
#include "unit/chat/bridge.h"

namespace shipmate::chat {
namespace {

using config::AccessConfig;
using config::AccessGrant;
using config::Role;
using tests::Bridge;
using tests::Sleeper;

AccessGrant To(Role role, std::vector<std::string> discord) {
  AccessGrant grant;
  grant.role = role;
  grant.discord = std::move(discord);
  return grant;
}

Actor Person(std::string id, std::vector<std::string> roles = {}) {
  return {.platform = "discord", .id = std::move(id), .name = "alice", .roles = std::move(roles)};
}

Incoming By(std::string id, std::string text, std::vector<std::string> roles = {}, std::string channel = "ops") {
  Incoming incoming = Bridge::By(std::move(text), std::move(channel));
  incoming.actor = Person(std::move(id), std::move(roles));
  return incoming;
}

// 1 is admin, 2 operator, 3 viewer, 4 nobody; role 70 is operator of web*; 5 is operator in "ops" only.
AccessConfig Team() {
  AccessGrant web;
  web.role = Role::kOperator;
  web.discord_roles = {"70"};
  web.services = {"web*"};
  AccessGrant here = To(Role::kOperator, {"5"});
  here.channels = {"ops"};
  return {.grants = {To(Role::kAdmin, {"1"}), To(Role::kOperator, {"2"}), To(Role::kViewer, {"3"}), web, here}};
}

TEST_CASE("the highest role that fits counts") {
  const Access access(Team());
  CHECK(access.Highest(Person("1"), "ops") == Role::kAdmin);
  CHECK(access.Highest(Person("3"), "ops") == Role::kViewer);
  CHECK(access.Highest(Person("3", {"70"}), "ops") == Role::kOperator);
  CHECK(access.Everywhere(Person("3", {"70"}), "ops") == Role::kViewer);
  CHECK(access.On("web-1", Person("3", {"70"}), "ops") == Role::kOperator);
  CHECK(access.On("api", Person("3", {"70"}), "ops") == Role::kViewer);
  CHECK(access.On("api", Person("4", {"70"}), "ops") == std::nullopt);
  CHECK(access.Highest(Person("5"), "ops") == Role::kOperator);
  CHECK(access.Highest(Person("5"), "other") == std::nullopt);
  CHECK(access.Highest(Person("4"), "ops") == std::nullopt);
}

TEST_CASE("who writes directly has what he is named for, and nothing that is for everyone in a channel") {
  AccessConfig config = Team();
  config.grants[2].everyone = true;
  const Access access(config);
  Actor stranger = Person("9");
  CHECK(access.Highest(stranger, "dm") == Role::kViewer);
  stranger.direct = true;
  CHECK(access.Highest(stranger, "dm") == std::nullopt);
  Actor named = Person("2");
  named.direct = true;
  CHECK(access.Highest(named, "dm") == Role::kOperator);
  CHECK(Access(std::nullopt).Highest(named, "dm") == std::nullopt);
}

TEST_CASE("only the id of the right platform counts, never a name") {
  AccessConfig config = Team();
  config.grants.push_back({.role = Role::kAdmin, .mattermost = {"abcdefghijklmnopqrstuvwx12"}});
  const Access access(config);
  Actor actor = Person("4");
  actor.name = "1";
  CHECK(access.Highest(actor, "ops") == std::nullopt);
  CHECK(access.Highest(Person(""), "ops") == std::nullopt);
  CHECK(access.Highest({.platform = "mattermost", .id = "1", .name = ""}, "ops") == std::nullopt);
  CHECK(access.Highest({.platform = "matrix", .id = "1", .name = ""}, "ops") == std::nullopt);
  CHECK(access.Highest({.platform = "mattermost", .id = "abcdefghijklmnopqrstuvwx12", .name = ""}, "x") ==
        Role::kAdmin);
  CHECK(access.Highest(Person("abcdefghijklmnopqrstuvwx12"), "x") == std::nullopt);
  // A role's id is no person's, nor the other way round.
  CHECK(access.Highest(Person("70"), "ops") == std::nullopt);
  CHECK(access.Highest(Person("4", {"1"}), "ops") == std::nullopt);
}

TEST_CASE("without the section everybody in the channels is an operator, and the console an admin") {
  const Access access(std::nullopt);
  CHECK(access.Highest(Person("4"), "ops") == Role::kOperator);
  CHECK(access.Highest({.platform = "console", .id = "root", .name = ""}, "console") == Role::kAdmin);
  CHECK(Access(Team()).Everywhere({.platform = "console", .id = "root", .name = ""}, "console") == Role::kAdmin);
  CHECK(access.Describe() ==
        "access: config.yaml has no `access:` section: whoever speaks in a configured channel is an operator; only the "
        "console is an admin");
  CHECK(Access(Team()).Describe() == "access: 4 people and 1 Discord roles are named; all others are refused");

  Bridge bridge({Sleeper("api")}, tests::TwoChannels(), std::nullopt);
  CHECK(bridge.Say("!start api").contains("started"));
  CHECK(bridge.Say("!stop-all") ==
        "Not allowed: `stop-all` needs the role **admin**; you are an operator here.\n"
        "To get it: in config.yaml, put your id `42` under `access.admin.discord`, and restart Shipmate.");
  CHECK(bridge.machine.Pid("api") > 0);
  CHECK(bridge.Say("!help reload").contains("\nneeds the role admin"));
  CHECK_FALSE(bridge.Say("!help").contains("`reload`"));
}

TEST_CASE("who is not named gets only the refusal, whatever he types") {
  Bridge bridge({Sleeper("api")}, tests::TwoChannels(), Team());
  bridge.Hear(By("2", "!start api"));
  const int pid = bridge.machine.Pid("api");
  REQUIRE(pid > 0);
  CHECK(bridge.Hear(By("4", "!stop api")) ==
        "Not allowed: `stop` needs the role **operator**; you have none here.\n"
        "To get it: in config.yaml, put your id `4` under `access.operator.discord`, and restart Shipmate.");
  const std::string nothing =
      "Not allowed: you have no role here.\n"
      "To get it: in config.yaml, put your id `4` under `access.viewer.discord`, and restart Shipmate.";
  CHECK(bridge.Hear(By("4", "!frobnicate")) == nothing);
  CHECK(bridge.Hear(By("4", "!stop \"api")) == nothing);
  for (const std::string& text : {std::string("!help"), std::string("!status nosuch"), std::string("!logs api"),
                                  std::string("!list"), std::string("!stop *")}) {
    CAPTURE(text);
    const std::string said = bridge.Hear(By("4", text));
    CHECK(said.starts_with("Not allowed: "));
    CHECK_FALSE(said.contains("nosuch"));
  }
  CHECK(bridge.Hear(By("4", "good morning")).empty());
  CHECK(bridge.machine.Pid("api") == pid);
}

TEST_CASE("each role may do what its commands say") {
  Bridge bridge({Sleeper("api")}, tests::TwoChannels(), Team());
  CHECK(bridge.Hear(By("3", "!list")) == "1 service:\napi");
  CHECK(bridge.Hear(By("3", "!start api"))
            .starts_with("Not allowed: `start` needs the role **operator**; you are a viewer here."));
  CHECK(bridge.machine.Pid("api") == 0);
  CHECK(bridge.Hear(By("2", "!start api")).contains("started"));
  CHECK(bridge.Hear(By("2", "!stop-all")).starts_with("Not allowed: "));
  CHECK(bridge.Hear(By("1", "!stop-all")) == "1 stopped");
  CHECK(bridge.Hear(By("5", "!list", {}, "other")).starts_with("Not allowed: "));
  CHECK(bridge.Hear(By("5", "!list")) == "1 service:\napi");
}

TEST_CASE("a role for some services ends at their edge") {
  Bridge bridge({Sleeper("api"), Sleeper("web-1"), Sleeper("web-2")}, tests::TwoChannels(), Team());
  const std::vector<std::string> web = {"70"};
  // Somebody without any role on it does not even learn that it is there.
  CHECK(bridge.Hear(By("4", "!start apj", web)).starts_with("service \"apj\" not found"));
  CHECK_FALSE(bridge.Hear(By("4", "!start apj", web)).contains("api"));
  CHECK(bridge.Hear(By("4", "!list", web)) == "2 services:\nweb-1\nweb-2");
  CHECK(bridge.Hear(By("4", "!count", web)) == "0/2 running");
  CHECK_FALSE(bridge.Hear(By("4", "!status", web)).contains("api"));
  // A viewer of all sees it, and is told what is missing; nothing is done to the others.
  CHECK(bridge.Hear(By("3", "!start web-1 api", web)) ==
        "Not allowed: `start` on **api** needs the role **operator**; you are a viewer here.\n"
        "To get it: in config.yaml, put your id `3` under `access.operator.discord`, and restart Shipmate.");
  CHECK(bridge.machine.Pid("web-1") == 0);
  CHECK(bridge.Hear(By("3", "!start-all", web)) == "2 started");
  CHECK(bridge.machine.Pid("api") == 0);
  CHECK(bridge.machine.Pid("web-1") > 0);
  CHECK(bridge.Hear(By("3", "!list", web)) == "3 services:\napi\nweb-1\nweb-2");
}

TEST_CASE("a channel's limit and a role's limit both hold") {
  std::vector<config::ChannelConfig> channels = tests::TwoChannels();
  channels[0].services = {"api", "web-1"};
  Bridge bridge({Sleeper("api"), Sleeper("web-1"), Sleeper("web-2")}, channels, Team());
  CHECK(bridge.Hear(By("4", "!start-all", {"70"})) == "1 started");
  CHECK(bridge.machine.Pid("web-1") > 0);
  CHECK(bridge.machine.Pid("web-2") == 0);
  CHECK(bridge.Hear(By("4", "!start web-2", {"70"})) == "service \"web-2\" cannot be reached from this channel");
  AccessGrant none = To(Role::kOperator, {"9"});
  none.services = {"nothing-*"};
  const Access access(AccessConfig{.grants = {none}});
  CHECK(access.Highest(Person("9"), "ops") == Role::kOperator);
}

TEST_CASE("a role on services that are not there is a role on nothing") {
  AccessGrant none = To(Role::kAdmin, {"9"});
  none.services = {"nothing-*"};
  Bridge bridge({Sleeper("api")}, tests::TwoChannels(), AccessConfig{.grants = {none}});
  CHECK(bridge.Hear(By("9", "!stop-all")).starts_with("Not allowed: `stop-all`"));
  CHECK(bridge.Hear(By("9", "!status")).starts_with("Not allowed: "));
  CHECK(bridge.Hear(By("9", "!logs api")).starts_with("service \"api\" not found"));
}

TEST_CASE("a refusal is logged with the id") {
  Bridge bridge({Sleeper("api")}, tests::TwoChannels(), Team());
  const std::string path = bridge.machine.dir / "bot.log";
  base::InitLog({.level = base::LogLevel::kInfo, .file = path, .masker = nullptr});
  bridge.Hear(By("4", "!stop api"));
  base::ShutdownLog();
  CHECK(
      tests::ReadText(path).contains("command refused: needs operator, has none: platform=discord channel=\"ops\" "
                                     "actor=\"4\" name=\"alice\" text=\"!stop api\""));
}

TEST_CASE("the console is not asked") {
  Bridge bridge({Sleeper("api")}, tests::TwoChannels(), AccessConfig{});
  Incoming incoming = By("root", "!stop-all");
  incoming.actor.platform = "console";
  CHECK(bridge.Hear(incoming) == "1 already stopped");
}

}  // namespace
}  // namespace shipmate::chat
