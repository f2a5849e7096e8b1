#include "chat/dispatcher.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <regex>
#include <set>

#include "chat/handlers.h"
#include "unit/chat/bridge.h"

namespace shipmate::chat {
namespace {

using tests::Bridge;
using tests::ProcessService;
using tests::Sleeper;
using Names = std::vector<std::string>;

/// Pids differ from run to run.
std::string WithoutPids(const std::string& text) {
  return std::regex_replace(text, std::regex("pid [0-9]+"), "pid N");
}

config::ServiceConfig Deployable(std::string name, std::vector<std::string> steps) {
  auto config = Sleeper(std::move(name));
  config.dir = "/";
  config.deploy = std::move(steps);
  return config;
}

service::WebhookInfo Push() {
  service::WebhookInfo info;
  info.repo = "acme/shop";
  info.branch = "main";
  info.commit_id = "deadbeefcafe";
  info.author = "Bob";
  return info;
}

TEST_CASE("handlers and built-in commands match one to one") {
  std::set<std::string> handled;
  for (const NamedHandler& handler : Handlers()) CHECK(handled.insert(std::string(handler.verb)).second);
  std::set<std::string> offered;
  for (const config::CommandSpec& spec : Verbs::BuiltIn().All()) offered.insert(spec.name);
  CHECK(handled == offered);
}

TEST_CASE("unknown words are answered with the nearest") {
  Bridge bridge({Sleeper("api")});
  CHECK(bridge.Say("!restat api") == "unknown command \"restat\"; did you mean **restart**?");
  CHECK(bridge.Say("!frobnicate") == "unknown command \"frobnicate\"; try `!help`");
  CHECK(bridge.Say("!start apj") == "service \"apj\" not found; did you mean **api**?");
  CHECK(bridge.Say("!start") == "usage: `start <service>...`");
  CHECK(bridge.Say("!" + std::string(1900, 'x')).size() < 120);
}

TEST_CASE("start, stop and restart of one service") {
  Bridge bridge({Sleeper("echo")});
  CHECK(WithoutPids(bridge.Say("!start echo")) == "**echo**: started (pid N)");
  const int pid = bridge.machine.Pid("echo");
  CHECK(pid > 0);
  CHECK(bridge.Say("!start echo").starts_with("**echo**: already running (pid " + std::to_string(pid)));
  CHECK(WithoutPids(bridge.Say("!rs echo")) == "**echo**: restarted (pid N)");
  CHECK(bridge.machine.Pid("echo") != pid);
  CHECK(bridge.Say("!stop echo") == "**echo**: stopped");
  CHECK(bridge.Say("!stop echo") == "**echo**: already stopped");
  CHECK(bridge.machine.View("echo").state.status == "stopped");
}

TEST_CASE("several services at once, one line each; nothing when one name is wrong") {
  auto broken = ProcessService("web-3", "");
  broken.entrypoint = {"/nonexistent/binary"};
  Bridge bridge({Sleeper("web-2"), Sleeper("db"), Sleeper("web-1"), broken});
  CHECK(bridge.Say("!start db web-9").starts_with("service \"web-9\" not found"));
  CHECK(bridge.machine.View("db").state.status == "stopped");
  const std::string started = WithoutPids(bridge.Say("!start web* web-1"));
  CHECK(
      started.starts_with("start: 2 done, 1 failed\n**web-1**: started (pid N)\n**web-2**: started (pid N)\n"
                          "**web-3**: start failed: "));
  CHECK(bridge.Say("!stop web-1 web-2") == "stop: 2 done\n**web-1**: stopped\n**web-2**: stopped");
  CHECK(bridge.Say("!stop *").starts_with("\"*\" would be every service"));
}

TEST_CASE("everything at once") {
  auto broken = ProcessService("bad", "");
  broken.entrypoint = {"/nonexistent/binary"};
  Bridge bridge({Sleeper("a"), Sleeper("b"), broken});
  bridge.Say("!start a");
  const std::string started = bridge.Say("!start-all");
  CHECK(started.starts_with("1 started, 1 already running, 1 failed:\n**bad**: start failed: "));
  CHECK(bridge.Say("!count") == "2/3 running");
  CHECK(bridge.Say("!stop-all").starts_with("2 stopped, 1 already stopped"));
  CHECK(bridge.Say("!count") == "0/3 running");
}

TEST_CASE("status, list and count") {
  auto site = config::ServiceConfig();
  site.name = "site";
  site.kind = config::ServiceKind::kNone;
  Bridge bridge({Sleeper("api"), Sleeper("web"), site});
  bridge.Say("!start api");
  bridge.machine.clock.Advance(std::chrono::hours(3));
  const std::string status = bridge.Say("!status");
  CHECK(status.starts_with("1/3 running\n\u25cf **api** running"));
  CHECK(status.contains("\n\u25cb **site** deploys only"));
  CHECK(status.contains("\n\u25cb **web** stopped"));
  const std::string details = bridge.Say("!st api");
  CHECK(details.starts_with("\u25cf **api**: running\npid " + std::to_string(bridge.machine.Pid("api"))));
  CHECK(bridge.Say("!status web api").starts_with("1/2 running\n\u25cf **api** running"));
  CHECK(bridge.Say("!list") == "3 services:\napi\nsite\nweb");
  CHECK(bridge.Say("!count").ends_with(" running"));

  bridge.health = {{"discord", {Connection::kFailed, "the token was refused; set DISCORD_TOKEN"}},
                   {"console", {Connection::kReady, ""}}};
  CHECK(bridge.Say("!status").ends_with("\ndiscord: failed: the token was refused; set DISCORD_TOKEN"));
}

TEST_CASE("no services at all") {
  Bridge bridge({});
  CHECK(bridge.Say("!status") == "No services configured.");
  CHECK(bridge.Say("!list") == "No services configured.");
  CHECK(bridge.Say("!count") == "0/0 running");
  CHECK(bridge.Say("!start-all") == "No services configured.");
}

TEST_CASE("help") {
  Bridge bridge({});
  const std::string help = bridge.Say("!help");
  for (const config::CommandSpec& spec : bridge.verbs.All()) {
    CAPTURE(spec.name);
    CHECK(help.contains("`" + spec.Usage() + "` " + spec.help));
  }
  CHECK(bridge.Say("!help tail") ==
        "`logs <service> [lines] [--grep <text>] [--since <10m>] [--previous [n]] [-f]`\nShows the end of a service's "
        "log\nalso: log, tail\n"
        "`-n <n>` or `--lines` How many lines, as the second argument; at most 1000\n"
        "`--grep <text>` Only lines with this text, no pattern; letter case counts if it "
        "has capitals\n"
        "`--since <10m>` Only what was written since, e.g. 10m; earlier runs count whole\n"
        "`--previous [n]` The run before this one, or the n-th before\n"
        "`-f` or `--follow` Console: waits up to 30 s for new lines, and shows them; chat: "
        "the end, once");
  CHECK(bridge.Say("!help restart").ends_with("\nseveral names, or a pattern such as `web*`"));
  CHECK(bridge.Say("!help lgos") == "no command \"lgos\"; did you mean **logs**?");
}

TEST_CASE("T-31: logs find plain text, earlier runs, and say what they cannot do") {
  Bridge bridge({tests::ProcessService("web",
                                       "echo \"run $(ls logs | wc -l)\"; echo '(a+)+$ %n%s'; echo Timeout; "
                                       "exec sleep 3600")});
  REQUIRE(bridge.Say("!start web").contains("started"));
  REQUIRE(bridge.machine.Until([&] { return bridge.Say("!logs web").contains("Timeout"); }));
  CHECK(bridge.Say("!logs web --grep timeout") == "**web**: last line with \"timeout\"\n```\nTimeout\n```");
  CHECK(bridge.Say("!logs web --grep '(a+)+$'") == "**web**: last line with \"(a+)+$\"\n```\n(a+)+$ %n%s\n```");
  CHECK(bridge.Say("!logs web --grep %n%s").contains("(a+)+$ %n%s"));
  CHECK(bridge.Say("!logs web --grep .*") == "**web**: no lines with \".*\"");
  CHECK(bridge.Say("!logs web --grep " + std::string(10000, 'a')).ends_with("--grep takes at most 200 characters"));
  CHECK(bridge.Say("!logs web -n 1") == "**web**: last line\n```\nTimeout\n```");
  CHECK(bridge.Say("!logs web --previous") == "**web**: logs error: no log of an earlier run is there");
  CHECK(bridge.Say("!logs web -f").contains("this place cannot follow a log"));
  CHECK(bridge.Say("!logs web --gerp x").ends_with("unknown flag \"--gerp\"; did you mean --grep?"));
  REQUIRE(bridge.Say("!restart web").contains("restarted"));
  const std::string previous = bridge.Say("!logs web --previous --grep run");
  CHECK(previous.contains("an earlier run, last written to at "));
  CHECK(previous.ends_with("```\nrun 1\n```"));
}

TEST_CASE("the console follows a log until something new has come") {
  Bridge bridge({tests::ProcessService("web",
                                       "echo old; while [ ! -e go ]; do sleep 0.05; done; echo new; "
                                       "exec sleep 3600")});
  REQUIRE(bridge.Say("!start web").contains("started"));
  REQUIRE(bridge.machine.Until([&] { return bridge.Say("!logs web").contains("old"); }));
  chat::Incoming incoming = Bridge::By("!logs web --follow");
  incoming.actor.platform = "console";
  std::optional<chat::Message> answer;
  boost::asio::co_spawn(bridge.machine.loop, bridge.hub->Ask(incoming),
                        [&](std::exception_ptr, std::optional<chat::Message> said) { answer = std::move(said); });
  bridge.machine.Settle();
  CHECK_FALSE(answer.has_value());
  tests::WriteText(bridge.machine.dir / "go", "");
  REQUIRE(bridge.machine.Until([&] { return answer.has_value(); }));
  CHECK(answer->code == "new");
}

TEST_CASE("logs are the clean end of the log in one fence") {
  auto noisy = ProcessService("noisy",
                              "printf 'GET /..\\301\\034..\\n'; printf "
                              "'\\033[31mred\\033[0m\\r\\n```\\n@everyone\\nafter\\n'; exec sleep 3600");
  Bridge bridge({noisy, Sleeper("quiet")});
  CHECK(bridge.Say("!logs noisy") == "**noisy**: no logs");
  bridge.Say("!start noisy");
  REQUIRE(bridge.machine.Until([&] { return bridge.Say("!logs noisy").contains("after"); }));
  const std::string logs = bridge.Say("!logs noisy");
  CHECK(logs.starts_with("**noisy**: last 6 lines\n```\n=== Started at "));
  CHECK(logs.ends_with("\nGET /..\ufffd..\nred\n```\n@everyone\nafter\n```"));
  CHECK(bridge.Say("!logs noisy 2") == "**noisy**: last 2 lines\n```\n@everyone\nafter\n```");
  CHECK(bridge.Say("!tail noisy 1") == "**noisy**: last line\n```\nafter\n```");
  CHECK(bridge.Say("!logs noisy 1000").starts_with("**noisy**: last 6 lines"));
  CHECK(bridge.Say("!logs noisy 1001") ==
        "usage: `logs <service> [lines] [--grep <text>] [--since <10m>] [--previous [n]] [-f]`\nat most 1000 lines");
  CHECK(bridge.Say("!logs noisy x") ==
        "usage: `logs <service> [lines] [--grep <text>] [--since <10m>] [--previous [n]] [-f]`\n\"x\" is no number "
        "from 1 up");
}

TEST_CASE("a long log is cut at its start") {
  auto counting = ProcessService("counting", "seq 1 20000; exec sleep 3600");
  Bridge bridge({counting});
  bridge.Say("!start counting");
  REQUIRE(bridge.machine.Until([&] { return bridge.Say("!logs counting").ends_with("\n20000\n```"); }));
  CHECK(bridge.Say("!logs counting 50").starts_with("**counting**: last 50 lines\n```\n19951\n"));
  const std::string many = bridge.Say("!logs counting 1000");
  CHECK(many.starts_with("**counting**: last 1000 lines\n```\n... (truncated, "));
  CHECK(many.ends_with("\n20000\n```"));
  CHECK(many.size() <= 2000);
}

TEST_CASE("pull shows what git said") {
  auto here = Sleeper("here");
  here.dir = "/";
  Bridge bridge({here, Sleeper("nowhere")});
  const std::string pulled = bridge.Say("!pull here");
  CHECK(pulled.starts_with("**here**: git pull"));
  CHECK(pulled.ends_with("\n```"));
  const std::string both = bridge.Say("!pull here nowhere");
  CHECK(both.starts_with("pull: "));
  CHECK(both.contains("\nhere:\n"));
  CHECK(both.contains("\nnowhere:\n"));
}

TEST_CASE("a deploy is requested, announced and shown") {
  Bridge bridge({Deployable("api", {"echo building"}), Deployable("bad", {"echo why >&2; exit 3"})});
  CHECK(bridge.Say("!deploy api") == "Deploy requested for **api**.");
  CHECK(bridge.Hears("Deploying **api**... (alice)"));
  CHECK(bridge.Hears("Deploy of **api** succeeded."));
  CHECK(bridge.Say("!status api").contains("\nlast deploy: success"));
  CHECK(bridge.Say("!deploy bad") == "Deploy requested for **bad**.");
  CHECK(bridge.Hears("Deploy of **bad** failed at step `echo why >&2; exit 3`."));
  CHECK(bridge.Hears("why\nERROR: exit status 3\n```"));
  CHECK(bridge.Say("!status").contains("last deploy failed"));
  CHECK(bridge.Say("!deploy api bad").starts_with("Deploy requested for **api**.\nDeploy requested for **bad**"));
}

TEST_CASE("a deploy under way is shown and can be cancelled") {
  Bridge bridge({Deployable("api", {"sleep 3600"})});
  CHECK(bridge.Say("!cancel api") == "**api**: no deploy is running");
  bridge.Say("!deploy api");
  CHECK(bridge.Hears("Deploying **api**"));
  CHECK(bridge.Say("!status").contains("deploying 0s"));
  CHECK(bridge.Say("!status api").contains("\ndeploying for 0s"));
  CHECK(bridge.Say("!deploy api").starts_with("Deploy requested for **api**; it waits: deploy "));
  CHECK(bridge.Say("!deploy api") == "A deploy of **api** waits already; this one joins it.");
  CHECK(bridge.Say("!stop api").starts_with("**api**: busy: deploying for"));
  // The running one, then the one that waits.
  const auto begun = [&bridge] {
    return std::ranges::count_if(bridge.Posted("ops"),
                                 [](const std::string& text) { return text.starts_with("Deploying **api**"); });
  };
  for (int deploy = 1; deploy <= 2; ++deploy) {
    REQUIRE(bridge.machine.Until([&] { return begun() == deploy; }));
    CHECK(bridge.machine.Until([&] { return bridge.Say("!cancel api") == "Cancelling the deploy of **api**."; }));
  }
  CHECK(bridge.Hears("Deploy of **api** was cancelled at step 1 of 1, `sleep 3600`."));
}

TEST_CASE("a push that asks first is confirmed once") {
  auto shop = Deployable("shop", {"true"});
  shop.repo = "acme/shop";
  shop.branch = "main";
  shop.require_confirmation = true;
  Bridge bridge({shop, Sleeper("other")});
  CHECK(bridge.Say("!confirm shop") == "No pending deploy confirmation for **shop** (or it expired).");
  gate::PushRequest push;
  push.forge = "github";
  push.info = Push();
  push.ref = "refs/heads/main";
  push.targets = {{.service = "shop", .ignored = ""}};
  REQUIRE(bridge.gate->HandlePush(push).has_value());
  CHECK(bridge.Hears("Webhook for **shop**: acme/shop@deadbee on `main` by Bob"));
  CHECK(bridge.Hears("Deploy of **shop** waits for a confirmation"));
  const std::string none = bridge.Say("!confirm other");
  const std::string table = "```\nservice  commit   left  who\nshop     deadbee  10m   push by Bob\n```";
  CHECK(none == "No pending deploy confirmation for **other** (or it expired).\nWhat waits:\n" + table);
  CHECK(bridge.Say("!pending") == "1 deploy waits for a confirmation:\n" + table);
  CHECK(bridge.Say("!confirm shop") == "Confirmed deploy for **shop**.");
  CHECK(bridge.Say("!confirm shop").starts_with("No pending deploy confirmation"));
  CHECK(bridge.Hears("Deploy of **shop** succeeded."));
  CHECK(bridge.Say("!pending") == "No deploy waits for a confirmation.");
  CHECK(bridge.Say("!why shop").contains("confirmed by alice"));
}

TEST_CASE("while deploys are frozen nobody deploys, and all hear why") {
  Bridge bridge({Deployable("api", {"true"})});
  CHECK(bridge.Say("!unfreeze api") == "deploys of api are not frozen");
  CHECK(bridge.Say("!freeze api --reason \"the fair\" --for 2h") ==
        "Deploys of **api** are frozen; what is pushed is remembered. `!unfreeze api` ends it.");
  const std::string refused = bridge.Say("!deploy api");
  CHECK(refused.starts_with("Deploy error: **api**: deploys of api are frozen by alice ("));
  CHECK(refused.ends_with(": the fair; `unfreeze api` ends that"));
  CHECK(bridge.Say("!unfreeze api") == "Deploys again of **api**.");
  CHECK(bridge.Say("!deploy api") == "Deploy requested for **api**.");
  CHECK(bridge.Hears("Deploy of **api** succeeded."));
  CHECK(bridge.Say("!rollback api").starts_with("Deploy error: **api**: no good deploy of api"));
}

TEST_CASE("reload tells what changed, or why nothing did") {
  Bridge bridge({});
  const std::string dir = bridge.machine.config.services_dir;
  tests::WriteText(dir + "/api.yaml", "dir: /\nentrypoint: [sleep, \"3600\"]\n");
  tests::WriteText(dir + "/old.yaml", "dir: /\nentrypoint: [sleep, \"3600\"]\n");
  CHECK(bridge.Say("!reload") == "Config reloaded: 2 new; started: api, old\nnew: api, old");
  CHECK(bridge.Say("!reload") == "Config reloaded: nothing changed");
  tests::WriteText(dir + "/api.yaml", "dir: /\nentrypoint: [sleep, \"3601\"]\n");
  tests::WriteText(dir + "/web.yaml", "dir: /\nentrypoint: [sleep, \"3600\"]\n");
  std::filesystem::remove(dir + "/old.yaml");
  CHECK(bridge.Say("!reload") ==
        "Config reloaded: 1 changed, 1 new, 1 removed; restarted: api; started: web; stopped: old\n"
        "changed: api\nnew: web\nremoved: old");
  tests::WriteText(dir + "/web.yaml", "entrypoimt: [sleep]\n");
  const std::string failed = bridge.Say("!reload");
  CHECK(failed.starts_with("Reload failed, nothing was changed:\n"));
  CHECK(failed.contains("web.yaml:1:1"));
  CHECK(bridge.Say("!list") == "2 services:\napi\nweb");
}

TEST_CASE("a channel for some services touches no others") {
  std::vector<config::ChannelConfig> channels(2);
  channels[0].id = "ops";
  channels[1].id = "web";
  channels[1].services = {"web"};
  Bridge bridge({Sleeper("api"), Sleeper("web")}, channels);
  CHECK(bridge.Say("!start api", "web") == "service \"api\" cannot be reached from this channel");
  CHECK(bridge.Say("!start-all", "web") == "1 started");
  CHECK(bridge.Say("!count", "web") == "1/1 running");
  CHECK(bridge.Say("!count") == "1/2 running");
  CHECK(bridge.Say("!list", "web") == "1 service:\nweb");
  CHECK_FALSE(bridge.Say("!status", "web").contains("api"));
  CHECK(bridge.Say("!reload", "web") == "reload concerns every service; here you can touch only web");
  CHECK(bridge.Say("!stop-all", "web") == "1 stopped");
}

TEST_CASE("the deploys that were, as a table") {
  Bridge bridge({Sleeper("api"), Sleeper("web")}, tests::TwoChannels(), tests::AliceIsAdmin(), tests::Recording::kOn);
  CHECK(bridge.Say("!history api") == "No deploys yet.");
  const base::WallTime now = bridge.machine.clock.WallNow();
  deploy::Record record;
  record.id = 11;
  record.service = "api";
  record.actor = "alice";
  record.commit = "deadbeefcafe";
  record.subject = "Mend the cart";
  record.began = now - std::chrono::hours(3);
  record.ended = record.began + std::chrono::seconds(12);
  record.result = "success";
  bridge.deploys->DeployRecorded(record);
  record.id = 12;
  record.service = "web";
  record.commit = "cafe12345678";
  record.began = now - std::chrono::minutes(5);
  record.ended = now;
  record.result = "failed";
  record.failed_step = "make\ntest";
  bridge.deploys->DeployRecorded(record);
  CHECK(bridge.Say("!history api") ==
        "The last deploy of **api**; `!deploy-log 11` shows one.\n```\n"
        "   deploy  commit   ago  what\n\u2713  #11     deadbee  3h   Mend the cart,~\n```");
  CHECK(bridge.Say("!deploys") ==
        "The last 2 deploys; `!deploy-log 12` shows one.\n```\n"
        "   deploy  service  ago  what\n\u2717  #12     web      5m   failed at make~\n"
        "\u2713  #11     api      3h   Mend the cart,~\n```");
  CHECK(bridge.Say("!deploy-log 13") == "No deploy 13 is on record.");
}

}  // namespace
}  // namespace shipmate::chat
