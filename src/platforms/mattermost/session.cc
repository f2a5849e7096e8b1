#include "platforms/mattermost/session.h"

#include <fmt/format.h>

#include <algorithm>

namespace shipmate::platforms::mattermost {

namespace {

using base::LogLevel;
using base::SteadyTime;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr SteadyTime kNever = SteadyTime::max();
constexpr seconds kLongestBackoff{60};
constexpr seconds kTokenBackoff{60};
constexpr seconds kLongestTokenBackoff{600};
// What a server may ask us to wait, within reason.
constexpr std::chrono::hours kLongestWait{1};
constexpr std::int64_t kUnauthorized = 401;
constexpr std::string_view kNotAuthenticated = "api.web_socket_router.not_authenticated.app_error";

std::string Seconds(milliseconds wait) {
  return fmt::format("{:.1f}s", static_cast<double>(wait.count()) / 1000.0);
}

}  // namespace

std::string SocketUrl(const std::string& site) {
  return "ws" + site.substr(std::min<std::size_t>(4, site.size())) + "/api/v4/websocket";
}

std::string TokenHelp() {
  return "Mattermost refuses the token (401): it was revoked, or its account was disabled; make a new one (System "
         "Console, Integrations, Bot Accounts), put it into .env as MATTERMOST_TOKEN and start Shipmate again. Until "
         "then it is tried again from time to time";
}

Session::Session(std::string url, std::function<double()> random)
    : url_(std::move(url)),
      random_(std::move(random)),
      backoff_({.base = seconds(1), .cap = kLongestBackoff, .floor = milliseconds(100)}),
      token_backoff_({.base = kTokenBackoff, .cap = kLongestTokenBackoff, .floor = kTokenBackoff}) {}

Actions Session::Start(SteadyTime now) {
  reason_ = "connecting to Mattermost";
  GoOn(now);
  return Finish();
}

Actions Session::Stop(SteadyTime) {
  if (HasConnection() || state_ == State::kConnecting) Do(CloseSocket{kCloseForGood, "shutting down"});
  Forget();
  Enter(State::kOff, kNever);
  reason_ = "stopped";
  return Finish();
}

void Session::Enter(State state, SteadyTime deadline) {
  state_ = state;
  deadline_ = deadline;
  if (!HasConnection()) {
    ping_.reset();
    next_ping_ = kNever;
    pong_limit_ = kNever;
    healthy_at_ = kNever;
  }
}

void Session::Wait(milliseconds delay, SteadyTime now) {
  Enter(State::kWaiting, now + delay);
}

void Session::Forget() {
  connection_id_.clear();
  expected_ = 0;
  heals_ = 0;
}

void Session::GoOn(SteadyTime now) {
  if (ask_first_) {
    Enter(State::kAsking, now + kAskLimit);
    Do(AskRest{});
    return;
  }
  resuming_ = !connection_id_.empty();
  Enter(State::kConnecting, now + kConnectLimit);
  Do(Connect{ConnectUrl()});
}

std::string Session::ConnectUrl() const {
  if (connection_id_.empty()) return url_;
  return fmt::format("{}?connection_id={}&sequence_number={}", url_, connection_id_, expected_);
}

Actions Session::RestAnswered(SteadyTime now) {
  if (state_ != State::kAsking) return Finish();
  if (std::exchange(token_refused_, false)) Say(LogLevel::kInfo, "the token is accepted again");
  token_backoff_.Reset();
  ask_first_ = false;
  GoOn(now);
  return Finish();
}

Actions Session::RestFailed(const Error& error, SteadyTime now) {
  if (state_ != State::kAsking) return Finish();
  if (error.code != Errc::kAuth) {
    Retry(error.what, error.retry_after.value_or(milliseconds(0)), now);
    return Finish();
  }
  Forget();
  reason_ = TokenHelp();
  // Told once: it may stay so for days.
  if (!std::exchange(token_refused_, true)) Say(LogLevel::kError, reason_);
  Wait(token_backoff_.Next(random_()), now);
  return Finish();
}

Actions Session::TokenDoubted(SteadyTime now) {
  ask_first_ = true;
  if (HasConnection()) {
    Forget();
    Do(CloseSocket{kCloseForGood, "the token was refused"});
    reason_ = "REST refused the token";
    GoOn(now);
  }
  return Finish();
}

Actions Session::Connected(SteadyTime now) {
  if (state_ != State::kConnecting) return Finish();
  Enter(State::kGreeting, now + kGreetingLimit);
  // A hello comes before the reply to this exactly when the connection is a fresh one.
  Ping(now);
  return Finish();
}

Actions Session::Lost(const Error& error, SteadyTime now) {
  if (!HasConnection() && state_ != State::kConnecting) return Finish();
  milliseconds least{0};
  if (state_ == State::kConnecting) {
    // 401 and 403 come from what stands before the server, or from an ill-formed token.
    if (error.code == Errc::kAuth) ask_first_ = true;
    least = error.retry_after.value_or(milliseconds(0));
  } else if (state_ == State::kGreeting) {
    // A refused token is not told here: the connection is made, and cut a few seconds later. A connection that cannot
    // be taken up may end so, too.
    ask_first_ = true;
    Forget();
  }
  Retry(error.what, least, now);
  return Finish();
}

void Session::Retry(const std::string& why, milliseconds least, SteadyTime now) {
  const milliseconds wait =
      std::max(backoff_.Next(random_()), std::clamp<milliseconds>(least, milliseconds(0), kLongestWait));
  reason_ = why;
  Say(LogLevel::kWarn,
      fmt::format("{}; {} in {}", why, connection_id_.empty() ? "connecting" : "resuming", Seconds(wait)));
  Wait(wait, now);
}

void Session::Drop(std::uint16_t code, const std::string& why, SteadyTime now) {
  Do(CloseSocket{code, why});
  Retry(why, milliseconds(0), now);
}

void Session::Heal(std::uint16_t code, const std::string& why, SteadyTime now) {
  Do(CloseSocket{code, why});
  if (++heals_ > kHeals || connection_id_.empty()) {
    Forget();
    Retry(why + "; beginning anew", milliseconds(0), now);
    return;
  }
  if (heals_ > 1) {
    Retry(why, milliseconds(0), now);
    return;
  }
  reason_ = why;
  Say(LogLevel::kWarn, why + "; having it sent again");
  GoOn(now);
}

Actions Session::Garbled(const std::string& why, SteadyTime now) {
  if (HasConnection()) Heal(kCloseForGarbage, "unreadable message from Mattermost: " + why, now);
  return Finish();
}

void Session::Ping(SteadyTime now) {
  ping_ = ++action_;
  next_ping_ = now + kPingEvery;
  pong_limit_ = now + kPongLimit;
  Do(SendText{fmt::format(R"({{"seq":{},"action":"ping","data":{{}}}})", action_)});
}

Actions Session::Received(const Frame& frame, SteadyTime now) {
  if (!HasConnection()) return Finish();
  if (frame.kind == Frame::Kind::kReply) {
    OnReply(frame, now);
  } else if (frame.event == "hello") {
    OnHello(frame, now);
  } else {
    OnEvent(frame, now);
  }
  return Finish();
}

void Session::OnHello(const Frame& frame, SteadyTime now) {
  Forget();
  connection_id_ = frame.connection_id;
  expected_ = frame.sequence.value_or(0) + 1;
  GoLive(false, now);
}

void Session::OnEvent(const Frame& frame, SteadyTime now) {
  if (frame.sequence) {
    // Sent before, and again by a replay that began early.
    if (*frame.sequence < expected_) return;
    if (*frame.sequence > expected_) {
      Heal(kCloseForGap, fmt::format("event {} came where {} was expected", *frame.sequence, expected_), now);
      return;
    }
    ++expected_;
  }
  // What is replayed comes before anything else, without a hello.
  if (state_ == State::kGreeting) GoLive(true, now);
  Do(Deliver{std::string(frame.event)});
}

void Session::OnReply(const Frame& frame, SteadyTime now) {
  // A refusal may bear no number at all; only of pings do we await one.
  if (!frame.ok && (frame.error_status == kUnauthorized || frame.error_id == kNotAuthenticated)) {
    // The connection stays open and answers the protocol's pings for ever, but no event comes any more.
    Forget();
    ask_first_ = true;
    Drop(kCloseForGood, "Mattermost no longer takes this connection for ours", now);
    return;
  }
  if (!frame.ok) {
    if (ping_) Drop(kCloseForSilence, fmt::format("Mattermost refused a ping ({})", frame.error_id), now);
    return;
  }
  if (!ping_ || frame.replies_to != ping_) return;
  ping_.reset();
  pong_limit_ = kNever;
  if (state_ == State::kGreeting && resuming_) GoLive(true, now);
}

void Session::GoLive(bool resumed, SteadyTime now) {
  Enter(State::kLive, kNever);
  reason_.clear();
  healthy_at_ = now + kHealthy;
  Do(Online{resumed});
  Say(LogLevel::kInfo, resumed ? "connection resumed, nothing missed" : "connected");
}

Actions Session::Timer(SteadyTime now) {
  if (state_ == State::kOff) return Finish();
  if (deadline_ <= now) OnDeadline(now);
  if (healthy_at_ <= now) {
    healthy_at_ = kNever;
    heals_ = 0;
    backoff_.Reset();
  }
  if (HasConnection() && pong_limit_ <= now) {
    Drop(kCloseForSilence,
         fmt::format("the connection is dead (a ping was not answered within {}s)", kPongLimit.count()), now);
  }
  if (HasConnection() && next_ping_ <= now) Ping(now);
  return Finish();
}

void Session::OnDeadline(SteadyTime now) {
  switch (state_) {
    case State::kWaiting:
      GoOn(now);
      break;
    case State::kAsking:
      Retry(fmt::format("Mattermost's REST did not answer within {}s", kAskLimit.count()), milliseconds(0), now);
      break;
    case State::kConnecting:
      Drop(kCloseForSilence, fmt::format("no connection within {}s", kConnectLimit.count()), now);
      break;
    case State::kGreeting:
      ask_first_ = true;
      Forget();
      Drop(kCloseForSilence, fmt::format("neither hello nor pong within {}s", kGreetingLimit.count()), now);
      break;
    case State::kOff:
    case State::kLive:
      deadline_ = kNever;
      break;
  }
}

SteadyTime Session::NextTime() const {
  if (state_ == State::kOff) return kNever;
  if (!HasConnection()) return deadline_;
  return std::min({deadline_, next_ping_, pong_limit_, healthy_at_});
}

Actions Session::Finish() {
  const SteadyTime next = NextTime();
  if (next != armed_) {
    armed_ = next;
    Do(ArmTimer{next});
  }
  return std::exchange(actions_, {});
}

}  // namespace shipmate::platforms::mattermost
