#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "config/load.h"
#include "config/placeholders.h"
#include "support.h"

using namespace shipmate::config;
using shipmate::tests::TempDir;

namespace {

const std::string kHead = "name: x\nhelp: Does it\nrole: viewer\n";

LoadResult<std::vector<CommandSpec>> Load(const TempDir& dir) {
  auto loaded = LoadCommands(dir.Path(), "/base", {"stop", "rs"});
  if (!loaded) {
    for (std::string& problem : loaded.error()) {
      for (std::size_t at = 0; (at = problem.find(dir.Path() + "/")) != std::string::npos;) {
        problem.erase(at, dir.Path().size() + 1);
      }
    }
  }
  return loaded;
}

CommandSpec Good(const std::string& text) {
  const TempDir dir;
  dir.Write("x.yaml", text);
  auto loaded = Load(dir);
  if (!loaded) FAIL(loaded.error().front());
  return loaded->value.front();
}

Problems Bad(const std::string& text) {
  const TempDir dir;
  dir.Write("x.yaml", text);
  const auto loaded = Load(dir);
  return loaded ? Problems{"(accepted)"} : loaded.error();
}

}  // namespace

TEST_CASE("a command of the user's own, with every key") {
  const CommandSpec command = Good(
      "name: backup\n"
      "aliases: [bk]\n"
      "help: Backs up\n"
      "role: operator\n"
      "places: [chat]\n"
      "run: [/usr/bin/backup, \"{service}\", \"--mode={mode}\", \"{{.Names}}\", \"{}\"]\n"
      "args:\n"
      "  - {name: service, kind: service}\n"
      "  - {name: mode, kind: word, required: false, choices: [full, quick]}\n"
      "dir: scripts\n"
      "env: {LEVEL: \"9\"}\n"
      "timeout: 10m\n"
      "confirm: true\n"
      "output: plain\n");
  CHECK(command.name == "backup");
  CHECK(command.role == Role::kOperator);
  CHECK(command.Usage() == "backup <service> [mode]");
  REQUIRE(command.run.has_value());
  const RunSpec expected{.argv = {"/usr/bin/backup", "{service}", "--mode={mode}", "{{.Names}}", "{}"},
                         .dir = "/base/scripts",
                         .env = {{"LEVEL", "9"}},
                         .timeout = std::chrono::minutes(10),
                         .confirm = true,
                         .output = RunSpec::Output::kPlain};
  CHECK((*command.run == expected) == true);
  REQUIRE(command.arguments.size() == 2);
  CHECK(command.arguments[1].choices == std::vector<std::string>{"full", "quick"});
}

TEST_CASE("{service} and {args} need no entry of their own") {
  const CommandSpec command = Good(kHead + "run: [echo, \"{args}\", \"{service}\"]\n");
  CHECK(command.Usage() == "x <service> [args]...");
  CHECK(command.run->dir == "/base");
  CHECK(command.run->timeout == std::chrono::seconds(30));
}

TEST_CASE("a wrong command file is told with its place") {
  CHECK(Bad(kHead) == Problems{"x.yaml:1:1: run: is missing: the program and its arguments, as a list"});
  CHECK(Bad(kHead + "run: uptime\n")[0].starts_with("x.yaml:4:6: run: expected a list"));
  CHECK(Bad(kHead + "run: [\"{args}\"]\n") ==
        Problems{"x.yaml:4:7: run: the program itself cannot be an argument of the command"});
  CHECK(Bad(kHead + "run: [echo, \"{what}\"]\n") ==
        Problems{"x.yaml:4:13: run: {what} is no argument of this command; if braces are meant, put a blank inside "
                 "them"});
  CHECK(Bad(kHead + "run: [echo, \"--x={args}\"]\n") ==
        Problems{"x.yaml:4:13: run: {args} may be several words and has to stand alone in its entry"});
  CHECK(Bad(kHead + "run: [echo]\nargs:\n  - {name: path, kind: word}\n")[0].ends_with(
      "args: \"path\" is used nowhere; write {path} in run"));
  CHECK(Bad(kHead + "run: [echo, \"{a}\", \"{b}\"]\nargs:\n  - {name: a, kind: service}\n  - {name: b, kind: "
                    "services}\n")[0]
            .ends_with("at most one argument can be of kind service or services"));
  CHECK(Bad(kHead + "run: [echo, \"{a}\"]\nargs:\n  - {name: a, kind: number, choices: [x]}\n")[0].ends_with(
      "choices: only an argument of kind word has choices"));
  CHECK(Bad(kHead + "run: [echo]\ntimeout: 2h\n")[0].ends_with("timeout: must be from 1s to 1h"));
  CHECK(Bad(kHead + "run: [echo]\noutput: html\n")[0].ends_with("expected one of fence, plain, file, found \"html\""));
  CHECK(Bad(kHead + "run: [echo]\nflags: []\n")[0].starts_with("x.yaml:5:1: unknown key \"flags\""));
  CHECK(
      Bad(kHead + "run: [echo]\nenv: {SHIPMATE_X: y}\n")[0].ends_with("names that start with SHIPMATE_ are reserved"));
  CHECK(Bad("name: X\nhelp: y\nrole: viewer\nrun: [a]\n")[0].starts_with("x.yaml:1:7: name: \"X\" is no name"));
}

TEST_CASE("two commands of one name are a problem, also with a built-in one") {
  CHECK(Bad("name: stop\nhelp: y\nrole: viewer\nrun: [a]\n") ==
        Problems{"x.yaml:1:7: \"stop\" is the name of a built-in command"});
  CHECK(Bad("name: y\naliases: [z, rs]\nhelp: y\nrole: viewer\nrun: [a]\n") ==
        Problems{"x.yaml:2:14: \"rs\" is the name of a built-in command"});
  const TempDir dir;
  dir.Write("a.yaml", "name: one\nhelp: y\nrole: viewer\nrun: [a]\n");
  dir.Write("b.yml", "name: two\naliases: [one]\nhelp: y\nrole: viewer\nrun: [a]\n");
  dir.Write("notes.txt", "not a command");
  CHECK(Load(dir).error() == Problems{"b.yml:2:11: \"one\" is the name of the command at a.yaml:1:7"});
  CHECK(LoadCommands("/nonexistent", "/", {}).error().front().starts_with("reading commands dir: /nonexistent: "));
}

TEST_CASE("placeholders, and all other braces") {
  CHECK(PlaceholdersOf("{a}-{b-2}") == std::vector<std::string>{"a", "b-2"});
  for (const std::string& plain :
       {std::string("{}"), std::string("{A}"), std::string("{{a}}"), std::string("{ a }"), std::string("{a"),
        std::string("a}"), std::string("{1}"), std::string("${"), std::string("{-a}")}) {
    CAPTURE(plain);
    CHECK(PlaceholdersOf(plain).empty());
    CHECK(ExpandPlaceholders(plain, [](std::string_view) { return "X"; }) == plain);
  }
  // A value is text, whatever is in it.
  CHECK(ExpandPlaceholders("{a}{a}b}", [](std::string_view) { return "{"; }) == "{{b}");
  CHECK(ExpandPlaceholders("-{a}-", [](std::string_view name) { return "{" + std::string(name) + "}"; }) == "-{a}-");
}

TEST_CASE("the samples that ship are good") {
  const auto loaded = LoadCommands(SAMPLE_CONFIG_DIR "/commands", SAMPLE_CONFIG_DIR, {});
  if (!loaded) FAIL(loaded.error().front());
  CHECK(loaded->warnings.empty());
  CHECK(loaded->value.size() == 3);
  CHECK(std::ranges::count_if(loaded->value, [](const CommandSpec& command) { return command.run->confirm; }) == 1);
}
