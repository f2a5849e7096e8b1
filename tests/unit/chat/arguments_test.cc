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

TEST_CASE("flags stand anywhere, in every spelling") {
  for (const std::string text : {"logs api --grep \"two words\" -n 50", "logs --grep=\"two words\" -n50 api",
                                 "logs -n=50 api --grep 'two words'", "logs api 50 --grep=\"two words\"",
                                 "logs --lines 50 --grep \"two words\" -- api"}) {
    CAPTURE(text);
    const auto bound = Bind(text);
    REQUIRE(bound.has_value());
    CHECK(bound->services == Names{"api"});
    CHECK(bound->number == 50U);
    REQUIRE(bound->flags.size() == 1);
    CHECK(bound->Flag("grep")->text == "two words");
  }
  CHECK(Bind("logs api --since 10m")->Flag("since")->duration == std::chrono::minutes(10));
  CHECK(Bind("logs api --since=2d")->Flag("since")->duration == std::chrono::hours(48));
  CHECK(Bind("logs api --previous")->Flag("previous")->number == 1U);
  CHECK(Bind("logs --previous api")->Flag("previous")->number == 1U);
  CHECK(Bind("logs --previous 2 api 30")->Flag("previous")->number == 2U);
  CHECK(Bind("logs --previous 2 api 30")->number == 30U);
  CHECK(Bind("logs api -f")->Flag("follow") != nullptr);
  CHECK(Bind("logs api")->Flag("follow") == nullptr);
  // What looks like a flag can be looked for.
  CHECK(Bind("logs api --grep --since")->Flag("grep")->text == "--since");
}

TEST_CASE("a wrong flag is a usage error with the nearest one") {
  const auto why = [](const std::string& text) {
    const std::string refusal = Refusal(text);
    CHECK(refusal.starts_with("usage: logs <service> [lines]"));
    return refusal.substr(refusal.find('\n') + 1);
  };
  CHECK(why("logs api --gerp x") == "unknown flag \"--gerp\"; did you mean --grep?");
  CHECK(why("logs api --nothing") == "unknown flag \"--nothing\"");
  CHECK(why("logs api -x") == "unknown flag \"-x\"");
  CHECK(why("logs api --grep") == "--grep needs a value");
  CHECK(why("logs api --grep=") == "--grep needs a value");
  CHECK(why("logs api --grep a --grep b") == "--grep is there twice");
  CHECK(why("logs api -n 5 6") == "--lines is there twice");
  CHECK(why("logs api -n x") == "\"x\" is no number from 1 up");
  CHECK(why("logs api --previous=0") == "\"0\" is no number from 1 up");
  CHECK(why("logs api --since 10") == "\"10\" is no time such as 30s, 10m, 2h or 1d");
  CHECK(why("logs api --since 99999999999999999999h").ends_with("is no time such as 30s, 10m, 2h or 1d"));
  CHECK(why("logs api --follow=yes") == "--follow takes no value");
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

TEST_CASE("CLI-01, T-10: no odd word reaches every service, or anything but a service") {
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
  CHECK(Refusal("logs") == "usage: logs <service> [lines] [--grep <text>] [--since <10m>] [--previous [n]] [-f]");
  CHECK(Refusal("stop --force api") == "usage: stop <service>...\nunknown flag \"--force\"");
  CHECK(Refusal("count api") == "usage: count\n\"api\" is one word too many");
  CHECK(Refusal("logs api 5 6") ==
        "usage: logs <service> [lines] [--grep <text>] [--since <10m>] [--previous [n]] [-f]\n\"6\" is one word too "
        "many");
  CHECK(Refusal("cancel api db") == "usage: cancel <service>\n\"db\" is one word too many");
}

TEST_CASE("numbers") {
  const auto bound = Bind("logs api 50");
  REQUIRE(bound.has_value());
  CHECK(bound->number == 50U);
  for (const std::string& word : {std::string("0"), std::string("-5"), std::string("5x"), std::string("''"),
                                  std::string("0x10"), std::string("99999999999999999999999")}) {
    CAPTURE(word);
    CHECK(Refusal("logs api " + word)
              .starts_with("usage: logs <service> [lines] [--grep <text>] [--since <10m>] [--previous [n]] [-f]\n\""));
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

TEST_CASE("SEC-01: an echo is short and harmless") {
  const auto bound = Bind("status \"x` <@everyone> @here <@&123> ` " + std::string(1900, 'y') + "\"");
  REQUIRE_FALSE(bound.has_value());
  const std::string text = Render(bound.error(), tests::JoinerDialect());
  CHECK(text.starts_with("service \"x\\` \\<\\@everyone\\> \\@here \\<\\@&123\\> \\` yyy"));
  CHECK(text.size() < 150);
}

}  // namespace
}  // namespace shipmate::chat
