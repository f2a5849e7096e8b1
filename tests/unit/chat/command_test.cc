#include "chat/command.h"

#include <doctest/doctest.h>

#include <random>

namespace shipmate::chat {
namespace {

Parsed InChannel(std::string_view text) {
  return ParseCommandText(text, {});
}

Parsed Addressed(std::string_view text) {
  ParseOptions options;
  options.addressed = true;
  return ParseCommandText(text, options);
}

std::string Why(const Parsed& parsed) {
  const auto* bad = std::get_if<BadCommand>(&parsed);
  return bad == nullptr ? "not a bad command" : bad->why;
}

TEST_CASE("a command is the prefix and a word") {
  CHECK(InChannel("!status") == Parsed(Command{"status", {}}));
  CHECK(InChannel("  !deploy   api  ") == Parsed(Command{"deploy", {"api"}}));
  CHECK(InChannel("!DEPLOY API") == Parsed(Command{"deploy", {"API"}}));
  CHECK(InChannel("!stop web api\n") == Parsed(Command{"stop", {"web", "api"}}));
  CHECK(InChannel("!start-all") == Parsed(Command{"start-all", {}}));
  CHECK(InChannel("!stop\tweb") == Parsed(Command{"stop", {"web"}}));
}

TEST_CASE("G1: ordinary talk is no command, whatever words are in it") {
  for (const std::string& talk :
       {std::string("hello"), std::string(""), std::string("   "), std::string("!"), std::string("!!!"),
        std::string("! hello"), std::string("!?"), std::string("!1"), std::string("please restart web"),
        std::string("say !status"), std::string("\uff01"), std::string("\uff01 hello"), std::string("!\U0001F389"),
        std::string("!\u200b"), std::string("\u00e9t\u00e9"), std::string("!!status"), std::string("hello\n!status"),
        std::string("\xff\xfe")}) {
    CAPTURE(talk);
    CHECK(InChannel(talk) == Parsed(NotACommand{}));
  }
}

TEST_CASE("addressed text needs no prefix") {
  CHECK(Addressed("status") == Parsed(Command{"status", {}}));
  CHECK(Addressed(" !status api") == Parsed(Command{"status", {"api"}}));
  CHECK(Addressed("?") == Parsed(Command{"?", {}}));
  CHECK(Addressed("!!!") == Parsed(Command{"!!!", {}}));
  CHECK(Addressed("   \n ") == Parsed(NotACommand{}));
  CHECK(Addressed("\u200b") == Parsed(NotACommand{}));
}

TEST_CASE("another prefix") {
  ParseOptions options;
  options.prefix = "ship:";
  CHECK(ParseCommandText("ship:status", options) == Parsed(Command{"status", {}}));
  CHECK(ParseCommandText("!status", options) == Parsed(NotACommand{}));
  CHECK(ParseCommandText("ship: status", options) == Parsed(NotACommand{}));
  options.prefix = "";
  CHECK(ParseCommandText("status", options) == Parsed(NotACommand{}));
}

TEST_CASE("quotes keep blanks in one word") {
  CHECK(Addressed("x \"a b\" 'c d'") == Parsed(Command{"x", {"a b", "c d"}}));
  CHECK(Addressed("x \"it's\" '\"'") == Parsed(Command{"x", {"it's", "\""}}));
  CHECK(Addressed("x '' \"\"") == Parsed(Command{"x", {"", ""}}));
  CHECK(Addressed("x --tag=\"a b\"c") == Parsed(Command{"x", {"--tag=a bc"}}));
  CHECK(Addressed("x a\\b") == Parsed(Command{"x", {"a\\b"}}));
  CHECK(Why(Addressed("x \"a b")) == "the quote \" is not closed");
  CHECK(Why(Addressed("don't")) == "the quote ' is not closed");
  CHECK(Why(Addressed("'' api")) == "a command starts with its name; try help");
}

TEST_CASE("T-16: one command a message") {
  CHECK(Why(InChannel("!stop web\n!start web")) == "one command a message, please: it has more than one line");
  CHECK(Why(InChannel("!stop web\r!start web")) == "one command a message, please: it has more than one line");
  CHECK(Why(InChannel("!x \"a\nb\"")) == "one command a message, please: it has more than one line");
}

TEST_CASE("T-16: names that only look alike do not pass for each other") {
  CHECK(Why(InChannel("!deploy \u0430pi")) ==
        "cannot read \"\\u0430pi\": names and commands are plain ASCII; for \"api\", type it again");
  CHECK(Why(InChannel("!st\u043ep api")) ==
        "cannot read \"st\\u043ep\": names and commands are plain ASCII; for \"stop\", type it again");
  CHECK(Why(InChannel("!deploy \uff41\uff50\uff49")).ends_with("; for \"api\", type it again"));
  CHECK(Why(InChannel("!deploy \u00fcber")) == "cannot read \"\\u00fcber\": names and commands are plain ASCII");
  CHECK(Why(InChannel("!deploy \u4f60\u597d")) == "cannot read \"\\u4f60\\u597d\": names and commands are plain ASCII");
  CHECK(Why(InChannel("!logs api \u2014grep x")) == "cannot read \"\\u2014grep\": write a flag with two hyphens (--)");
  CHECK(Why(InChannel("!logs api \u2013n 5")) == "cannot read \"\\u2013n\": write a flag with two hyphens (--)");
  CHECK(Why(InChannel("!\ufe0fstop api")).starts_with("cannot read \"\\ufe0fstop\": it has a blank or a character"));
  CHECK(Why(InChannel("!stop a\u3164pi")).starts_with("cannot read \"a\\u3164pi\": it has a blank or a character"));
  CHECK(Why(InChannel("!stop api\U000e0061")).starts_with("cannot read \"api\\U000e0061\": it has a blank"));
  CHECK(Why(InChannel("!\u0455top api")).starts_with("cannot read \"\\u0455top\""));
  CHECK(Why(Addressed("\u0455top api")).starts_with("cannot read \"\\u0455top\""));
  CHECK(Why(InChannel("!deploy\u00a0api")).starts_with("cannot read \"deploy\\u00a0api\": it has a blank"));
  CHECK(Why(InChannel("!deploy a\u200bpi")).starts_with("cannot read \"a\\u200bpi\": it has a blank"));
  CHECK(Why(InChannel("!\u200bdeploy api")).starts_with("cannot read \"\\u200bdeploy\""));
  CHECK(Why(InChannel("!run \u201ca b\u201d")) == "cannot read \"\\u201ca\": write straight quotes (\" or ')");
  CHECK(Why(InChannel("!deploy \xff")).starts_with("cannot read \"\\xff\""));
  CHECK(Why(InChannel("!deploy a\x1b[31m")).starts_with("cannot read \"a\\x1b[31m\""));
}

TEST_CASE("T-16: a prefix that only looks like it") {
  CHECK(Why(InChannel("\u01c3stop api")) == "a command starts with \"!\", not with \"\\u01c3\"");
  CHECK(Why(InChannel("\ufe57stop api")) == "a command starts with \"!\", not with \"\\ufe57\"");
  CHECK(InChannel("\u2757Attention, all") == Parsed(NotACommand{}));
  CHECK(Why(InChannel("\uff01"
                      "deploy api")) == "a command starts with \"!\", not with \"\\uff01\"");
  CHECK(Why(InChannel("\u200b!deploy api")) == "a command starts with \"!\", not with \"\\u200b!\"");
  CHECK(Why(InChannel("\u00a0!deploy api")) == "a command starts with \"!\", not with \"\\u00a0!\"");
}

TEST_CASE("T-16: the answer to an endless word is short") {
  CHECK(Why(InChannel("!deploy " + std::string(4000, 'x') + "\u0430")).size() < 150);
  std::string bidi;
  for (int i = 0; i < 1000; ++i) bidi += "\u202e";
  CHECK(Why(InChannel("!x " + bidi)).size() < 200);
}

TEST_CASE("what is printed parses to the same command") {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> character(0x20, 0x7E);
  std::uniform_int_distribution<int> often(0, 3);
  std::uniform_int_distribution<std::size_t> length(0, 12);
  const std::string tricky = "\"' \\`*";
  for (int round = 0; round < 10'000; ++round) {
    Command command{"run", {}};
    for (std::size_t i = length(random) % 5; i > 0; --i) {
      std::string argument;
      for (std::size_t left = length(random); left > 0; --left) {
        argument.push_back(often(random) == 0 ? tricky[length(random) % tricky.size()]
                                              : static_cast<char>(character(random)));
      }
      command.arguments.push_back(std::move(argument));
    }
    const std::string printed = PrintCommand(command);
    CAPTURE(printed);
    REQUIRE(InChannel("!" + printed) == Parsed(command));
    REQUIRE(Addressed(printed) == Parsed(command));
  }
}

TEST_CASE("any bytes at all are parsed without a fault, and a command holds printable ASCII alone") {
  std::mt19937 random(11);
  std::uniform_int_distribution<int> byte(0, 255);
  std::uniform_int_distribution<int> length(0, 40);
  std::size_t commands = 0;
  for (int round = 0; round < 10'000; ++round) {
    std::string text = round % 2 == 0 ? "!a" : "";
    for (int left = length(random) % (round % 3 == 0 ? 6 : 40); left > 0; --left) {
      text.push_back(static_cast<char>(byte(random)));
    }
    const Parsed parsed = round % 5 == 0 ? Addressed(text) : InChannel(text);
    if (const auto* command = std::get_if<Command>(&parsed)) {
      ++commands;
      REQUIRE_FALSE(command->verb.empty());
      for (const std::string& argument : command->arguments) {
        for (const char c : argument) REQUIRE((c >= 0x20 && c <= 0x7E) == true);
      }
    }
  }
  CHECK(commands > 100);
}

}  // namespace
}  // namespace shipmate::chat
