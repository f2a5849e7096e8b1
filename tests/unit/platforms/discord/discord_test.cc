#include "platforms/discord/discord.h"

#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <optional>

#include "async/spawn.h"
#include "fakes/temp_dir.h"
#include "unit/platforms/discord/scripted_discord.h"
#include "unit/platforms/discord/wire.h"
#include "unit/run_task.h"

using namespace shipmate;
using namespace std::chrono_literals;
using shipmate::tests::Await;
using shipmate::tests::CloseWith;
using shipmate::tests::Cut;
using shipmate::tests::Listen;
using shipmate::tests::RunTask;
using shipmate::tests::Say;
using shipmate::tests::ScriptedDiscord;
using shipmate::tests::Step;
using shipmate::tests::Wire;

namespace {

class RecordingInbox final : public chat::Inbox {
 public:
  void Receive(chat::Incoming incoming) override { received.push_back(std::move(incoming)); }
  Task<std::optional<chat::Message>> Ask(chat::Incoming) override { co_return std::nullopt; }
  std::vector<std::string> Complete(const std::string&) override { return {}; }
  std::vector<chat::Incoming> received;
};

Task<void> RunInto(chat::Frontend& frontend, chat::Inbox& inbox, std::optional<Result<void>>& ended) {
  ended = co_await frontend.Run(inbox);
}

Task<void> WaitReady(chat::Frontend& frontend, bool& ready) {
  co_await frontend.Ready();
  ready = true;
}

// On the loop, as the program does it: a cancellation from outside reaches its coroutine only later.
Task<bool> CancelAndJoin(async::TaskGroup& group) {
  group.Cancel();
  co_return co_await group.Join(30s);
}

constexpr int kBeat = 1;
constexpr int kIdentify = 2;
constexpr int kResume = 6;

// A frontend that runs against a scripted Discord. Stopped, and joined, with the object.
struct World {
  World() {
    config.guild_id = "330000000000000003";
    config.channels.push_back({.id = "440000000000000004"});
  }
  ~World() { Stop(); }
  void Start() {
    config.api_url = discord.ApiUrl();
    frontend =
        platforms::discord::CreateDiscord(loop.get_executor(), config, base::Secret("T0KEN"), state.Path(), clock, "!");
    group.Spawn("run", RunInto(*frontend, inbox, ended));
    group.Spawn("ready", WaitReady(*frontend, ready));
  }
  void Stop() { CHECK(RunTask(loop, CancelAndJoin(group))); }
  chat::Connection Connection() const { return frontend->GetHealth().connection; }
  // How many messages of `opcode` connection `number` has sent.
  int Heard(int number, int opcode) const {
    int count = 0;
    const std::string start = std::to_string(number) + " {\"op\":" + std::to_string(opcode) + ",";
    for (const std::string& text : discord.heard) count += text.starts_with(start) ? 1 : 0;
    return count;
  }
  std::vector<Step> Opening(int interval = 45000) const {
    return {Say(discord.Hello(interval)), Await(kIdentify), Say(discord.Ready(1))};
  }
  std::vector<Step> Resumed(int interval = 45000) const {
    return {Say(discord.Hello(interval)), Await(kResume), Say(Wire("RESUMED"))};
  }

  boost::asio::io_context loop{1};
  base::SystemClock clock;
  tests::TempDir state;
  ScriptedDiscord discord{loop};
  config::DiscordConfig config;
  RecordingInbox inbox;
  async::TaskGroup group{loop.get_executor()};
  std::unique_ptr<chat::Frontend> frontend;
  std::optional<Result<void>> ended;
  bool ready = false;
};

void Append(std::vector<Step>& script, std::vector<Step> more) {
  for (Step& step : more) script.push_back(std::move(step));
}

}  // namespace

TEST_CASE("a command comes in, an answer goes out, and a shutdown closes for good") {
  World world;
  world.discord.scripts = {world.Opening()};
  Append(world.discord.scripts[0],
         {Say(Wire("GUILD_CREATE")), Say(Wire("MESSAGE_CREATE")), Say(Wire("MESSAGE_CREATE")),
          Say(Wire("MESSAGE_CREATE_DM")), Say(Wire("MESSAGE_CREATE_OWN_NONCE")), Say(Wire("MESSAGE_CREATE_NO_INTENT")),
          Say(Wire("UNKNOWN_EVENT")), Say(Wire("MESSAGE_CREATE_MENTION"))});
  world.Start();
  CHECK(world.frontend->Name() == "discord");
  CHECK(world.frontend->Channels().size() == 1);
  REQUIRE(world.discord.Until([&] { return world.inbox.received.size() == 2; }));
  CHECK(world.ready);
  CHECK(world.Connection() == chat::Connection::kReady);
  CHECK(world.inbox.received[0].text == "!deploy api --tag=v1.2 \"a b\"");
  CHECK(world.inbox.received[1].text == "deploy api");
  CHECK(world.inbox.received[1].addressed);
  CHECK(world.discord.gateway_targets == std::vector<std::string>{"/gw/?v=10&encoding=json"});
  CHECK(world.discord.requests[0].target == "/api/v10/applications/@me");
  CHECK(world.discord.requests[1].target == "/api/v10/gateway/bot");

  chat::Outgoing answer;
  answer.channel = world.inbox.received[0].channel;
  answer.text = "done";
  answer.reply_to = world.inbox.received[0].message_id;
  answer.key = "reply/1";
  CHECK(RunTask(world.loop, world.frontend->Send(answer)).has_value());
  CHECK(world.discord.Posts() == 1);
  CHECK(world.frontend->CanEdit());
  CHECK(RunTask(world.loop, world.frontend->Edit({.channel = answer.channel, .id = "1", .text = "done, and well"}))
            .has_value());
  CHECK(world.discord.requests.back().target.ends_with("/channels/" + answer.channel + "/messages/1"));
  // The id that READY told is whose posts are looked through.
  world.discord.reads = {
      {.status = 200, .headers = {}, .body = R"([{"id":"1","author":{"id":"1100000000000000001"},"content":"done"}])"}};
  CHECK(RunTask(world.loop, world.frontend->FindOwn({.outgoing = answer, .since = {}, .after = ""})).value()->id ==
        "1");

  world.Stop();
  REQUIRE(world.ended.has_value());
  CHECK(world.ended->error().code == Errc::kCancelled);
  CHECK(world.Connection() == chat::Connection::kOff);
  REQUIRE(world.discord.Until([&] { return !world.discord.closes.empty(); }));
  CHECK(world.discord.closes.front() == std::pair(1, 1000));
  CHECK(std::filesystem::exists(world.state.Path() + "/discord-identifies.json"));
}

TEST_CASE("a cut connection is resumed where it was, and a replayed message acts once") {
  World world;
  world.discord.scripts = {world.Opening(), {}};
  Append(world.discord.scripts[0], {Say(Wire("MESSAGE_CREATE")), Cut()});
  world.discord.scripts[1] = {Say(world.discord.Hello(45000)), Await(kResume), Say(Wire("MESSAGE_CREATE")),
                              Say(Wire("MESSAGE_CREATE_MENTION")), Say(Wire("RESUMED"))};
  world.Start();
  REQUIRE(world.discord.Until([&] { return world.inbox.received.size() == 2; }));
  REQUIRE(world.discord.Until([&] { return world.Connection() == chat::Connection::kReady; }));
  CHECK(world.inbox.received[1].message_id == "1400000000000000103");
  REQUIRE(world.discord.gateway_targets.size() == 2);
  CHECK(world.discord.gateway_targets[1] == "/resume/?v=10&encoding=json");
  CHECK(world.Heard(2, kIdentify) == 0);
  REQUIRE(world.Heard(2, kResume) == 1);
  CHECK(world.discord.heard.back().find("\"seq\":3}") != std::string::npos);
}

TEST_CASE("a connection that stops answering beats is found dead and replaced") {
  World world;
  world.discord.scripts = {world.Opening(200), world.Resumed()};
  world.Start();
  REQUIRE(world.discord.Until([&] { return world.Heard(2, kResume) == 1; }));
  CHECK(world.Heard(1, kBeat) == 1);
  REQUIRE(world.discord.Until([&] { return !world.discord.closes.empty(); }));
  CHECK(world.discord.closes.front() == std::pair(1, 4200));
}

TEST_CASE("op 7, a close without a reason and an unreadable message are resumed one after another") {
  World world;
  world.discord.scripts = {world.Opening(), world.Resumed(), world.Resumed(), world.Resumed()};
  Append(world.discord.scripts[0], {Say(Wire("RECONNECT")), Listen()});
  Append(world.discord.scripts[1], {CloseWith(4000)});
  Append(world.discord.scripts[2], {Say("{\"op\":\"\xff"), Listen()});
  world.Start();
  REQUIRE(world.discord.Until(
      [&] { return world.discord.gateway_targets.size() == 4 && world.Connection() == chat::Connection::kReady; }));
  CHECK(world.Heard(1, kIdentify) == 1);
  for (const int number : {2, 3, 4}) CHECK(world.Heard(number, kResume) == 1);
}

TEST_CASE("an invalid session is begun anew at the plain gateway") {
  World world;
  world.discord.scripts = {world.Opening(),
                           {Say(world.discord.Hello(45000)), Await(kResume), Say(Wire("INVALID_SESSION"))},
                           world.Opening()};
  Append(world.discord.scripts[0], {Cut()});
  world.Start();
  REQUIRE(world.discord.Until([&] { return world.Heard(3, kIdentify) == 1; }));
  CHECK(world.discord.gateway_targets ==
        std::vector<std::string>{"/gw/?v=10&encoding=json", "/resume/?v=10&encoding=json", "/gw/?v=10&encoding=json"});
  REQUIRE(world.discord.Until([&] { return world.Connection() == chat::Connection::kReady; }));
}

TEST_CASE("without the Message Content intent no connection is spent, and notices still go out") {
  World world;
  world.discord.application_flags = 0;
  world.Start();
  REQUIRE(world.discord.Until([&] { return world.ended.has_value() && world.ready; }));
  CHECK(world.ended->error().code == Errc::kRefused);
  CHECK(world.ended->error().what.find("Privileged Gateway Intents") != std::string::npos);
  CHECK(world.Connection() == chat::Connection::kFailed);
  CHECK(world.frontend->GetHealth().reason == world.ended->error().what);
  CHECK(world.discord.gateway_targets.empty());
  chat::Outgoing notice;
  notice.channel = "440000000000000004";
  notice.text = "api started";
  CHECK(RunTask(world.loop, world.frontend->Send(notice)).has_value());
}

TEST_CASE("4014 and 4004 end it once; a rejected token ends REST too") {
  for (const int code : {4014, 4004}) {
    CAPTURE(code);
    World world;
    world.discord.scripts = {{Say(world.discord.Hello(45000)), Await(kIdentify), CloseWith(code)}};
    world.Start();
    REQUIRE(world.discord.Until([&] { return world.ended.has_value() && world.ready; }));
    CHECK(world.ended->error().code == (code == 4004 ? Errc::kAuth : Errc::kRefused));
    CHECK(world.Connection() == chat::Connection::kFailed);
    CHECK(world.discord.gateway_targets.size() == 1);
    chat::Outgoing notice;
    notice.channel = "440000000000000004";
    notice.text = "api started";
    CHECK(RunTask(world.loop, world.frontend->Send(notice)).has_value() == (code == 4014));
  }
}

TEST_CASE("message_content: false asks for no privileged intent and checks none") {
  World world;
  world.config.message_content = false;
  world.discord.application_flags = 0;
  world.discord.scripts = {world.Opening()};
  world.Start();
  REQUIRE(world.discord.Until([&] { return world.Connection() == chat::Connection::kReady; }));
  CHECK(world.discord.heard.front().find("\"intents\":13825,") != std::string::npos);
  CHECK(world.discord.requests.front().target == "/api/v10/gateway/bot");
}

TEST_CASE("gateway_url is used, even when REST is ill") {
  World world;
  world.config.message_content = false;
  world.config.gateway_url = world.discord.GatewayUrl() + "/own";
  world.discord.gateway_status = 404;
  world.discord.scripts = {world.Opening()};
  world.Start();
  REQUIRE(world.discord.Until([&] { return world.Connection() == chat::Connection::kReady; }));
  CHECK(world.discord.gateway_targets.front() == "/gw/own/?v=10&encoding=json");
}

TEST_CASE("a wrong setting fails Run and Send with its reason, and completes Ready") {
  World world;
  world.config.ca_file = "/nonexistent/ca.pem";
  world.Start();
  REQUIRE(world.discord.Until([&] { return world.ended.has_value() && world.ready; }));
  CHECK(world.ended->error().what.find("/nonexistent/ca.pem") != std::string::npos);
  CHECK(world.Connection() == chat::Connection::kFailed);
  CHECK_FALSE(RunTask(world.loop, world.frontend->Send({})).has_value());
}

TEST_CASE("cancelling while it connects ends it at once") {
  World world;
  world.discord.gateway_status = 503;
  world.Start();
  REQUIRE(world.discord.Until([&] { return world.discord.requests.size() >= 2; }));
  CHECK(world.Connection() == chat::Connection::kConnecting);
  world.Stop();
  REQUIRE(world.ended.has_value());
  CHECK(world.ended->error().code == Errc::kCancelled);
}
