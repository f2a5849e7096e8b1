#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "config/load.h"
#include "support.h"

using namespace shipmate::config;

namespace {

CommandSpec Good(std::string_view text) {
  auto result = ParseCommand("x.yaml", text);
  if (!result) FAIL(result.error().front());
  CHECK(result->warnings.empty());
  return result->value;
}

Problems Bad(std::string_view text) {
  auto result = ParseCommand("x.yaml", text);
  REQUIRE_FALSE(result.has_value());
  return result.error();
}

}  // namespace

TEST_CASE("a command file is read with every field") {
  const CommandSpec command = Good(
      "name: logs\n"
      "aliases: [log, \"?\"]\n"
      "help: Shows the end of a log\n"
      "role: operator\n"
      "slow: true\n"
      "places: [console]\n"
      "args:\n"
      "  - {name: service, kind: service}\n"
      "  - {name: lines, kind: number, required: false}\n");
  CHECK(command.name == "logs");
  CHECK(command.aliases == std::vector<std::string>{"log", "?"});
  CHECK(command.help == "Shows the end of a log");
  CHECK(command.role == Role::kOperator);
  CHECK(command.slow);
  CHECK(command.places == std::vector<std::string>{"console"});
  REQUIRE(command.arguments.size() == 2);
  CHECK(command.arguments[0] == ArgumentSpec{"service", ArgumentSpec::Kind::kService, true});
  CHECK(command.arguments[1] == ArgumentSpec{"lines", ArgumentSpec::Kind::kNumber, false});
  CHECK(command.Usage() == "logs <service> [lines]");
}

TEST_CASE("what a command file may leave out") {
  const CommandSpec command = Good("name: list\nhelp: Lists\nrole: viewer\n");
  CHECK(command.aliases.empty());
  CHECK(command.arguments.empty());
  CHECK_FALSE(command.slow);
  CHECK(command.places == std::vector<std::string>{"chat", "console"});
  CHECK(command.Usage() == "list");
}

TEST_CASE("flags") {
  const std::string head =
      "name: logs\nhelp: h\nrole: viewer\nargs:\n  - {name: lines, kind: number, required: false}\n";
  const CommandSpec command = Good(head +
                                   "flags:\n"
                                   "  - {name: lines, short: n, kind: number, argument: lines, help: Lines}\n"
                                   "  - {name: grep, kind: text, help: Text}\n"
                                   "  - {name: since, kind: duration, help: Time}\n"
                                   "  - {name: previous, kind: count, help: Run}\n"
                                   "  - {name: follow, short: f, kind: switch, help: Goes on}\n");
  REQUIRE(command.flags.size() == 5);
  CHECK(command.flags[0] == FlagSpec{"lines", "n", FlagSpec::Kind::kNumber, "lines", "Lines"});
  CHECK(command.flags[1] == FlagSpec{"grep", "", FlagSpec::Kind::kText, "", "Text"});
  CHECK(command.Usage() == "logs [lines] [--grep <text>] [--since <10m>] [--previous [n]] [-f]");
  for (const std::string wrong :
       {"flags: x\n", "flags:\n  - {name: a, kind: odd, help: h}\n", "flags:\n  - {name: a}\n",
        "flags:\n  - {name: a, short: ab, kind: switch, help: h}\n",
        "flags:\n  - {name: a, kind: number, argument: gone, help: h}\n",
        "flags:\n  - {name: a, kind: text, argument: lines, help: h}\n",
        "flags:\n  - {name: a, kind: switch, help: h}\n  - {name: a, kind: text, help: h}\n"}) {
    CAPTURE(wrong);
    CHECK_FALSE(ParseCommand("x.yaml", head + wrong).has_value());
  }
}

TEST_CASE("usage shows repetition and what is optional") {
  const std::string head = "name: status\nhelp: h\nrole: viewer\nargs:\n";
  CHECK(Good(head + "  - {name: service, kind: services, required: false}\n").Usage() == "status [service]...");
  CHECK(Good(head + "  - {name: service, kind: services}\n").Usage() == "status <service>...");
  CHECK(Good(head + "  - {name: command, kind: verb, required: false}\n").Usage() == "status [command]");
}

TEST_CASE("problems of a command file, each at its place") {
  const std::string good = "name: list\nhelp: h\nrole: viewer\n";
  const std::map<std::string, Problems> cases = {
      {"name: List\nhelp: h\nrole: viewer\n",
       {"x.yaml:1:7: name: \"List\" is no name: a letter a-z, then a-z, 0-9 and \"-\", at most 32 in all"}},
      {"help: h\nrole: viewer\n", {"x.yaml:1:1: name: is missing"}},
      {"name: list\nrole: viewer\n", {"x.yaml:1:1: help: is missing"}},
      {"name: list\nhelp: h\n", {"x.yaml:1:1: role: is missing"}},
      {"name: list\nhelp: Lists.\nrole: viewer\n", {"x.yaml:2:7: help: must not end with a full stop"}},
      {"name: list\nhelp: h\nrole: root\n",
       {"x.yaml:3:7: role: expected one of viewer, operator, admin, found \"root\""}},
      {good + "aliases: [list, a b]\n",
       {"x.yaml:4:11: aliases: \"list\" is there already", "x.yaml:4:17: aliases: \"a b\" is no name"}},
      {good + "places: [moon]\n", {"x.yaml:4:10: places: expected one of chat, console, found \"moon\""}},
      {good + "slow: yes\n", {"x.yaml:4:7: slow: \"yes\" is neither true nor false; write true or false"}},
      {good + "args:\n  - {name: a, kind: number, required: false}\n  - {name: b}\n",
       {"x.yaml:6:5: args[2]: a required argument cannot follow an optional one"}},
      {good + "args:\n  - {name: a, kind: services}\n  - {name: b}\n",
       {"x.yaml:6:5: args[2]: nothing can follow an argument of kind services or rest: it takes every word left"}},
      {good + "args:\n  - {name: a, kind: servce}\n",
       {"x.yaml:5:21: args[1].kind: expected one of service, services, verb, number, word, rest, found \"servce\""}},
      {good + "args: [service]\n",
       {"x.yaml:4:8: args[1]: expected a mapping (\"key: value\" lines below it), found text"}},
      {good + "alises: [l]\n", {"x.yaml:4:1: unknown key \"alises\" (did you mean \"aliases\"?)"}},
  };
  for (const auto& [text, problems] : cases) {
    CAPTURE(text);
    CHECK(Bad(text) == problems);
  }
}

TEST_CASE("the files of bot-commands/ are good, named by their command, and their words are unambiguous") {
  std::map<std::string, std::string> words;  // word -> file
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(BOT_COMMANDS_DIR)) {
    const std::string file = entry.path().string();
    CAPTURE(file);
    REQUIRE(entry.path().extension() == ".yaml");
    std::ifstream stream(entry.path());
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    const auto result = ParseCommand(file, text);
    if (!result) FAIL(result.error().front());
    ++count;
    CHECK(result->value.name == entry.path().stem().string());
    CHECK(words.emplace(result->value.name, file).second);
    for (const std::string& alias : result->value.aliases) CHECK(words.emplace(alias, file).second);
  }
  CHECK(count > 10);
}
