#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "config/load.h"
#include "support.h"

using namespace shipmate::config;
using shipmate::tests::TempDir;

namespace {

LoadResult<Config> Load(const std::string& text) {
  const TempDir dir;
  auto loaded = LoadConfig(dir.Write("config.yaml", text));
  if (!loaded) {
    for (std::string& problem : loaded.error()) problem.erase(0, problem.find("config.yaml:"));
  }
  return loaded;
}

// What is wrong with `access:`, whose lines below it are given.
Problems Bad(const std::string& lines) {
  const auto loaded = Load("access:\n" + lines);
  return loaded ? Problems{"(accepted)"} : loaded.error();
}

}  // namespace

TEST_CASE("roles, members and grants are as written") {
  const auto loaded = Load(
      "access:\n"
      "  admin:\n"
      "    discord: [\"220000000000000002\"]\n"
      "  operator:\n"
      "    discord_roles: [\"550000000000000005\"]\n"
      "    mattermost: [\"abcdefghijklmnopqrstuvwx12\"]\n"
      "  viewer:\n"
      "    everyone: true\n"
      "  grants:\n"
      "    - role: operator\n"
      "      discord: [\"220000000000000003\"]\n"
      "      services: [api, \"web*\"]\n"
      "      channels: [\"440000000000000004\"]\n");
  REQUIRE(loaded.has_value());
  CHECK(loaded->warnings.empty());
  const AccessConfig expected{.grants = {{.role = Role::kAdmin, .discord = {"220000000000000002"}},
                                         {.role = Role::kOperator,
                                          .discord_roles = {"550000000000000005"},
                                          .mattermost = {"abcdefghijklmnopqrstuvwx12"}},
                                         {.role = Role::kViewer, .everyone = true},
                                         {.role = Role::kOperator,
                                          .discord = {"220000000000000003"},
                                          .services = {"api", "web*"},
                                          .channels = {"440000000000000004"}}}};
  CHECK((loaded->value.access == expected) == true);
}

TEST_CASE("no section is not the same as one that names nobody") {
  CHECK_FALSE(Load("prefix: \"!\"\n")->value.access.has_value());
  const auto empty = Load("access: {}\n");
  REQUIRE(empty.has_value());
  REQUIRE(empty->value.access.has_value());
  CHECK(empty->value.access->grants.empty());
  REQUIRE(empty->warnings.size() == 1);
  CHECK(empty->warnings[0].ends_with("access: names nobody: only the console can command anything"));
  // Blank, it could be meant either way.
  CHECK(Load("access:\n").error() ==
        Problems{"config.yaml:1:1: access: names nobody; leave the key out to let everybody in the channels be an "
                 "operator"});
}

TEST_CASE("a name where an id is needed, an empty id and an unknown role are told with their place") {
  CHECK(Bad("  admin:\n    discord: [alice]\n") ==
        Problems{"config.yaml:3:15: access.admin.discord: \"alice\" is not a Discord user id, and names are not taken: "
                 "it has 17 to 20 digits; turn on Developer Mode in Discord, then right-click the person and choose "
                 "\"Copy User ID\""});
  CHECK(Bad("  admin:\n    discord: [\"\"]\n")[0].starts_with(
      "config.yaml:3:15: access.admin.discord: an empty text is not a Discord user id; "));
  CHECK(Bad("  operator:\n    discord_roles: [\"@ops\"]\n")[0].starts_with(
      "config.yaml:3:21: access.operator.discord_roles: \"@ops\" is not a Discord role id, and names are not taken"));
  CHECK(Bad("  viewer:\n    mattermost: [bob]\n")[0].starts_with(
      "config.yaml:3:18: access.viewer.mattermost: \"bob\" is not a Mattermost user id, and names are not taken"));
  CHECK(Bad("  amdin:\n    discord: []\n") ==
        Problems{"config.yaml:2:3: unknown key \"amdin\" in access (did you mean \"admin\"?)"});
  CHECK(Bad("  opertor:\n    discord: []\n")[0].starts_with("config.yaml:2:3: unknown key \"opertor\" in access"));
  CHECK(Bad("  grants:\n    - role: boss\n      discord: [\"220000000000000002\"]\n") ==
        Problems{"config.yaml:3:13: access.grants[1].role: expected one of viewer, operator, admin, found \"boss\""});
  CHECK(Bad("  admin: alice\n")[0].starts_with("config.yaml:2:10: access.admin: expected a mapping"));
  CHECK(
      Bad("  admin:\n    discord: alice\n")[0].starts_with("config.yaml:3:14: access.admin.discord: expected a list"));
  CHECK(Bad("  admin:\n    discord: [\"220000000000000002\", \"220000000000000002\"]\n")[0] ==
        "config.yaml:3:37: access.admin.discord: 220000000000000002 is there twice");
}

TEST_CASE("what would grant more than it says is refused") {
  const std::string who = "      discord: [\"220000000000000002\"]\n";
  CHECK(Bad("  admin:\n    everyone: true\n") ==
        Problems{"config.yaml:3:15: access.admin.everyone: an admin must be named, by id"});
  CHECK(Bad("  grants:\n    - role: operator\n" + who + "      services: []\n") ==
        Problems{"config.yaml:5:17: access.grants[1].services: names nothing; leave the key out for all"});
  CHECK(Bad("  grants:\n    - role: operator\n" + who + "      channels:\n") ==
        Problems{"config.yaml:5:7: access.grants[1].channels: names nothing; leave the key out for all"});
  CHECK(Bad("  grants:\n    - role: operator\n" + who + "      channels: [ops]\n")[0].starts_with(
      "config.yaml:5:18: access.grants[1].channels: \"ops\" is not a channel's id, and names are not taken"));
  CHECK(Bad("  grants:\n    - role: operator\n" + who + "      services: [\"../x\"]\n")[0].starts_with(
      "config.yaml:5:18: access.grants[1].services: \"../x\" is no service name"));
  CHECK(Bad("  grants:\n    - role: operator\n      services: [api]\n") ==
        Problems{"config.yaml:3:7: access.grants[1].discord: the grant names nobody"});
  CHECK(Bad("  grants:\n    - discord: [\"220000000000000002\"]\n") ==
        Problems{"config.yaml:3:7: access.grants[1].role: is missing"});
}
