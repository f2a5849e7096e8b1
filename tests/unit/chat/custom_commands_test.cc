#include "chat/custom_commands.h"

#include <doctest/doctest.h>

#include "unit/chat/bridge.h"

namespace shipmate::chat {
namespace {

using config::ArgumentSpec;
using config::CommandSpec;
using config::Role;
using config::RunSpec;
using tests::Bridge;
using tests::Sleeper;
using Words = std::vector<std::string>;
using Kind = config::ArgumentSpec::Kind;

CommandSpec Command(std::string name, Words argv, std::vector<ArgumentSpec> arguments = {}) {
  CommandSpec spec;
  spec.name = std::move(name);
  spec.help = "Does it";
  spec.role = Role::kOperator;
  spec.arguments = std::move(arguments);
  spec.run = RunSpec{.argv = std::move(argv), .dir = "/"};
  return spec;
}

const ArgumentSpec kService{.name = "service", .kind = Kind::kService};
const ArgumentSpec kRest{.name = "args", .kind = Kind::kRest, .required = false};
const ArgumentSpec kWord{.name = "path", .kind = Kind::kWord, .required = false};

// `sh -c` prints each argument in brackets, so that one sees where each begins.
Words Show(Words more) {
  Words argv = {"sh", "-c", "for a; do printf '[%s]' \"$a\"; done", "sh"};
  argv.insert(argv.end(), more.begin(), more.end());
  return argv;
}

TEST_CASE("arguments are entries of their own, and what was left out leaves its entry out") {
  RunSpec run;
  run.argv = {"x", "{service}", "--path={path}", "{args}", "end"};
  Bound bound;
  bound.values = {{"service", {"api"}}, {"path", {"/a b;$(id)"}}, {"args", {"-x", "{service}"}}};
  CHECK(ProgramArguments(run, bound) == Words{"x", "api", "--path=/a b;$(id)", "-x", "{service}", "end"});
  bound.values = {{"service", {"api"}}};
  CHECK(ProgramArguments(run, bound) == Words{"x", "api", "end"});
}

TEST_CASE("SEC-03: what was typed reaches the program as it is, and no shell") {
  Bridge bridge({Sleeper("api")});
  bridge.Custom({Command("show", Show({"{service}", "{args}"}), {kService, kRest})});
  CHECK(bridge.Say("!show api 'a b' $(touch /tmp/pwn) `id` ; '|' \"it's\"") ==
        "**show**\n```\n[api][a b][$(touch][/tmp/pwn)][`id`][;][|][it's]\n```");
  CHECK(bridge.Say("!show api --all -x --") == "**show**\n```\n[api][--all][-x][--]\n```");
  CHECK(bridge.Say("!show apj") == "service \"apj\" not found; did you mean **api**?");
  CHECK(bridge.Say("!show") == "usage: `show <service> [args]...`");
}

TEST_CASE("a word is one of the choices, and no option") {
  Bridge bridge({});
  ArgumentSpec choice = kWord;
  choice.choices = {"full", "quick"};
  bridge.Custom({Command("one", Show({"{path}"}), {kWord}), Command("two", Show({"{path}"}), {choice})});
  CHECK(bridge.Say("!one /tmp") == "**one**\n```\n[/tmp]\n```");
  CHECK(bridge.Say("!one") == "**one**: done in less than 1s, without output");
  CHECK(bridge.Say("!one --help").ends_with("unknown flag \"--help\""));
  CHECK(bridge.Say("!one -- --help").ends_with("\"--help\" must not begin with a hyphen"));
  CHECK(bridge.Say("!two quick") == "**two**\n```\n[quick]\n```");
  CHECK(bridge.Say("!two fast").ends_with("\"fast\" is not one of full, quick"));
  CHECK(bridge.Say("!help two") == "`two [path]`\nDoes it\npath: one of full, quick");
  CHECK(bridge.Say("!help").contains("`one [path]` Does it"));
  CHECK(bridge.hub->Complete("two f") == Words{"full"});
  CHECK(bridge.hub->Complete("tw") == Words{"two"});
}

TEST_CASE("how it went is the first line") {
  Bridge bridge({});
  CommandSpec plain = Command("plain", {"echo", "up 3 days"});
  plain.run->output = RunSpec::Output::kPlain;
  CommandSpec many = Command("many", {"seq", "1", "100"});
  many.run->output = RunSpec::Output::kPlain;
  CommandSpec slow = Command("slow", {"sh", "-c", "echo begun; exec sleep 1000"});
  slow.run->timeout = std::chrono::milliseconds(200);
  bridge.Custom({plain, many, slow, Command("bad", {"sh", "-c", "echo why >&2; exit 3"}),
                 Command("none", {"/nonexistent/program"}), Command("loud", {"seq", "1", "100000"})});
  CHECK(bridge.Say("!plain") == "**plain**: up 3 days");
  const std::string lines = bridge.Say("!many");
  CHECK(lines.starts_with("**many**\n... (85 earlier lines left out)\n86\n"));
  CHECK(lines.ends_with("\n100"));
  CHECK(bridge.Say("!bad") == "**bad**: failed after less than 1s: exited with status 3\n```\nwhy\n```");
  CHECK(bridge.Say("!none").starts_with("**none**: could not be run: "));
  CHECK(bridge.Say("!slow").starts_with("**slow**: ended after 0s, its time limit\n```\nbegun"));
  const std::string loud = bridge.Say("!loud");
  CHECK(loud.size() <= 2000);
  CHECK(loud.contains("(truncated, "));
  CHECK(loud.ends_with("\n100000\n```"));
}

TEST_CASE("output that is to be a file") {
  CommandSpec spec = Command("dump", {"seq", "1", "3"});
  spec.run->output = RunSpec::Output::kFile;
  const Message message =
      ProgramAnswer(spec, os::CommandResult{.status = {.code = 0}, .output = "1\n2\n3\n"}, std::chrono::seconds(2));
  CHECK(message.headline.Bare() == "dump: done in 2s, 3 lines");
  CHECK(message.only_file);
  CHECK(message.code_file == "dump.txt");
  // Where there are no files it is shown.
  Bridge bridge({});
  bridge.Custom({spec});
  CHECK(bridge.Say("!dump") == "**dump**: done in less than 1s, 3 lines\n```\n1\n2\n3\n```");
}

TEST_CASE("the program gets its environment and directory, no terminal and no input") {
  Bridge bridge({});
  CommandSpec spec = Command("env", {"sh", "-c", "echo $BASE $LEVEL; pwd; readlink /proc/self/fd/0; wc -c"});
  spec.run->env = {{"LEVEL", "9"}};
  spec.run->dir = "/usr";
  bridge.Custom({spec});
  CHECK(bridge.Say("!env") == "**env**\n```\nbase 9\n/usr\n/dev/null\n0\n```");
}

TEST_CASE("a role and a limit hold for it as for any command") {
  config::AccessConfig access = tests::AliceIsAdmin();
  config::AccessGrant bob;
  bob.role = Role::kViewer;
  bob.discord = {"7"};
  access.grants.push_back(bob);
  std::vector<config::ChannelConfig> channels = tests::TwoChannels();
  channels[1].services = {"api"};
  Bridge bridge({Sleeper("api"), Sleeper("web")}, channels, access);
  bridge.Custom({Command("show", Show({"{service}"}), {kService}), Command("disk", {"echo", "full"})});
  Incoming incoming = Bridge::By("!disk");
  incoming.actor.id = "7";
  CHECK(bridge.Hear(incoming).starts_with("Not allowed: `disk` needs the role **operator**; you are a viewer here."));
  CHECK(bridge.Say("!disk", "other") == "disk is not about one service; here you can touch only api");
  CHECK(bridge.Say("!show api", "other") == "**show**\n```\n[api]\n```");
  CHECK(bridge.Say("!show web", "other") == "service \"web\" cannot be reached from this channel");
}

TEST_CASE("what asks first runs once, for who gave it, where he gave it, within two minutes") {
  Bridge bridge({});
  CommandSpec spec = Command("wipe", Show({"{path}"}), {kWord});
  spec.run->confirm = true;
  bridge.Custom({spec});
  const auto code = [&] {
    const std::string said = bridge.Say("!wipe '/a b'");
    CHECK(said.starts_with("**wipe** asks first. To run `sh -c \"for a; "));
    CHECK(said.contains("\"/a b\"`, answer `!yes "));
    CHECK(said.ends_with("` within 2m."));
    return said.substr(said.find("`!yes ") + 6, 4);
  };
  const std::string first = code();
  CHECK(bridge.Say("!yes " + first, "other").starts_with("nothing of yours waits here for \"yes " + first));
  Incoming other = Bridge::By("!yes " + first);
  other.actor.id = "43";
  CHECK_FALSE(bridge.Hear(other).contains("[/a b]"));
  CHECK(bridge.Say("!yes " + first) == "**wipe**\n```\n[/a b]\n```");
  CHECK(bridge.Say("!yes " + first).starts_with("nothing of yours waits here"));
  const std::string second = code();
  bridge.machine.clock.Advance(std::chrono::seconds(121));
  CHECK(bridge.Say("!yes " + second).starts_with("nothing of yours waits here"));
  CHECK(bridge.Say("!help wipe").ends_with("\nasks before it runs"));
}

}  // namespace
}  // namespace shipmate::chat
