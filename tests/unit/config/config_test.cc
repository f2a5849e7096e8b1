#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "config/load.h"
#include "support.h"

using namespace shipmate::config;
using shipmate::tests::TempDir;

namespace {

Loaded<Config> Good(const std::string& path) {
  auto result = LoadConfig(path);
  if (!result) FAIL(result.error().front());
  return std::move(*result);
}

// The problems of a config.yaml with `text`, each without the path before the line.
Problems Bad(std::string_view text) {
  const TempDir dir;
  const std::string path = dir.Write("config.yaml", text);
  const auto result = LoadConfig(path);
  if (result.has_value()) return {"(accepted)"};
  Problems problems = result.error();
  for (std::string& problem : problems) {
    const std::size_t at = problem.find(path + ":");
    if (at == std::string::npos) FAIL(problem);
    problem.erase(at, path.size() + 1);
  }
  return problems;
}

}  // namespace

TEST_CASE("a config with every key: every field is as written") {
  const TempDir dir;
  const std::string path = dir.Write("config.yaml",
                                     "services_dir: svc\n"
                                     "log_dir: /var/log/shipmate/\n"
                                     "state_dir: ../state\n"
                                     "commands_dir: cmd\n"
                                     "prefix: \"%%\"\n"
                                     "stop_on_exit: true\n"
                                     "discord:\n"
                                     "  guild_id: \"100000000000000001\"\n"
                                     "  channel_id: 100000000000000002\n"
                                     "  channels:\n"
                                     "    - id: 100000000000000003\n"
                                     "      services: [api, web.2]\n"
                                     "      notices: [deploy, webhook]\n"
                                     "    - {id: \"100000000000000002\", notices: [service]}\n"
                                     "  message_content: false\n"
                                     "  api_url: http://127.0.0.1:8000/api/\n"
                                     "  gateway_url: wss://gateway.example\n"
                                     "  ca_file: ca.pem\n"
                                     "mattermost:\n"
                                     "  url: https://chat.example/\n"
                                     "  channel: myteam/ops\n"
                                     "  ca_file: own.pem\n"
                                     "webhook:\n"
                                     "  port: 8080\n"
                                     "dashboard:\n"
                                     "  port: 65535\n");
  const auto loaded = Good(path);
  CHECK(loaded.warnings.empty());
  Config expected;
  expected.base_dir = dir.Path();
  expected.services_dir = dir / "svc";
  expected.log_dir = "/var/log/shipmate";
  expected.state_dir = std::filesystem::path(dir.Path()).parent_path().string() + "/state";
  expected.commands_dir = dir / "cmd";
  expected.prefix = "%%";
  expected.stop_on_exit = true;
  expected.discord = DiscordConfig{
      .guild_id = "100000000000000001",
      .channels = {{.id = "100000000000000002", .services = {}, .notices = {"service"}},
                   {.id = "100000000000000003", .services = {"api", "web.2"}, .notices = {"deploy", "webhook"}}},
      .message_content = false,
      .api_url = "http://127.0.0.1:8000/api",
      .gateway_url = "wss://gateway.example",
      .ca_file = dir / "ca.pem"};
  expected.mattermost = MattermostConfig{.url = "https://chat.example",
                                         .channels = {{.id = "myteam/ops", .services = {}, .notices = {}}},
                                         .ca_file = dir / "own.pem"};
  expected.webhook = WebhookConfig{.address = "127.0.0.1", .port = 8080, .port_alone = true};
  expected.dashboard = DashboardConfig{.port = 65535};
  CHECK(loaded.value == expected);
}

TEST_CASE("several channels on Mattermost, by id or by team and name") {
  const TempDir dir;
  const auto loaded = Good(dir.Write("config.yaml",
                                     "access:\n  admin:\n    mattermost: [abcdefghijklmnopqrstuvwx12]\n"
                                     "  grants:\n    - {role: viewer, everyone: true, channels: [ops/deploys]}\n"
                                     "mattermost:\n"
                                     "  url: https://chat.example/sub/\n"
                                     "  team: ops\n"
                                     "  channels:\n"
                                     "    - {name: deploys, notices: [deploy]}\n"
                                     "    - name: town-square\n"
                                     "      team: dev\n"
                                     "      services: [api]\n"
                                     "    - {id: r5b1r3j8qbtyh3fc1bwn7p1ojo}\n"
                                     "  answers: channel\n"
                                     "  direct_messages: true\n"));
  CHECK(loaded.warnings.empty());
  const MattermostConfig expected{.url = "https://chat.example/sub",
                                  .channels = {{.id = "ops/deploys", .services = {}, .notices = {"deploy"}},
                                               {.id = "dev/town-square", .services = {"api"}, .notices = {}},
                                               {.id = "r5b1r3j8qbtyh3fc1bwn7p1ojo", .services = {}, .notices = {}}},
                                  .answers = MattermostConfig::Answers::kChannel,
                                  .direct_messages = true,
                                  .ca_file = ""};
  CHECK(loaded.value.mattermost == expected);
}

TEST_CASE("only discord: the other sections are off") {
  const TempDir dir;
  const auto loaded = Good(dir.Write("config.yaml",
                                     "discord:\n  guild_id: \"100000000000000001\"\n"
                                     "  channel_id: \"100000000000000002\"\n"));
  REQUIRE(loaded.value.discord.has_value());
  CHECK(loaded.value.discord->guild_id == "100000000000000001");
  CHECK(loaded.value.discord->api_url == "https://discord.com/api/v10");
  CHECK(loaded.value.discord->gateway_url.empty());
  CHECK(loaded.value.discord->message_content);
  CHECK_FALSE(loaded.value.mattermost.has_value());
  CHECK_FALSE(loaded.value.webhook.has_value());
  CHECK_FALSE(loaded.value.dashboard.has_value());
  CHECK(loaded.warnings.empty());
}

TEST_CASE("an empty config has the defaults, beside the file") {
  for (const char* text : {"{}\n", "", "# nothing\n", "discord:\n  # guild_id: x\nwebhook: ~\nprefix:\n"}) {
    CAPTURE(std::string(text));
    const TempDir dir;
    const auto loaded = Good(dir.Write("config.yaml", text));
    Config expected;
    expected.base_dir = dir.Path();
    expected.services_dir = dir / "services";
    expected.log_dir = dir / "logs";
    expected.state_dir = dir / "state";
    CHECK(loaded.value == expected);
    CHECK(loaded.warnings.empty());
  }
}

TEST_CASE("relative paths start where the file is, also when its own path is relative") {
  const TempDir dir;
  dir.Write("a/config.yaml", "{}\n");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(dir.Path());
  const auto loaded = LoadConfig("a/../a/config.yaml");
  std::filesystem::current_path(before);
  REQUIRE(loaded.has_value());
  CHECK(loaded->value.base_dir == dir / "a");
  CHECK(loaded->value.services_dir == dir / "a/services");
}

TEST_CASE("a config that cannot be read") {
  const TempDir dir;
  const auto missing = LoadConfig(dir / "no.yaml");
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error() == Problems{"reading config: " + (dir / "no.yaml") + ": no such file or directory"});
  const auto folder = LoadConfig(dir.Path());
  REQUIRE_FALSE(folder.has_value());
  CHECK(folder.error() == Problems{"reading config: " + dir.Path() + ": not a regular file"});
  const auto large = LoadConfig(dir.Write("large.yaml", std::string(1024 * 1024 + 1, '#')));
  REQUIRE_FALSE(large.has_value());
  CHECK(large.error() == Problems{"reading config: " + (dir / "large.yaml") + ": larger than 1048576 bytes"});
  CHECK(LoadConfig(dir.Write("full.yaml", std::string(1024 * 1024, '#'))).has_value());
  const auto endless = LoadConfig("/dev/zero");
  REQUIRE_FALSE(endless.has_value());
  CHECK(endless.error() == Problems{"reading config: /dev/zero: not a regular file"});
}

TEST_CASE("a config that is no YAML of ours") {
  const TempDir dir;
  const std::string path = dir.Write("config.yaml", "{{invalid");
  const auto invalid = LoadConfig(path);
  REQUIRE_FALSE(invalid.has_value());
  CHECK(invalid.error() == Problems{"parsing config: " + path + ":1:2: the { that opens here is never closed"});
  CHECK(Bad("- a\n") == Problems{"parsing config: 1:1: expected keys with values (\"key: value\"), found a list"});
  CHECK(Bad("prefix: \"!\"\nprefix: \"?\"\n") ==
        Problems{"parsing config: 2:1: key \"prefix\" is given twice, first on line 1; remove one of them"});
}

TEST_CASE("each problem of a config has its place and says what to do") {
  const std::vector<std::pair<std::string, Problems>> cases = {
      {"dicsord:\n  guild_id: x\n", {"1:1: unknown key \"dicsord\" (did you mean \"discord\"?)"}},
      {"colour: red\n", {"1:1: unknown key \"colour\""}},
      {"services_dir: [a]\n", {"1:15: services_dir: expected text, found a list"}},
      {"log_dir: {a: b}\n", {"1:10: log_dir: expected text, found a mapping"}},
      {"state_dir: \"\"\n", {"1:12: state_dir: is empty; leave the key out for the default"}},
      {"stop_on_exit: perhaps\n", {"1:15: stop_on_exit: \"perhaps\" is neither true nor false; write true or false"}},
      {"state_dir: ~/state\n", {"1:12: state_dir: \"~\" is not expanded; write the whole path"}},
      {"log_dir: \"a\\nb\"\n", {"1:10: log_dir: must be one line without control characters"}},
      {"prefix: ops\n", {"1:9: prefix: must be 1 to 8 visible ASCII characters, the first neither letter nor digit"}},
      {"prefix: \"! \"\n",
       {"1:9: prefix: must be 1 to 8 visible ASCII characters, the first neither letter nor digit"}},
      {"prefix: \"!!!!!!!!!\"\n",
       {"1:9: prefix: must be 1 to 8 visible ASCII characters, the first neither letter nor digit"}},
      {"prefix: \"！\"\n",
       {"1:9: prefix: must be 1 to 8 visible ASCII characters, the first neither letter nor digit"}},
      {"discord: yes\n", {"1:10: discord: expected a mapping (\"key: value\" lines below it), found text"}},
      {"webhook: {}\n", {"1:10: webhook.listen: is missing; expected address:port such as 127.0.0.1:8087"}},
      {"webhook: {port: 0}\n", {"1:17: webhook.port: expected a number from 1 to 65535, found \"0\""}},
      {"webhook: {port: 65536}\n", {"1:17: webhook.port: expected a number from 1 to 65535, found \"65536\""}},
      {"webhook: {port: -1}\n", {"1:17: webhook.port: expected a number from 1 to 65535, found \"-1\""}},
      {"dashboard: {port: 010}\n", {"1:19: dashboard.port: expected a number from 1 to 65535, found \"010\""}},
      {"dashboard: {port: 0x50}\n", {"1:19: dashboard.port: expected a number from 1 to 65535, found \"0x50\""}},
      {"dashboard: {port: [1]}\n", {"1:19: dashboard.port: expected a number from 1 to 65535, found a list"}},
      {"mattermost: {url: https://x.example}\n", {"1:13: mattermost.channel: is missing"}},
      {"mattermost: {channel: a/b}\n", {"1:13: mattermost.url: is missing"}},
      {"mattermost:\n  url: chat.example\n  channel: ops\n",
       {"2:8: mattermost.url: must start with https:// or http://",
        "3:12: mattermost.channel: invalid channel \"ops\": use \"team/channel-name\" or the channel's id of 26 "
        "characters"}},
      {"mattermost:\n  url: https://me:hunter22@chat.example\n  channel: abcdefghijklmnopqrstuvwxyz\n",
       {"2:8: mattermost.url: must not hold a user name or password; tokens belong into .env"}},
      {"mattermost:\n  url: https://\n  channel: a/b\n", {"2:8: mattermost.url: is no URL"}},
      {"mattermost:\n  url: https://x.example\n  channels:\n    - name: deploys\n    - {id: short}\n    - {services: "
       "[api]}\n"
       "    - {id: r5b1r3j8qbtyh3fc1bwn7p1ojo, name: x}\n    - {name: A B, team: c/d}\n",
       {"4:7: mattermost.channels[1].team: is missing: a channel's name is one of its team",
        "5:12: mattermost.channels[2].id: a Mattermost id has 26 small letters and digits, found \"short\"; the "
        "channel's menu, View Info, shows it",
        "6:7: mattermost.channels[3].id: is missing; give the channel's id, or its name and team",
        "7:46: mattermost.channels[4].name: cannot stand beside id; remove one of them",
        "8:14: mattermost.channels[5].name: must be the channel's name as in its address in the browser",
        "8:25: mattermost.channels[5].team: must be the team's name as in its address in the browser"}},
      {"mattermost:\n  url: https://x.example\n  team: t\n  channels:\n    - name: a\n    - name: a\n",
       {"6:7: mattermost.channels[2].id: t/a is given twice, first on line 5"}},
      {"mattermost:\n  url: https://x.example\n  channel: a/b\n  direct_messages: true\n",
       {"4:20: mattermost.direct_messages: needs a section access, since whoever is on the server can write to the "
        "bot"}},
      {"mattermost: {url: https://x.example, channel: a/b, answers: both}\n",
       {"1:61: mattermost.answers: expected one of thread, channel, found \"both\""}},
  };
  for (const auto& [text, problems] : cases) {
    CAPTURE(text);
    CHECK(Bad(text) == problems);
  }
}

TEST_CASE("each problem of the discord section") {
  const std::string id = "  channel_id: \"100000000000000002\"\n";
  const std::string hint = "; turn on Developer Mode in Discord, then right-click and choose \"Copy ID\"";
  const std::vector<std::pair<std::string, Problems>> cases = {
      {"  guild_id: 12345\n", {"3:13: discord.guild_id: a Discord id has 17 to 20 digits, found \"12345\"" + hint}},
      {"  guild_id: 10000000000000000e\n",
       {"3:13: discord.guild_id: a Discord id has 17 to 20 digits, found \"10000000000000000e\"" + hint}},
      {"  guild_id: 100000000000000000001\n",
       {"3:13: discord.guild_id: a Discord id has 17 to 20 digits, found \"100000000000000000001\"" + hint}},
      {"  message_content: no\n",
       {"3:20: discord.message_content: \"no\" is neither true nor false; write true or false"}},
      {"  api_url: ftp://x\n", {"3:12: discord.api_url: must start with https:// or http://"}},
      {"  gateway_url: https://x\n", {"3:16: discord.gateway_url: must start with wss:// or ws://"}},
      {"  token: abcdef.secret\n",
       {"3:3: discord.token: tokens do not belong here: move it to .env as DISCORD_TOKEN, and replace it if others saw "
        "this file"}},
      {"  guild: x\n", {"3:3: unknown key \"guild\" in discord"}},
      {"  guildid: x\n", {"3:3: unknown key \"guildid\" in discord (did you mean \"guild_id\"?)"}},
      {"  channels: general\n", {"3:13: discord.channels: expected a list of channels, found text"}},
      {"  channels: [general]\n",
       {"3:14: discord.channels[1]: expected a mapping (\"key: value\" lines below it), found text"}},
      {"  channels: [{services: [api]}]\n", {"3:14: discord.channels[1].id: is missing"}},
      {"  channels: [{id: 100000000000000003, notices: [deploys]}]\n",
       {"3:49: discord.channels[1].notices: expected one of service, deploy, webhook, found \"deploys\""}},
      {"  channels: [{id: 100000000000000003, services: [a b]}]\n",
       {"3:50: discord.channels[1].services: \"a b\" is no service name"}},
      {"  channels:\n    - id: 100000000000000003\n    - id: 100000000000000003\n",
       {"5:7: discord.channels[2].id: 100000000000000003 is given twice, first on line 4"}},
  };
  for (const auto& [text, problems] : cases) {
    CAPTURE(text);
    CHECK(Bad("discord:\n" + id + text) == problems);
  }
}

TEST_CASE("the webhook section: an address, or the reference's port on loopback") {
  const auto read = [](const std::string& text) {
    const TempDir dir;
    const auto loaded = Good(dir.Write("config.yaml", "webhook:\n" + text));
    CHECK(loaded.warnings.empty());
    WebhookConfig webhook = loaded.value.webhook.value();
    for (std::string* path : {&webhook.tls_cert, &webhook.tls_key}) {
      if (path->starts_with(dir.Path())) path->replace(0, dir.Path().size(), "BASE");
    }
    return webhook;
  };
  const auto at = [](std::string address, std::uint16_t port) {
    WebhookConfig webhook;
    webhook.address = std::move(address);
    webhook.port = port;
    return webhook;
  };
  CHECK(read("  listen: 127.0.0.1:8087\n") == at("127.0.0.1", 8087));
  CHECK(read("  listen: localhost:1\n") == at("127.0.0.1", 1));
  CHECK(read("  listen: \"[::1]:65535\"\n") == at("::1", 65535));
  CHECK(read("  listen: 0.0.0.0:8087\n") == at("0.0.0.0", 8087));
  WebhookConfig secure = at("127.0.0.1", 8443);
  secure.tls_cert = "BASE/tls/chain.pem";
  secure.tls_key = "/etc/key.pem";
  CHECK(read("  listen: 127.0.0.1:8443\n  tls_cert: tls/chain.pem\n  tls_key: /etc/key.pem\n") == secure);

  const std::string wrong =
      "webhook.listen: expected address:port such as 127.0.0.1:8087 (a numeric address, an IPv6 one in brackets), "
      "found ";
  for (const std::string text : {":8087", "8087", "example.org:8087", "127.0.0.1:0", "127.0.0.1:65536",
                                 "127.0.0.1:", "::1:8087", "[::1]", "[127.0.0.1]:80", "*:80"}) {
    CAPTURE(text);
    CHECK(Bad("webhook:\n  listen: \"" + text + "\"\n") == Problems{"2:11: " + wrong + "\"" + text + "\""});
  }
  CHECK(Bad("webhook:\n  listen: 127.0.0.1:1\n  port: 2\n") ==
        Problems{"3:3: webhook.port: cannot stand beside listen; remove one of them"});
  CHECK(Bad("webhook:\n  port: 2\n  tls_cert: a\n") ==
        Problems{"3:3: webhook.tls_cert: needs its other half: tls_cert and tls_key go together"});
  CHECK(Bad("webhook:\n  port: 2\n  tls_key: ~/a\n") ==
        Problems{"3:3: webhook.tls_key: needs its other half: tls_cert and tls_key go together",
                 "3:12: webhook.tls_key: \"~\" is not expanded; write the whole path"});
}

TEST_CASE("all problems come at once, in the order of the file") {
  CHECK(Bad("webhook: {port: http}\nprefix: x\nspeed: 3\ndashboard: 80\n") ==
        Problems{"1:17: webhook.port: expected a number from 1 to 65535, found \"http\"",
                 "2:9: prefix: must be 1 to 8 visible ASCII characters, the first neither letter nor digit",
                 "3:1: unknown key \"speed\"",
                 "4:12: dashboard: expected a mapping (\"key: value\" lines below it), found text"});
  std::string many;
  for (int i = 0; i < 150; ++i) many += "unknown_" + std::to_string(i) + ": 1\n";
  const TempDir dir;
  const std::string path = dir.Write("config.yaml", many);
  const auto result = LoadConfig(path);
  REQUIRE_FALSE(result.has_value());
  REQUIRE(result.error().size() == 101);
  CHECK(result.error().back() == path + ": and 50 more problems");
}

TEST_CASE("what the reference program had and this one has not is one warning") {
  const TempDir dir;
  const std::string path = dir.Write("config.yaml", "matrix:\n  homeserver: x\n  room: \"#y\"\n");
  const auto loaded = Good(path);
  CHECK(loaded.warnings ==
        std::vector<std::string>{path + ":1:1: matrix: Matrix is not supported; the section is ignored"});
  const std::string silent = dir.Write("silent.yaml", "discord: {guild_id: \"100000000000000001\"}\n");
  CHECK(Good(silent).warnings ==
        std::vector<std::string>{silent + ":1:10: discord: no channel_id and no channels: notices only go to the log"});
}

TEST_CASE("the sample settings load without a word, and so do their commented parts") {
  const std::string source = SAMPLE_CONFIG_DIR;
  const auto loaded = Good(source + "/config.yaml");
  CHECK(loaded.warnings.empty());
  const auto services = LoadServices(loaded.value.services_dir, loaded.value.base_dir);
  if (!services) FAIL(services.error().front());
  CHECK(services->warnings.empty());
  REQUIRE(services->value.size() == 2);
  for (const ServiceConfig& service : services->value) CHECK(std::filesystem::is_directory(service.dir));

  std::ifstream stream(source + "/config.yaml");
  std::string text;
  bool in_section = false;
  for (std::string line; std::getline(stream, line);) {
    // A commented section begins with a bare "# key:" and ends with the paragraph.
    const bool key = line.starts_with("# ") && line.find(' ', 2) == std::string::npos && line.ends_with(':');
    in_section = (in_section || key) && line.starts_with("# ");
    text += (in_section ? line.substr(2) : line) + "\n";
  }
  const TempDir dir;
  const auto uncommented = Good(dir.Write("config.yaml", text));
  CHECK(uncommented.warnings.empty());
  REQUIRE(uncommented.value.discord.has_value());
  CHECK(uncommented.value.discord->channels.size() == 2);
  CHECK(uncommented.value.webhook.has_value());
}
