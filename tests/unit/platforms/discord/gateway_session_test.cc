#include "platforms/discord/gateway_session.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "platforms/discord/codec.h"
#include "unit/platforms/discord/wire.h"

using namespace shipmate;
using namespace shipmate::platforms::discord;
using namespace std::chrono_literals;
using shipmate::tests::Wire;
using Lines = std::vector<std::string>;

namespace doctest {
template <>
struct StringMaker<Lines> {
  static String convert(const Lines& lines) {
    std::string text;
    for (const std::string& line : lines) text += "\n    " + line;
    return text.c_str();
  }
};
}  // namespace doctest

namespace {

const std::string kGatewayUrl = "wss://gateway.discord.gg/?v=10&encoding=json";
const std::string kResumeUrl = "wss://gateway-us-east1-b.discord.gg/?v=10&encoding=json";
const std::string kIdentifyText =
    R"(send {"op":2,"d":{"token":"T0KEN","intents":46593,"properties":{"os":"linux","browser":"shipmate",)"
    R"("device":"shipmate"},"large_threshold":50,"compress":false}})";
const std::string kSessionId = "9f3c1d5e7a9b4c2d8e6f0a1b2c3d4e5f";

std::string ResumeText(int sequence) {
  return R"(send {"op":6,"d":{"token":"T0KEN","session_id":")" + kSessionId + R"(","seq":)" + std::to_string(sequence) +
         "}}";
}
std::string BeatText(const std::string& sequence) {
  return R"(send {"op":1,"d":)" + sequence + "}";
}

// A session and its surroundings: a clock that the test moves, and a fixed random number.
struct Talk {
  explicit Talk(SessionOptions options = {.token = base::Secret("T0KEN")})
      : session(std::move(options), budget, [this] { return random; }) {}

  Lines Texts(const Actions& actions) const {
    Lines lines;
    for (const Action& action : actions) lines.push_back(std::visit([&](const auto& a) { return Text(a); }, action));
    return lines;
  }
  static std::string Text(const AskGateway&) { return "ask"; }
  static std::string Text(const Connect& a) { return "connect " + a.url; }
  static std::string Text(const SendText& a) { return "send " + a.text; }
  static std::string Text(const CloseSocket& a) { return "close " + std::to_string(a.code) + " " + a.reason; }
  std::string Text(const ArmTimer& a) const {
    if (a.at == base::SteadyTime::max()) return "timer off";
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(a.at - now.steady);
    return "timer " + std::to_string(wait.count());
  }
  static std::string Text(const Deliver& a) { return "deliver " + a.type; }
  static std::string Text(const SaveBudget&) { return "save budget"; }
  static std::string Text(const Online& a) { return a.resumed ? "online resumed" : "online"; }
  static std::string Text(const GiveUp& a) { return "give up " + a.error.what; }
  static std::string Text(const Report& a) {
    const char* level = "debug ";
    if (a.level == base::LogLevel::kInfo) level = "info ";
    if (a.level == base::LogLevel::kWarn) level = "warn ";
    if (a.level == base::LogLevel::kError) level = "error ";
    return level + a.text;
  }

  Lines Hear(const std::string& json) {
    auto frame = codec.Decode(json);
    REQUIRE(frame.has_value());
    return Texts(session.Received(*frame, now));
  }
  Lines Pass(std::chrono::milliseconds time) {
    Move(time);
    return Texts(session.Timer(now));
  }
  void Move(std::chrono::milliseconds time) {
    now.steady += time;
    now.wall += time;
  }
  Lines Close(std::optional<std::uint16_t> code, const std::string& why = "") {
    return Texts(session.Closed(code, why, now));
  }
  Lines Found(std::int64_t remaining = 997) {
    return Texts(
        session.GatewayFound({.url = "wss://gateway.discord.gg", .remaining = remaining, .reset_after = 4h}, now));
  }
  // From a connection that is being opened to HELLO.
  void Greet() {
    session.Connected(now);
    Hear(Wire("HELLO"));
  }
  void GoReady() {
    session.Start(now);
    Found();
    Greet();
    Hear(Wire("READY"));
    REQUIRE(session.GetState() == GatewaySession::State::kReady);
  }

  double random = 0.5;
  Codec codec;
  IdentifyBudget budget;
  Moment now{base::SteadyTime(1000h), base::WallTime(std::chrono::sys_days(std::chrono::year(2026) / 8 / 1))};
  GatewaySession session;
};

}  // namespace

TEST_CASE("the gateway's address gets the version and encoding, with or without a path") {
  CHECK(GatewayConnectUrl("wss://gateway.discord.gg", true) == kGatewayUrl);
  CHECK(GatewayConnectUrl("wss://gateway.discord.gg/", true) == kGatewayUrl);
  CHECK(GatewayConnectUrl("wss://h:8443/gw?x=1", true) == "wss://h:8443/gw/?v=10&encoding=json");
  CHECK(GatewayConnectUrl("ws://127.0.0.1:9", false) == "ws://127.0.0.1:9/?v=10&encoding=json");
  CHECK(GatewayConnectUrl("ws://127.0.0.1:9", true).empty());
  CHECK(GatewayConnectUrl("https://discord.com", false).empty());
  CHECK(GatewayConnectUrl("", false).empty());
}

TEST_CASE("from nothing to ready: HELLO, jittered first beat, IDENTIFY on record before it is sent, READY") {
  Talk talk;
  CHECK(talk.Texts(talk.session.Start(talk.now)) == Lines{"ask", "timer 60000"});
  CHECK(talk.Found() == Lines{"connect " + kGatewayUrl, "timer 45000"});
  CHECK(talk.Texts(talk.session.Connected(talk.now)) == Lines{"timer 60000"});
  CHECK(talk.Hear(Wire("HELLO")) == Lines{"save budget", kIdentifyText, "timer 15000"});
  CHECK(talk.budget.Used(talk.now.wall) == 1);
  CHECK(talk.session.Reason() == "connecting to Discord");
  CHECK(talk.Hear(Wire("READY")) == Lines{"deliver READY", "online", "info connected", "timer 20625"});
  CHECK(talk.session.Reason().empty());
  CHECK(talk.Hear(Wire("GUILD_CREATE")) == Lines{"deliver GUILD_CREATE"});
  CHECK(talk.Pass(20625ms) == Lines{BeatText("2"), "timer 39375"});  // the stable minute ends before the next beat
  CHECK(talk.Hear(Wire("HEARTBEAT_ACK")).empty());
  CHECK(talk.Pass(39375ms) == Lines{"timer 1875"});
  CHECK(talk.Pass(1875ms) == Lines{BeatText("2"), "timer 41250"});
}

TEST_CASE("without the Message Content intent the plain intents are asked for") {
  Talk talk({.token = base::Secret("T0KEN"), .intents = kPlainIntents});
  talk.session.Start(talk.now);
  talk.Found();
  talk.session.Connected(talk.now);
  const Lines lines = talk.Hear(Wire("HELLO"));
  REQUIRE(lines.size() == 3);
  CHECK(lines[1].find("\"intents\":13825,") != std::string::npos);
}

TEST_CASE("a requested beat is sent at once and neither counts as a missed answer nor shifts the periodic one") {
  Talk talk;
  talk.GoReady();
  CHECK(talk.Hear(Wire("HEARTBEAT_REQUEST")) == Lines{BeatText("1")});
  CHECK(talk.Hear(Wire("HEARTBEAT_REQUEST")) == Lines{BeatText("1")});
  CHECK(talk.Pass(20625ms) == Lines{BeatText("1"), "timer 39375"});
  CHECK(talk.Hear(R"({"op":11})").empty());
  CHECK(talk.Hear(R"({"op":11,"d":{}})").empty());
}

TEST_CASE("no answer between two beats: the connection is closed with 4200 and the session resumed") {
  Talk talk;
  talk.GoReady();
  talk.Hear(Wire("MESSAGE_CREATE"));
  talk.Pass(20625ms);
  talk.Pass(39375ms);
  CHECK(talk.Pass(1875ms) == Lines{"close 4200 the connection is dead (no heartbeat was answered)",
                                   "warn the connection is dead (no heartbeat was answered); resuming in 0.5s",
                                   "timer 500"});
  CHECK(talk.session.Reason() == "the connection is dead (no heartbeat was answered)");
  CHECK(talk.Pass(500ms) == Lines{"connect " + kResumeUrl, "timer 45000"});
  CHECK(talk.Texts(talk.session.Connected(talk.now)) == Lines{"timer 60000"});
  CHECK(talk.Hear(Wire("HELLO")) == Lines{ResumeText(3), "timer 15000"});
  // The replay may begin with anything, and each event extends its time.
  talk.Move(10s);
  CHECK(talk.Hear(Wire("MESSAGE_CREATE_MENTION")) == Lines{"deliver MESSAGE_CREATE", "timer 10625"});  // the first beat
  CHECK(talk.Hear(Wire("RESUMED")) == Lines{"deliver RESUMED", "online resumed", "info session resumed"});
  CHECK(talk.budget.Used(talk.now.wall) == 1);
}

TEST_CASE("the sequence only grows") {
  Talk talk;
  talk.GoReady();
  talk.Hear(Wire("INTERACTION_SLASH"));
  talk.Hear(Wire("MESSAGE_CREATE"));
  talk.Hear(R"({"op":0,"t":"X","s":null,"d":{}})");
  CHECK(talk.Hear(Wire("HEARTBEAT_REQUEST")) == Lines{BeatText("9")});
}

TEST_CASE("a drop without a close frame, and each close code that keeps the session, resumes") {
  struct Row {
    std::optional<std::uint16_t> code;
    std::string text;
  };
  const std::vector<Row> rows = {
      {std::nullopt, "the connection was lost"},
      {1000, "Discord is restarting the connection (1000)"},
      {1001, "Discord is restarting the connection (1001)"},
      {1005, "the connection was closed with code 1005"},
      {1006, "the connection was closed with code 1006"},
      {1009, "the connection was closed with code 1009"},
      {4000, "Discord met an unknown error (4000)"},
      {4006, "the connection was closed with code 4006"},
      {4999, "the connection was closed with code 4999"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    Talk talk;
    talk.GoReady();
    CHECK(talk.Close(row.code) == Lines{"warn " + row.text + "; resuming in 0.5s", "timer 500"});
    CHECK(talk.Pass(500ms) == Lines{"connect " + kResumeUrl, "timer 45000"});
    talk.session.Connected(talk.now);
    CHECK(talk.Hear(Wire("HELLO")) == Lines{ResumeText(1), "timer 15000"});
  }
}

TEST_CASE("4001 and 4002: the refused payload is named, dropped, and not sent again") {
  for (const int number : {4001, 4002}) {
    const auto code = static_cast<std::uint16_t>(number);
    Talk talk;
    talk.GoReady();
    CHECK(talk.Texts(talk.session.Submit(R"({"op":3,"d":{}})", talk.now)) == Lines{R"(send {"op":3,"d":{}})"});
    const std::string text = code == 4001 ? "Discord did not know an opcode we sent (4001)"
                                          : "Discord could not decode a payload we sent (4002)";
    CHECK(talk.Close(code) == Lines{"error " + text + ": the payload we sent last is dropped",
                                    "warn " + text + "; resuming in 0.5s", "timer 500"});
    talk.Pass(500ms);
    talk.session.Connected(talk.now);
    CHECK(talk.Hear(Wire("HELLO")) == Lines{ResumeText(1), "timer 15000"});
    CHECK(talk.Hear(Wire("RESUMED")) ==
          Lines{"deliver RESUMED", "online resumed", "info session resumed", "timer 20625"});
  }
}

TEST_CASE("4003, 4005 and 4007 begin a new session at the plain gateway") {
  struct Row {
    std::uint16_t code;
    std::string text;
  };
  const std::vector<Row> rows = {{4003, "Discord has ended the session (4003)"},
                                 {4005, "Discord saw a second identify on one connection (4005)"},
                                 {4007, "Discord did not accept our sequence number (4007)"}};
  for (const Row& row : rows) {
    Talk talk;
    talk.GoReady();
    talk.Move(10s);
    CHECK(talk.Close(row.code) == Lines{"warn " + row.text + "; connecting anew in 0.5s", "timer 500"});
    CHECK(talk.Pass(500ms) == Lines{"ask", "timer 60000"});
    CHECK(talk.Found() == Lines{"connect " + kGatewayUrl, "timer 45000"});
    talk.session.Connected(talk.now);
    CHECK(talk.Hear(Wire("HELLO")) == Lines{"save budget", kIdentifyText, "timer 15000"});
  }
}

TEST_CASE("4008 waits five seconds; 4008 and 4009 resume once, then begin anew") {
  struct Row {
    std::uint16_t code;
    std::string text;
    std::string wait;
    std::chrono::milliseconds time;
  };
  const std::vector<Row> rows = {{4008, "we sent to Discord too fast (4008)", "5.0s", 5000ms},
                                 {4009, "the Discord session timed out (4009)", "0.5s", 500ms}};
  for (const Row& row : rows) {
    Talk talk;
    talk.GoReady();
    CHECK(talk.Close(row.code) ==
          Lines{"warn " + row.text + "; resuming in " + row.wait, "timer " + std::to_string(row.time.count())});
    CHECK(talk.Pass(row.time) == Lines{"connect " + kResumeUrl, "timer 45000"});
    talk.session.Connected(talk.now);
    CHECK(talk.Hear(Wire("HELLO")) == Lines{ResumeText(1), "timer 15000"});
    CHECK(talk.Close(4009) == Lines{"warn the Discord session timed out (4009); resuming in 1.0s", "timer 1000"});
    talk.Move(5s);
    CHECK(talk.Pass(1000ms) ==
          Lines{"warn the session could not be resumed: beginning a new one", "ask", "timer 60000"});
  }
}

TEST_CASE("the fatal codes end it, with words for a person, and nothing follows") {
  for (const int number : {4004, 4010, 4011, 4012, 4013, 4014}) {
    const auto code = static_cast<std::uint16_t>(number);
    CAPTURE(code);
    Talk talk;
    talk.session.Start(talk.now);
    talk.Found();
    talk.Greet();
    const std::string text = MeaningOfClose(code, 46593).text;
    CHECK(talk.Close(code) == Lines{"give up " + text, "timer off"});
    CHECK(talk.session.GetState() == GatewaySession::State::kOff);
    CHECK(talk.session.Reason() == text);
    CHECK(MeaningOfClose(code, 0).error == (code == 4004 ? Errc::kAuth : Errc::kRefused));
    CHECK(talk.Pass(24h).empty());
    CHECK(talk.Close(std::nullopt).empty());
  }
}

TEST_CASE("op 7 resumes, also before HELLO, and before there is a session") {
  Talk talk;
  talk.GoReady();
  const Lines resume = {"close 4200 Discord asked for a new connection",
                        "warn Discord asked for a new connection; resuming in 0.5s", "timer 500"};
  CHECK(talk.Hear(Wire("RECONNECT")) == resume);
  talk.Pass(500ms);
  talk.session.Connected(talk.now);
  CHECK(talk.Hear(Wire("RECONNECT")) == Lines{"close 4200 Discord asked for a new connection",
                                              "warn Discord asked for a new connection; resuming in 1.0s",
                                              "timer 1000"});

  Talk fresh;
  fresh.session.Start(fresh.now);
  fresh.Found();
  fresh.session.Connected(fresh.now);
  CHECK(fresh.Hear(Wire("RECONNECT")) == Lines{"close 4200 Discord asked for a new connection",
                                               "warn Discord asked for a new connection; connecting anew in 0.5s",
                                               "timer 500"});
  CHECK(fresh.Pass(500ms) == Lines{"ask", "timer 60000"});
  CHECK(fresh.budget.Used(fresh.now.wall) == 0);
}

TEST_CASE("op 9 false in answer to a resume: one to five seconds, then a new session at the plain gateway") {
  for (const double random : {0.0, 0.5, 0.999}) {
    Talk talk;
    talk.GoReady();
    talk.Move(1min);
    talk.Close(std::nullopt);
    talk.Pass(500ms);
    talk.Greet();
    talk.random = random;
    const auto wait = std::chrono::milliseconds(1000 + static_cast<int>(random * 4000));
    const Lines lines = talk.Hear(Wire("INVALID_SESSION"));
    REQUIRE(lines.size() == 3);
    CHECK(lines[0] == "close 1000 Discord has ended the session");
    CHECK(lines[2] == "timer " + std::to_string(wait.count()));
    CHECK(talk.Pass(wait) == Lines{"ask", "timer 60000"});
    CHECK(talk.Found() == Lines{"connect " + kGatewayUrl, "timer 45000"});
    talk.session.Connected(talk.now);
    CHECK(talk.Hear(Wire("HELLO"))[1] == kIdentifyText);
    CHECK(talk.budget.Used(talk.now.wall) == 2);
  }
}

TEST_CASE("op 9 true resumes again, but not for ever") {
  Talk talk;
  talk.GoReady();
  talk.Move(1min);
  talk.Close(std::nullopt);
  talk.Pass(500ms);
  for (const int wait : {1000, 2000}) {
    talk.Greet();
    CHECK(talk.Hear(Wire("INVALID_SESSION_RESUMABLE")) ==
          Lines{"close 4200 Discord did not let the session go on yet",
                "warn Discord did not let the session go on yet; resuming in " + std::to_string(wait / 1000) + ".0s",
                "timer " + std::to_string(wait)});
    CHECK(talk.Pass(std::chrono::milliseconds(wait)) == Lines{"connect " + kResumeUrl, "timer 45000"});
  }
  talk.Greet();
  talk.Hear(Wire("INVALID_SESSION_RESUMABLE"));
  CHECK(talk.Pass(4s) == Lines{"warn the session could not be resumed: beginning a new one", "ask", "timer 60000"});
}

TEST_CASE("op 9 in answer to IDENTIFY never repeats it within five seconds, and backs off") {
  Talk talk;
  talk.random = 0.999;
  talk.session.Start(talk.now);
  talk.Found();
  std::vector<base::SteadyTime> identifies;
  for (int i = 0; i < 14; ++i) {
    talk.session.Connected(talk.now);
    const Lines hello = talk.Hear(Wire("HELLO"));
    REQUIRE(hello.size() == 3);
    REQUIRE(hello[1] == kIdentifyText);
    identifies.push_back(talk.now.steady);
    talk.Hear(i % 2 == 0 ? Wire("INVALID_SESSION") : Wire("INVALID_SESSION_RESUMABLE"));
    while (talk.session.GetState() == GatewaySession::State::kWaiting) talk.Pass(100ms);
    REQUIRE(talk.session.GetState() == GatewaySession::State::kAsking);
    talk.Found();
  }
  for (std::size_t i = 1; i < identifies.size(); ++i) CHECK(identifies[i] - identifies[i - 1] >= 5s);
  // Near its longest wait of ten minutes it begins fewer than 150 sessions a day.
  CHECK(identifies[13] - identifies[12] > 590s);
  CHECK(identifies[13] - identifies[12] <= 601s);
}

TEST_CASE("three failed resumes, or ninety seconds, and a new session is begun") {
  Talk talk;
  talk.GoReady();
  talk.Move(10s);
  talk.Close(std::nullopt);
  CHECK(talk.Pass(500ms) == Lines{"connect " + kResumeUrl, "timer 45000"});
  CHECK(talk.Close(std::nullopt, "connecting: refused") ==
        Lines{"warn connecting: refused; resuming in 1.0s", "timer 1000"});
  CHECK(talk.Pass(1s) == Lines{"connect " + kResumeUrl, "timer 45000"});
  CHECK(talk.Close(1006) == Lines{"warn the connection was closed with code 1006; resuming in 2.0s", "timer 2000"});
  CHECK(talk.Pass(2s) == Lines{"connect " + kResumeUrl, "timer 45000"});
  CHECK(talk.Close(std::nullopt) == Lines{"warn the connection was lost; resuming in 4.0s", "timer 4000"});
  CHECK(talk.Pass(4s) == Lines{"warn the session could not be resumed: beginning a new one", "ask", "timer 60000"});

  Talk slow;
  slow.GoReady();
  slow.Close(std::nullopt);
  slow.Pass(500ms);
  CHECK(slow.Pass(45s) ==
        Lines{"close 4200 no connection within 45s", "warn no connection within 45s; resuming in 1.0s", "timer 1000"});
  slow.Pass(1s);
  slow.Pass(45s);
  CHECK(slow.Pass(2s) == Lines{"warn the session could not be resumed: beginning a new one", "ask", "timer 60000"});
}

TEST_CASE("every state has its deadline") {
  Talk asking;
  asking.session.Start(asking.now);
  CHECK(asking.Pass(60s) == Lines{"warn finding the gateway: no answer within 60s; trying again in 0.5s", "timer 500"});
  CHECK(asking.Pass(500ms) == Lines{"ask", "timer 60000"});

  Talk hello;
  hello.session.Start(hello.now);
  hello.Found();
  hello.session.Connected(hello.now);
  CHECK(hello.Pass(60s) ==
        Lines{"close 4200 no HELLO within 60s", "warn no HELLO within 60s; connecting anew in 0.5s", "timer 500"});

  Talk ready;
  ready.session.Start(ready.now);
  ready.Found();
  ready.Greet();
  CHECK(ready.Pass(15s) ==
        Lines{"close 4200 no READY within 15s", "warn no READY within 15s; connecting anew in 0.5s", "timer 500"});

  Talk resume;
  resume.GoReady();
  resume.Close(std::nullopt);
  resume.Pass(500ms);
  resume.Greet();
  CHECK(resume.Pass(15s) == Lines{"close 4200 no answer to RESUME within 15s",
                                  "warn no answer to RESUME within 15s; resuming in 1.0s", "timer 1000"});
}

TEST_CASE("reconnecting never spins: the waits grow, and start anew after a stable minute only") {
  Talk talk;
  talk.GoReady();
  talk.Move(30s);
  for (const int wait : {500, 1000, 2000, 4000, 8000, 16000, 30000, 30000}) {
    const std::string seconds = std::to_string(wait / 1000) + (wait == 500 ? ".5s" : ".0s");
    CHECK(talk.Close(std::nullopt).front() == "warn the connection was lost; resuming in " + seconds);
    talk.Pass(std::chrono::milliseconds(wait));
    talk.Greet();
    talk.Hear(Wire("RESUMED"));
    REQUIRE(talk.session.GetState() == GatewaySession::State::kReady);
    talk.Pass(30s);
  }
  talk.Hear(Wire("HEARTBEAT_ACK"));
  talk.Pass(30s);
  REQUIRE(talk.session.GetState() == GatewaySession::State::kReady);
  CHECK(talk.Close(std::nullopt)[1] == "timer 500");
}

TEST_CASE("a gateway that is not found is looked for with growing waits, and a known one is tried") {
  Talk talk;
  talk.session.Start(talk.now);
  for (const int wait : {500, 1000, 2000, 4000, 8000, 16000, 30000, 30000}) {
    CHECK(talk.Texts(talk.session.GatewayNotFound("no route", talk.now)).back() == "timer " + std::to_string(wait));
    CHECK(talk.Pass(std::chrono::milliseconds(wait)) == Lines{"ask", "timer 60000"});
  }
  CHECK(talk.session.Reason() == "no route");
  talk.Found();
  talk.Close(std::nullopt, "connecting: refused");
  talk.Pass(30s);
  CHECK(talk.Texts(talk.session.GatewayNotFound("status 502", talk.now)) ==
        Lines{"connect " + kGatewayUrl, "timer 45000"});

  Talk fixed({.token = base::Secret("T0KEN"), .gateway_url = "ws://127.0.0.1:9/gw", .require_tls = false});
  fixed.session.Start(fixed.now);
  CHECK(fixed.Found() == Lines{"connect ws://127.0.0.1:9/gw/?v=10&encoding=json", "timer 45000"});

  Talk plain;
  plain.session.Start(plain.now);
  const Lines refused = plain.Texts(plain.session.GatewayFound({.url = "ws://gateway.discord.gg"}, plain.now));
  CHECK(refused.front() ==
        "warn finding the gateway: the gateway URL is not a usable ws or wss URL; trying again in 0.5s");
}

TEST_CASE("a refused connection is not tried before the time it was told") {
  Talk talk;
  talk.session.Start(talk.now);
  talk.Found();
  const Error refusal{.code = Errc::kRateLimited, .what = "upgrade answered with 429", .retry_after = 90s};
  CHECK(talk.Texts(talk.session.Lost(refusal, talk.now)) ==
        Lines{"warn upgrade answered with 429; connecting anew in 90.0s", "timer 90000"});
  talk.Pass(90s);
  talk.Found();
  CHECK(talk.Texts(talk.session.Lost({.code = Errc::kIo, .what = "no route"}, talk.now)).back() == "timer 1000");
}

TEST_CASE("the reserve of sessions is kept: by Discord's count and by our own") {
  Talk talk;
  talk.session.Start(talk.now);
  CHECK(talk.Found(50) ==
        Lines{"warn Discord grants this bot only 50 more sessions today; the next is begun in 14400.0s",
              "timer 14400000"});
  CHECK(talk.Pass(4h) == Lines{"ask", "timer 60000"});
  CHECK(talk.Found(51) == Lines{"connect " + kGatewayUrl, "timer 45000"});

  Talk worn;
  for (int i = 0; i < 950; ++i) worn.budget.Record(worn.now.wall - 1h);
  CHECK(worn.Texts(worn.session.Start(worn.now)) ==
        Lines{"warn 950 sessions were begun with Discord in 24 hours, near the limit at which it resets the token; the "
              "next is begun in 82800.0s",
              "timer 82800000"});
}

TEST_CASE("after a week the session is begun anew") {
  Talk talk;
  talk.GoReady();
  Lines lines;
  const base::SteadyTime end = talk.now.steady + 7 * 24h;
  while (talk.now.steady < end) {
    lines = talk.Pass(std::min<std::chrono::milliseconds>(
        10s, std::chrono::duration_cast<std::chrono::milliseconds>(end - talk.now.steady)));
    talk.Hear(Wire("HEARTBEAT_ACK"));
  }
  REQUIRE(lines.size() >= 3);
  CHECK(lines[lines.size() - 3] == "close 1000 the session is a week old and is begun anew");
  CHECK(talk.Pass(500ms) == Lines{"ask", "timer 60000"});
}

TEST_CASE("sending stays under 120 a minute, and beats always find room") {
  Talk talk;
  talk.GoReady();  // the identify counts too
  std::size_t sent = 1;
  for (int i = 0; i < 109 + 32 + 5; ++i) sent += talk.Texts(talk.session.Submit(std::to_string(i), talk.now)).size();
  CHECK(sent == GatewaySession::kSendLimit - GatewaySession::kHeartbeatReserve);
  CHECK(talk.Hear(Wire("HEARTBEAT_REQUEST")) == Lines{BeatText("1")});
  for (int i = 0; i < 100; ++i) talk.Hear(Wire("HEARTBEAT_REQUEST"));
  CHECK(talk.Hear(Wire("HEARTBEAT_REQUEST")).empty());
  CHECK(talk.Pass(20625ms).front() == BeatText("1"));
  talk.Hear(Wire("HEARTBEAT_ACK"));
  const Lines later = talk.Pass(39375ms);
  // The queue kept the newest 32.
  REQUIRE(later.size() >= 32);
  CHECK(later[0] == "send 114");
  CHECK(later[31] == "send 145");

  CHECK(talk.Texts(talk.session.Submit(std::string(4097, 'x'), talk.now)) ==
        Lines{"error a payload of 4097 bytes was not sent: Discord takes 4096"});
}

TEST_CASE("payloads wait for the session and survive a reconnect") {
  Talk talk;
  CHECK(talk.Texts(talk.session.Submit("early", talk.now)).empty());
  talk.session.Start(talk.now);
  talk.Found();
  talk.Greet();
  CHECK(talk.Hear(Wire("READY")) == Lines{"deliver READY", "online", "info connected", "send early", "timer 20625"});
  talk.Close(std::nullopt);
  talk.session.Submit("later", talk.now);
  talk.Pass(500ms);
  talk.Greet();
  CHECK(talk.Hear(Wire("RESUMED"))[3] == "send later");
}

TEST_CASE("what cannot be read ends the connection, and the session is resumed") {
  Talk talk;
  talk.GoReady();
  CHECK(talk.Texts(talk.session.Garbled("TAPE_ERROR", talk.now)) ==
        Lines{"close 4200 unreadable message from Discord: TAPE_ERROR",
              "warn unreadable message from Discord: TAPE_ERROR; resuming in 0.5s", "timer 500"});
  Talk hello;
  hello.session.Start(hello.now);
  hello.Found();
  hello.session.Connected(hello.now);
  CHECK(hello.Hear(R"({"op":10,"d":{"heartbeat_interval":0}})").front() ==
        "close 4200 Discord's HELLO has no usable heartbeat_interval");
}

TEST_CASE("any opcode in any state is survived") {
  for (const std::string& first : shipmate::tests::GatewayWireNames()) {
    for (const std::string& second : shipmate::tests::GatewayWireNames()) {
      CAPTURE(first);
      CAPTURE(second);
      Talk talk;
      talk.session.Start(talk.now);
      talk.Hear(Wire(first));
      talk.Found();
      talk.Hear(Wire(first));
      talk.session.Connected(talk.now);
      talk.Hear(Wire(first));
      talk.Hear(Wire(second));
      talk.Hear(Wire("HELLO"));
      talk.Hear(Wire(second));
      talk.Close(std::nullopt);
      talk.Hear(Wire(first));
      // Whatever happened, it is on its way again.
      CHECK(talk.session.GetState() == GatewaySession::State::kWaiting);
    }
  }
}

TEST_CASE("stopping closes for good, in every state") {
  Talk talk;
  talk.GoReady();
  CHECK(talk.Texts(talk.session.Stop(talk.now)) == Lines{"close 1000 shutting down", "timer off"});
  CHECK(talk.Pass(1h).empty());
  Talk asking;
  asking.session.Start(asking.now);
  CHECK(asking.Texts(asking.session.Stop(asking.now)) == Lines{"timer off"});
  CHECK(asking.Found().empty());
  Talk refused;
  refused.session.Start(refused.now);
  CHECK(refused.Texts(refused.session.Refuse({.code = Errc::kAuth, .what = "no"}, refused.now)) ==
        Lines{"give up no", "timer off"});
}
