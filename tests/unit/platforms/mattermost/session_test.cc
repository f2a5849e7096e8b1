#include "platforms/mattermost/session.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "platforms/mattermost/codec.h"
#include "unit/platforms/mattermost/wire.h"

using namespace shipmate;
using namespace shipmate::platforms::mattermost;
using namespace std::chrono_literals;
using shipmate::tests::MattermostWire;
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

const std::string kUrl = "wss://mm.example.test/chat/api/v4/websocket";
const std::string kId = "boqohmz3diwm5ck696kwe1fauy";

std::string Ping(int number) {
  return R"(send {"seq":)" + std::to_string(number) + R"(,"action":"ping","data":{}})";
}
std::string Resume(int sequence) {
  return "connect " + kUrl + "?connection_id=" + kId + "&sequence_number=" + std::to_string(sequence);
}

// A session and its surroundings: a clock that the test moves, and a fixed random number.
struct Talk {
  Talk() : session(kUrl, [this] { return random; }) {}

  Lines Texts(const Actions& actions) const {
    Lines lines;
    for (const Action& action : actions) lines.push_back(std::visit([&](const auto& a) { return Text(a); }, action));
    return lines;
  }
  static std::string Text(const AskRest&) { return "ask"; }
  static std::string Text(const Connect& a) { return "connect " + a.url; }
  static std::string Text(const SendText& a) { return "send " + a.text; }
  static std::string Text(const CloseSocket& a) { return "close " + std::to_string(a.code) + " " + a.reason; }
  std::string Text(const ArmTimer& a) const {
    if (a.at == base::SteadyTime::max()) return "timer off";
    return "timer " + std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(a.at - now).count());
  }
  static std::string Text(const Deliver& a) { return "deliver " + a.event; }
  static std::string Text(const Online& a) { return a.resumed ? "online resumed" : "online"; }
  static std::string Text(const Report& a) {
    const char* level = "debug ";
    if (a.level == base::LogLevel::kInfo) level = "info ";
    if (a.level == base::LogLevel::kWarn) level = "warn ";
    if (a.level == base::LogLevel::kError) level = "error ";
    return level + a.text;
  }

  Lines Hear(const std::string& json) {
    const auto frame = codec.Decode(json);
    REQUIRE(frame.has_value());
    return Texts(session.Received(*frame, now));
  }
  Lines Event(int sequence) {
    return Hear(R"({"event":"posted","data":{},"broadcast":{},"seq":)" + std::to_string(sequence) + "}");
  }
  Lines Pong(int number) {
    return Hear(R"({"status":"OK","seq_reply":)" + std::to_string(number) + R"(,"data":{"text":"pong"}})");
  }
  Lines Pass(std::chrono::milliseconds time) {
    now += time;
    return Texts(session.Timer(now));
  }
  Lines Lose(const std::string& why = "the connection was reset") {
    return Texts(session.Lost({.code = Errc::kClosed, .what = why}, now));
  }
  Lines Connected() { return Texts(session.Connected(now)); }
  Lines Asked() { return Texts(session.RestAnswered(now)); }
  Lines Refused() { return Texts(session.RestFailed({.code = Errc::kAuth, .what = "401"}, now)); }

  void GoLive() {
    session.Start(now);
    session.RestAnswered(now);
    session.Connected(now);
    Hear(MattermostWire("hello"));
    Pong(1);
    REQUIRE(session.GetState() == Session::State::kLive);
  }

  double random = 0.5;
  Codec codec;
  base::SteadyTime now{1000h};
  Session session;
};

}  // namespace

TEST_CASE("the socket's address follows the site's, with its sub-path") {
  CHECK(SocketUrl("https://mm.example.test") == "wss://mm.example.test/api/v4/websocket");
  CHECK(SocketUrl("http://127.0.0.1:8065/chat") == "ws://127.0.0.1:8065/chat/api/v4/websocket");
}

TEST_CASE("from nothing to live: REST first, a ping on open, hello, and a ping every 25 s") {
  Talk talk;
  CHECK(talk.Texts(talk.session.Start(talk.now)) == Lines{"ask", "timer 60000"});
  CHECK(talk.session.Reason() == "connecting to Mattermost");
  CHECK(talk.Asked() == Lines{"connect " + kUrl, "timer 30000"});
  CHECK(talk.Connected() == Lines{Ping(1), "timer 10000"});
  CHECK(talk.Hear(MattermostWire("hello")) == Lines{"online", "info connected", "timer 12000"});
  CHECK(talk.session.Reason().empty());
  CHECK(talk.Pong(1) == Lines{"timer 25000"});
  CHECK(talk.Event(1) == Lines{"deliver posted"});
  CHECK(talk.Pass(25s) == Lines{Ping(2), "timer 12000"});
  CHECK(talk.Pong(2) == Lines{"timer 25000"});
  CHECK(talk.Pass(25s) == Lines{Ping(3), "timer 10000"});  // the healthy minute ends before the pong is late
}

TEST_CASE("a broken connection is taken up where it broke: a pong before any hello says that nothing was missed") {
  Talk talk;
  talk.GoLive();
  talk.Event(1);
  talk.Event(2);
  CHECK(talk.Lose() == Lines{"warn the connection was reset; resuming in 0.5s", "timer 500"});
  CHECK(talk.session.Reason() == "the connection was reset");
  CHECK(talk.Pass(500ms) == Lines{Resume(3), "timer 30000"});
  CHECK(talk.Connected() == Lines{Ping(2), "timer 10000"});
  CHECK(talk.Pong(2) == Lines{"online resumed", "info connection resumed, nothing missed", "timer 25000"});
  CHECK(talk.Event(3) == Lines{"deliver posted"});
}

TEST_CASE("replayed events come before the pong, with their own numbers") {
  Talk talk;
  talk.GoLive();
  talk.Event(1);
  talk.Lose();
  talk.Pass(500ms);
  talk.Connected();
  CHECK(talk.Event(2) ==
        Lines{"online resumed", "info connection resumed, nothing missed", "deliver posted", "timer 12000"});
  CHECK(talk.Event(3) == Lines{"deliver posted"});
  CHECK(talk.Pong(2) == Lines{"timer 25000"});
}

TEST_CASE("a hello on a connection that was to be resumed means that anything may be missing") {
  Talk talk;
  talk.GoLive();
  talk.Event(1);
  talk.Lose();
  talk.Pass(500ms);
  talk.Connected();
  CHECK(talk.Hear(R"({"event":"hello","data":{"connection_id":"other"},"broadcast":{},"seq":0})") ==
        Lines{"online", "info connected", "timer 12000"});
  CHECK(talk.Event(1) == Lines{"deliver posted"});
  talk.Lose();
  CHECK(talk.Pass(1s) == Lines{"connect " + kUrl + "?connection_id=other&sequence_number=2", "timer 30000"});
}

TEST_CASE("a number that came before is passed over; a hole is closed with 4001 and sent again at once") {
  Talk talk;
  talk.GoLive();
  talk.Event(1);
  CHECK(talk.Event(1).empty());
  CHECK(talk.Event(3) == Lines{"close 4001 event 3 came where 2 was expected",
                               "warn event 3 came where 2 was expected; having it sent again", Resume(2),
                               "timer 30000"});
  talk.Connected();
  CHECK(talk.Event(2) ==
        Lines{"online resumed", "info connection resumed, nothing missed", "deliver posted", "timer 12000"});
  CHECK(talk.Event(3) == Lines{"deliver posted"});
}

TEST_CASE("a hole that stays is asked for three times, then the connection is begun anew") {
  Talk talk;
  talk.GoLive();
  CHECK(talk.Event(5) == Lines{"close 4001 event 5 came where 1 was expected",
                               "warn event 5 came where 1 was expected; having it sent again", Resume(1),
                               "timer 30000"});
  talk.Connected();
  CHECK(talk.Event(5) == Lines{"close 4001 event 5 came where 1 was expected",
                               "warn event 5 came where 1 was expected; resuming in 0.5s", "timer 500"});
  CHECK(talk.Pass(500ms) == Lines{Resume(1), "timer 30000"});
  talk.Connected();
  CHECK(talk.Event(5) == Lines{"close 4001 event 5 came where 1 was expected",
                               "warn event 5 came where 1 was expected; resuming in 1.0s", "timer 1000"});
  CHECK(talk.Pass(1s) == Lines{Resume(1), "timer 30000"});
  talk.Connected();
  CHECK(talk.Event(5) == Lines{"close 4001 event 5 came where 1 was expected",
                               "warn event 5 came where 1 was expected; beginning anew; connecting in 2.0s",
                               "timer 2000"});
  CHECK(talk.Pass(2s) == Lines{"connect " + kUrl, "timer 30000"});
}

TEST_CASE("an unreadable message is asked for again, and likewise not for ever") {
  Talk talk;
  talk.GoLive();
  const std::string text = "unreadable message from Mattermost: bad";
  CHECK(talk.Texts(talk.session.Garbled("bad", talk.now)) ==
        Lines{"close 4002 " + text, "warn " + text + "; having it sent again", Resume(1), "timer 30000"});
  for (int i = 0; i < 2; ++i) {
    talk.Connected();
    talk.session.Garbled("bad", talk.now);
    CHECK(talk.Pass(10s).front() == Resume(1));
  }
  talk.Connected();
  talk.session.Garbled("bad", talk.now);
  CHECK(talk.Pass(10s).front() == "connect " + kUrl);
}

TEST_CASE("an unanswered ping is a dead connection, whatever else still arrives") {
  Talk talk;
  talk.GoLive();
  talk.Pass(25s);
  talk.Event(1);
  CHECK(talk.Pass(12s) == Lines{"close 4000 the connection is dead (a ping was not answered within 12s)",
                                "warn the connection is dead (a ping was not answered within 12s); resuming in 0.5s",
                                "timer 500"});
  CHECK(talk.Pass(500ms) == Lines{Resume(2), "timer 30000"});
}

TEST_CASE("an answer to another ping than the last counts for nothing") {
  Talk talk;
  talk.GoLive();
  talk.Pass(25s);
  CHECK(talk.Pong(1).empty());
  CHECK(talk.Pass(12s).front() == "close 4000 the connection is dead (a ping was not answered within 12s)");
}

TEST_CASE("a revoked token shows as a refused ping on a connection that stays open: REST is asked, and told once") {
  Talk talk;
  talk.GoLive();
  talk.Pass(25s);
  CHECK(talk.Hear(MattermostWire("ping_revoked")) ==
        Lines{"close 1000 Mattermost no longer takes this connection for ours",
              "warn Mattermost no longer takes this connection for ours; connecting in 0.5s", "timer 500"});
  CHECK(talk.Pass(500ms) == Lines{"ask", "timer 60000"});
  CHECK_FALSE(talk.session.TokenRefused());
  CHECK(talk.Refused() == Lines{"error " + TokenHelp()});  // the timer stands at a minute as it is
  CHECK(talk.session.TokenRefused());
  CHECK(talk.session.Reason() == TokenHelp());
  CHECK(talk.Pass(60s) == Lines{"ask", "timer 60000"});
  CHECK(talk.Refused() == Lines{});  // the same wait again, and nothing more to say
  CHECK(talk.Pass(60s) == Lines{"ask", "timer 60000"});
  CHECK(talk.Refused() == Lines{"timer 120000"});
  talk.Pass(120s);
  CHECK(talk.Asked() == Lines{"info the token is accepted again", "connect " + kUrl, "timer 30000"});
  CHECK_FALSE(talk.session.TokenRefused());
}

TEST_CASE("an account that was disabled and enabled again is deaf until it connects anew") {
  Talk talk;
  talk.GoLive();
  talk.Pass(25s);
  talk.Hear(MattermostWire("ping_revoked"));
  talk.Pass(500ms);
  CHECK(talk.Asked() == Lines{"connect " + kUrl, "timer 30000"});
}

TEST_CASE("a token that REST refuses ends the connection, which would go on in silence") {
  Talk talk;
  talk.GoLive();
  CHECK(talk.Texts(talk.session.TokenDoubted(talk.now)) ==
        Lines{"close 1000 the token was refused", "ask", "timer 60000"});
  CHECK(talk.Texts(talk.session.TokenDoubted(talk.now)).empty());
  CHECK(talk.Refused() == Lines{"error " + TokenHelp()});
}

TEST_CASE("a connection that is cut before any word is how a refused token looks: REST is asked") {
  Talk talk;
  talk.session.Start(talk.now);
  talk.Asked();
  talk.Connected();
  CHECK(talk.Lose() == Lines{"warn the connection was reset; connecting in 0.5s", "timer 500"});
  CHECK(talk.Pass(500ms) == Lines{"ask", "timer 60000"});
}

TEST_CASE("a connection without a word is given up after 10 s") {
  Talk talk;
  talk.session.Start(talk.now);
  talk.Asked();
  talk.Connected();
  CHECK(talk.Pong(1) == Lines{});  // no hello yet, and nothing was to be resumed
  CHECK(talk.Pass(10s) == Lines{"close 4000 neither hello nor pong within 10s",
                                "warn neither hello nor pong within 10s; connecting in 0.5s", "timer 500"});
  CHECK(talk.Pass(500ms) == Lines{"ask", "timer 60000"});
}

TEST_CASE("a refused upgrade is retried with full jitter up to a minute, and as told") {
  Talk talk;
  talk.session.Start(talk.now);
  talk.Asked();
  const auto fail = [&talk](Error error) { return talk.Texts(talk.session.Lost(error, talk.now)); };
  for (const int wait : {500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000}) {
    fail({.code = Errc::kRefused, .what = "upgrade answered with 502"});
    CHECK(talk.Pass(std::chrono::milliseconds(wait - 1)).empty());
    talk.now -= std::chrono::milliseconds(wait - 1);
    CHECK(talk.Pass(std::chrono::milliseconds(wait)).front() == "connect " + kUrl);
  }
  talk.random = 0.999999;
  CHECK(fail({.code = Errc::kRefused, .what = "x"}).back() == "timer 59999");
  talk.Pass(1min);
  talk.random = 0.0;
  CHECK(fail({.code = Errc::kRefused, .what = "x"}).back() == "timer 100");
  talk.Pass(100ms);
  CHECK(fail({.code = Errc::kRateLimited, .what = "429", .retry_after = 7s}).back() == "timer 7000");
  talk.Pass(7s);
  CHECK(fail({.code = Errc::kRateLimited, .what = "429", .retry_after = 1000h}).back() == "timer 3600000");
}

TEST_CASE("an upgrade refused with 401 or 403 has REST asked about the token, and nobody logs in anew") {
  Talk talk;
  talk.session.Start(talk.now);
  talk.Asked();
  talk.session.Lost({.code = Errc::kAuth, .what = "upgrade answered with 403"}, talk.now);
  CHECK(talk.Pass(500ms) == Lines{"ask", "timer 60000"});
}

TEST_CASE("the back-off begins anew after a healthy minute, and not before") {
  Talk talk;
  talk.GoLive();
  talk.Lose();
  talk.Pass(500ms);
  talk.Connected();
  talk.Pong(2);
  talk.Pass(25s);
  talk.Pong(3);
  CHECK(talk.Lose().back() == "timer 1000");
  talk.Pass(1s);
  talk.Connected();
  talk.Pong(4);
  for (int ping = 5; ping < 8; ++ping) {
    talk.Pass(25s);
    talk.Pong(ping);
  }
  CHECK(talk.Lose().back() == "timer 500");
}

TEST_CASE("a server whose REST is down is asked for ever") {
  Talk talk;
  talk.session.Start(talk.now);
  for (int i = 0; i < 50; ++i) {
    const Lines lines =
        talk.Texts(talk.session.RestFailed({.code = Errc::kIo, .what = "asking Mattermost who we are: 502"}, talk.now));
    REQUIRE(lines.size() >= 1);
    CHECK(lines[0].starts_with("warn asking Mattermost who we are: 502; connecting in "));
    CHECK(talk.Pass(60s).front() == "ask");
  }
  CHECK(talk.Pass(60s).front() == "warn Mattermost's REST did not answer within 60s; connecting in 30.0s");
}

TEST_CASE("no connection within 30 s is given up") {
  Talk talk;
  talk.session.Start(talk.now);
  talk.Asked();
  CHECK(talk.Pass(30s) ==
        Lines{"close 4000 no connection within 30s", "warn no connection within 30s; connecting in 0.5s", "timer 500"});
}

TEST_CASE("a stop closes for good, and what comes late counts for nothing") {
  Talk talk;
  talk.GoLive();
  CHECK(talk.Texts(talk.session.Stop(talk.now)) == Lines{"close 1000 shutting down", "timer off"});
  CHECK(talk.Event(1).empty());
  CHECK(talk.Lose().empty());
  CHECK(talk.Connected().empty());
  CHECK(talk.Asked().empty());
  CHECK(talk.Pass(1h).empty());
}

TEST_CASE("whatever comes in whatever order, every state has an end and the numbers stay in order") {
  // A small generator of its own, so that a failure can be played again.
  std::uint64_t seed = 1;
  const auto next = [&seed](std::uint64_t below) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (seed >> 33U) % below;
  };
  for (int run = 0; run < 300; ++run) {
    Talk talk;
    talk.random = static_cast<double>(next(1000)) / 1000.0;
    talk.session.Start(talk.now);
    int sequence = 0;
    for (int step = 0; step < 200; ++step) {
      Lines lines;
      switch (next(10)) {
        case 0:
          lines = talk.Asked();
          break;
        case 1:
          lines = talk.Refused();
          break;
        case 2:
          lines = talk.Connected();
          break;
        case 3:
          lines = talk.Lose();
          break;
        case 4:
          lines = talk.Hear(MattermostWire("hello"));
          sequence = 0;
          break;
        case 5:
          lines = talk.Event(++sequence);
          break;
        case 6:
          lines = talk.Event(static_cast<int>(next(6)));
          break;
        case 7:
          lines = talk.Pong(static_cast<int>(next(6)));
          break;
        case 8:
          lines = talk.Texts(talk.session.Garbled("bad", talk.now));
          break;
        default:
          lines = talk.Pass(std::chrono::seconds(next(70)));
          break;
      }
      if (talk.session.GetState() == Session::State::kLive) CHECK(talk.session.Reason().empty());
      if (talk.session.GetState() != Session::State::kLive) CHECK_FALSE(talk.session.Reason().empty());
    }
    // However it stands, time and good answers bring it back.
    for (int i = 0; i < 60 && talk.session.GetState() != Session::State::kLive; ++i) {
      talk.Pass(10min);
      talk.Asked();
      talk.Connected();
      if (talk.session.GetState() == Session::State::kGreeting) talk.Hear(MattermostWire("hello"));
    }
    CHECK(talk.session.GetState() == Session::State::kLive);
  }
}
