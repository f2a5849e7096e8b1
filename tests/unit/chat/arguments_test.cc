#include "chat/arguments.h"

#include <doctest/doctest.h>

#include "chat/render.h"
#include "unit/chat/test_dialects.h"

namespace shipmate::chat {
namespace {

const std::vector<std::string> kServices = {"api", "api.v2", "db", "web-1", "web-2"};

std::string Bare(const Message& message) {
  std::string text = message.headline.Bare();
  for (const Text& line : message.lines) text += "\n" + line.Bare();
  return text;
}

std::expected<Bound, Message> Bind(const std::string& text, const Scope& scope = {}) {
  static const Verbs verbs = Verbs::BuiltIn();
  ParseOptions options;
  options.addressed = true;
  const Parsed parsed = ParseCommandText(text, options);
  const auto* command = std::get_if<Command>(&parsed);
  REQUIRE(command != nullptr);
  const config::CommandSpec* spec = verbs.Find(command->verb);
  REQUIRE(spec != nullptr);
  return BindArguments(*spec, *command, kServices, scope, verbs);
}

std::vector<std::string> Services(const std::string& text, const Scope& scope = {}) {
  const auto bound = Bind(text, scope);
  REQUIRE(bound.has_value());
  return bound->services;
}

std::string Refusal(const std::string& text, const Scope& scope = {}) {
  const auto bound = Bind(text, scope);
  return bound ? "bound" : Bare(bound.error());
}

using Names = std::vector<std::string>;

TEST_CASE("names and globs, sorted, each once") {
  CHECK(Services("restart api") == Names{"api"});
  CHECK(Services("stop web-2 api web-2") == Names{"api", "web-2"});
  CHECK(Services("restart web*") == Names{"web-1", "web-2"});
  CHECK(Services("restart web-? web-1 db") == Names{"db", "web-1", "web-2"});
  CHECK(Services("restart *-1") == Names{"web-1"});
  CHECK(Services("status") == Names{});
  CHECK(Services("status *") == kServices);
}

TEST_CASE("nothing is bound when one word is wrong") {
  CHECK(Refusal("stop nosuch") == "service \"nosuch\" not found");
  CHECK(Refusal("stop apu") == "service \"apu\" not found; did you mean api?");
  CHECK(Refusal("stop API") == "service \"API\" not found; did you mean api?");
  CHECK(Refusal("stop api weeb-1") == "service \"weeb-1\" not found; did you mean web-1?");
  CHECK(Refusal("stop api nosuch other*") ==
        "nothing was done:\nservice \"nosuch\" not found\nno service fits \"other*\"");
  CHECK(Refusal("restart x*") == "no service fits \"x*\"");
}

TEST_CASE("no odd word reaches every service") {
  CHECK(Refusal("stop 0") == "service \"0\" not found");
  CHECK(Refusal("stop ''") == "service \"\" not found");
  CHECK(Refusal("stop -1") == "service \"-1\" not found");
  CHECK(Refusal("stop '*'") == "\"*\" would be every service: name them, or use stop-all");
  CHECK(Refusal("start **") == "\"**\" would be every service: name them, or use start-all");
  CHECK(Refusal("restart *") == "\"*\" would be every service: name them");
  CHECK(Refusal("deploy *") == "\"*\" would be every service: name them");
  CHECK(Refusal("stop all") == "service \"all\" not found, or use stop-all");
  CHECK(Refusal("logs ../../etc/passwd") == "service \"../../etc/passwd\" not found");
  CHECK(Refusal("logs web*") == "service \"web*\" not found");
}

TEST_CASE("usage comes from the table") {
  CHECK(Refusal("restart") == "usage: restart <service>...");
  CHECK(Refusal("logs") == "usage: logs <service> [lines]");
  CHECK(Refusal("count api") == "usage: count\n\"api\" is one word too many");
  CHECK(Refusal("logs api 5 6") == "usage: logs <service> [lines]\n\"6\" is one word too many");
  CHECK(Refusal("confirm api db") == "usage: confirm <service>\n\"db\" is one word too many");
}

TEST_CASE("numbers") {
  const auto bound = Bind("logs api 50");
  REQUIRE(bound.has_value());
  CHECK(bound->number == 50U);
  for (const std::string& word : {std::string("0"), std::string("-5"), std::string("5x"), std::string("''"),
                                  std::string("0x10"), std::string("99999999999999999999999")}) {
    CAPTURE(word);
    CHECK(Refusal("logs api " + word).starts_with("usage: logs <service> [lines]\n\""));
  }
}

TEST_CASE("a limited channel sees its services alone") {
  Scope scope;
  scope.services = {"api", "web-1"};
  CHECK(Services("restart web*", scope) == Names{"web-1"});
  CHECK(Services("status *", scope) == Names{"api", "web-1"});
  CHECK(Refusal("stop db", scope) == "service \"db\" cannot be reached from this channel");
  CHECK(Refusal("stop web-3", scope) == "service \"web-3\" not found; did you mean web-1?");
}

TEST_CASE("an echo is short and harmless") {
  const auto bound = Bind("status \"x` <@everyone> @here <@&123> ` " + std::string(1900, 'y') + "\"");
  REQUIRE_FALSE(bound.has_value());
  const std::string text = Render(bound.error(), tests::JoinerDialect());
  CHECK(text.starts_with("service \"x\\` \\<\\@everyone\\> \\@here \\<\\@&123\\> \\` yyy"));
  CHECK(text.size() < 150);
}

}  // namespace
}  // namespace shipmate::chat
