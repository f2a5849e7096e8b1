#include "platforms/discord/gateway_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "net/url.h"

namespace shipmate::platforms::discord {

namespace {

using base::LogLevel;
using base::SteadyTime;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr SteadyTime kNever = SteadyTime::max();
constexpr milliseconds kShortestBeat{10};
// What GET /gateway/bot may tell as the time until more sessions are granted, within reason.
constexpr seconds kShortestReset{60};
constexpr std::chrono::hours kLongestReset{24};
// And the same of a refused connection.
constexpr std::chrono::hours kLongestWait{1};

// Waits before reconnecting where no identify is spent by it: short at first, since most losses are one dropped
// connection.
milliseconds ReconnectWait(unsigned failures) {
  const milliseconds wait{500LL << std::min(failures, 6U)};
  return std::min<milliseconds>(wait, seconds(30));
}

std::string Seconds(milliseconds wait) {
  return fmt::format("{:.1f}s", static_cast<double>(wait.count()) / 1000.0);
}

std::string Payload(int op, boost::json::value data) {
  boost::json::object envelope;
  envelope["op"] = op;
  envelope["d"] = std::move(data);
  return boost::json::serialize(envelope);
}

}  // namespace

std::string GatewayConnectUrl(const std::string& base, bool require_tls) {
  auto url = net::ParseUrl(base);
  if (!url || (url->scheme != "wss" && (require_tls || url->scheme != "ws"))) return "";
  url->target = url->target.substr(0, url->target.find_first_of("?#"));
  if (url->target.empty() || url->target.back() != '/') url->target += '/';
  url->target += "?v=10&encoding=json";
  return url->ToString();
}

GatewaySession::GatewaySession(SessionOptions options, IdentifyBudget& budget, std::function<double()> random)
    : options_(std::move(options)),
      budget_(budget),
      random_(std::move(random)),
      identify_backoff_({.base = seconds(1), .cap = seconds(600), .floor = milliseconds(0)}) {}

Actions GatewaySession::Start(Moment now) {
  reason_ = "connecting to Discord";
  GoOn(now);
  return Finish();
}

Actions GatewaySession::Stop(Moment) {
  if (HasConnection()) Do(CloseSocket{kCloseForGood, "shutting down"});
  ForgetSession();
  state_ = State::kOff;
  reason_ = "stopped";
  return Finish();
}

Actions GatewaySession::GatewayFound(const GatewayInfo& info, Moment now) {
  if (state_ != State::kAsking) return Finish();
  if (info.remaining && *info.remaining <= static_cast<std::int64_t>(IdentifyBudget::kReserve)) {
    const milliseconds wait = std::clamp<milliseconds>(info.reset_after, kShortestReset, kLongestReset);
    reason_ = fmt::format("Discord grants this bot only {} more sessions today; the next is begun in {}",
                          *info.remaining, Seconds(wait));
    Say(LogLevel::kWarn, reason_);
    WaitThenGoOn(wait, now);
    return Finish();
  }
  const std::string& told = options_.gateway_url.empty() ? info.url : options_.gateway_url;
  const std::string url = GatewayConnectUrl(told, options_.require_tls);
  if (url.empty()) {
    NotFound("the gateway URL is not a usable ws or wss URL", now);
  } else {
    gateway_url_ = url;
    OpenConnection(gateway_url_, now);
  }
  return Finish();
}

Actions GatewaySession::GatewayNotFound(const std::string& why, Moment now) {
  if (state_ == State::kAsking) NotFound(why, now);
  return Finish();
}

void GatewaySession::NotFound(const std::string& why, Moment now) {
  // An address that is known is worth a try even when REST is ill.
  const std::string known =
      gateway_url_.empty() ? GatewayConnectUrl(options_.gateway_url, options_.require_tls) : gateway_url_;
  if (!known.empty()) {
    gateway_url_ = known;
    OpenConnection(gateway_url_, now);
    return;
  }
  const milliseconds wait = ReconnectWait(reconnects_++);
  reason_ = why;
  Say(LogLevel::kWarn, fmt::format("finding the gateway: {}; trying again in {}", why, Seconds(wait)));
  WaitThenGoOn(wait, now);
}

Actions GatewaySession::Refuse(const Error& error, Moment) {
  if (state_ == State::kOff) return Finish();
  if (HasConnection()) Do(CloseSocket{kCloseForGood, "giving up"});
  StopWith(error);
  return Finish();
}

Actions GatewaySession::Connected(Moment now) {
  if (state_ == State::kConnecting) Enter(State::kGreeting, now, kHelloLimit);
  return Finish();
}

Actions GatewaySession::Closed(std::optional<std::uint16_t> code, const std::string& why, Moment now) {
  if (!HasConnection()) return Finish();
  CloseMeaning meaning = MeaningOfClose(code, options_.intents);
  if (!code && !why.empty()) meaning.text = why;
  AfterLoss(meaning, now);
  return Finish();
}

Actions GatewaySession::Lost(const Error& error, Moment now) {
  if (!HasConnection()) return Finish();
  CloseMeaning meaning = MeaningOfClose(std::nullopt, options_.intents);
  meaning.text = error.what;
  meaning.wait = std::clamp<milliseconds>(error.retry_after.value_or(milliseconds(0)), milliseconds(0), kLongestWait);
  AfterLoss(meaning, now);
  return Finish();
}

Actions GatewaySession::Garbled(const std::string& why, Moment now) {
  if (HasConnection()) {
    Drop(kCloseToResume, {.next = NextStep::kResume, .text = "unreadable message from Discord: " + why}, now);
  }
  return Finish();
}

Actions GatewaySession::Received(const Frame& frame, Moment now) {
  if (!HasConnection() || state_ == State::kConnecting) return Finish();
  switch (frame.op) {
    case opcode::kDispatch:
      OnDispatch(frame, now);
      break;
    case opcode::kHeartbeat:
      Beat(now, true);
      break;
    case opcode::kReconnect:
      Drop(kCloseToResume, {.next = NextStep::kResume, .text = "Discord asked for a new connection"}, now);
      break;
    case opcode::kInvalidSession:
      OnInvalidSession(frame.resumable, now);
      break;
    case opcode::kHello:
      OnHello(frame, now);
      break;
    case opcode::kHeartbeatAck:
      acked_ = true;
      break;
    default:
      break;  // Opcodes may be added at any time.
  }
  return Finish();
}

Actions GatewaySession::Timer(Moment now) {
  armed_ = kNever;  // it went off, however early: the next time is always told
  if (state_ == State::kOff) return Finish();
  if (now.steady >= deadline_) {
    OnDeadline(now);
    return Finish();
  }
  if (now.steady >= next_beat_) Beat(now, false);
  if (state_ == State::kReady) {
    if (now.steady >= stable_at_) {
      stable_at_ = kNever;
      identify_backoff_.Reset();
      reconnects_ = 0;
    }
    if (now.steady >= queue_at_) Flush(now);
    if (now.steady >= session_began_ + kSessionAge) {
      // A session that is resumed for months can silently lose its message events.
      ForgetSession();
      Drop(kCloseForGood, {.next = NextStep::kIdentify, .text = "the session is a week old and is begun anew"}, now);
    }
  }
  return Finish();
}

Actions GatewaySession::Submit(std::string payload, Moment now) {
  if (payload.size() > kPayloadLimit) {
    Say(LogLevel::kError,
        fmt::format("a payload of {} bytes was not sent: Discord takes {}", payload.size(), kPayloadLimit));
    return Finish();
  }
  if (queue_.size() == kQueueLimit) queue_.pop_front();
  queue_.push_back(std::move(payload));
  if (state_ == State::kReady) Flush(now);
  return Finish();
}

bool GatewaySession::HasConnection() const {
  return state_ == State::kConnecting || state_ == State::kGreeting || state_ == State::kIdentifying ||
         state_ == State::kResuming || state_ == State::kReady;
}

void GatewaySession::Enter(State state, Moment now, milliseconds limit) {
  state_ = state;
  deadline_ = now.steady + limit;
}

void GatewaySession::WaitThenGoOn(milliseconds delay, Moment now) {
  Enter(State::kWaiting, now, delay);
}

void GatewaySession::GoOn(Moment now) {
  const bool window_over = lost_at_ && now.steady - *lost_at_ >= kResumeWindow;
  if (resumable_ && (resume_failures_ >= kResumeAttempts || window_over)) {
    Say(LogLevel::kWarn, "the session could not be resumed: beginning a new one");
    ForgetSession();
  }
  if (resumable_) {
    const std::string url = GatewayConnectUrl(resumable_->resume_url, options_.require_tls);
    OpenConnection(url.empty() ? gateway_url_ : url, now);
  } else {
    OpenGateway(now);
  }
}

void GatewaySession::OpenGateway(Moment now) {
  const milliseconds wait = budget_.Wait(now.wall);
  if (wait > milliseconds(0)) {
    if (wait > IdentifyBudget::kSpacing) {
      reason_ = fmt::format(
          "{} sessions were begun with Discord in 24 hours, near the limit at which it resets the "
          "token; the next is begun in {}",
          budget_.Used(now.wall), Seconds(wait));
      Say(LogLevel::kWarn, reason_);
    }
    WaitThenGoOn(wait, now);
    return;
  }
  Enter(State::kAsking, now, kAskLimit);
  Do(AskGateway{});
}

void GatewaySession::OpenConnection(const std::string& url, Moment now) {
  resuming_ = resumable_.has_value();
  identified_ = false;
  next_beat_ = kNever;
  acked_ = true;
  sent_.clear();
  last_sent_.clear();
  Enter(State::kConnecting, now, kConnectLimit);
  Do(Connect{url});
}

void GatewaySession::AfterLoss(const CloseMeaning& meaning, Moment now) {
  if (resuming_ && state_ != State::kReady) ++resume_failures_;
  if (!lost_at_) lost_at_ = now.steady;
  next_beat_ = kNever;
  stable_at_ = kNever;
  queue_at_ = kNever;
  if (meaning.payload_refused) {
    Say(LogLevel::kError,
        fmt::format("{}: the {} we sent last is dropped", meaning.text, last_sent_.empty() ? "payload" : last_sent_));
  }
  switch (meaning.next) {
    case NextStep::kStop:
      StopWith({.code = meaning.error, .what = meaning.text});
      return;
    case NextStep::kIdentify:
      ForgetSession();
      break;
    case NextStep::kResumeOnce:
      resume_failures_ = std::max(resume_failures_, kResumeAttempts - 1);
      break;
    case NextStep::kResume:
      break;
  }
  milliseconds wait{0};
  if (!resumable_ && (identified_ || meaning.next == NextStep::kIdentify)) {
    wait = identify_backoff_.Next(random_());
  } else {
    wait = ReconnectWait(reconnects_++);
  }
  wait = std::max(wait, meaning.wait);
  reason_ = meaning.text;
  Say(LogLevel::kWarn,
      fmt::format("{}; {} in {}", meaning.text, resumable_ ? "resuming" : "connecting anew", Seconds(wait)));
  WaitThenGoOn(wait, now);
}

void GatewaySession::Drop(std::uint16_t code, const CloseMeaning& meaning, Moment now) {
  Do(CloseSocket{code, meaning.text});
  AfterLoss(meaning, now);
}

void GatewaySession::ForgetSession() {
  resumable_.reset();
  sequence_.reset();
  resume_failures_ = 0;
}

void GatewaySession::OnHello(const Frame& frame, Moment now) {
  if (frame.heartbeat_interval < kShortestBeat) {
    Drop(kCloseToResume, {.next = NextStep::kResume, .text = "Discord's HELLO has no usable heartbeat_interval"}, now);
    return;
  }
  beat_interval_ = frame.heartbeat_interval;
  // The first beat comes at a random point of the interval, so that bots do not beat in step after an outage.
  next_beat_ =
      now.steady + milliseconds(static_cast<std::int64_t>(random_() * static_cast<double>(beat_interval_.count())));
  acked_ = true;
  if (state_ == State::kGreeting) Authenticate(now);
}

void GatewaySession::Authenticate(Moment now) {
  if (!resumable_) {
    Identify(now);
    return;
  }
  boost::json::object data;
  data["token"] = options_.token.Reveal();
  data["session_id"] = resumable_->session_id;
  data["seq"] = sequence_.value_or(0);
  Enter(State::kResuming, now, kReadyLimit);
  SendNow(Payload(opcode::kResume, std::move(data)), "resume", now);
}

void GatewaySession::Identify(Moment now) {
  boost::json::object properties;
  properties["os"] = "linux";
  properties["browser"] = "shipmate";
  properties["device"] = "shipmate";
  boost::json::object data;
  data["token"] = options_.token.Reveal();
  data["intents"] = options_.intents;
  data["properties"] = std::move(properties);
  data["large_threshold"] = 50;
  data["compress"] = false;
  budget_.Record(now.wall);
  Do(SaveBudget{});
  identified_ = true;
  Enter(State::kIdentifying, now, kReadyLimit);
  SendNow(Payload(opcode::kIdentify, std::move(data)), "identify", now);
}

void GatewaySession::OnInvalidSession(bool resumable, Moment now) {
  if (resumable && resumable_) {
    Drop(kCloseToResume, {.next = NextStep::kResume, .text = "Discord did not let the session go on yet"}, now);
    return;
  }
  // Discord asks for a random wait of one to five seconds here.
  const milliseconds wait{1000 + static_cast<std::int64_t>(random_() * 4000.0)};
  ForgetSession();
  Drop(kCloseForGood, {.next = NextStep::kIdentify, .wait = wait, .text = "Discord has ended the session"}, now);
}

void GatewaySession::OnDispatch(const Frame& frame, Moment now) {
  Do(Deliver{std::string(frame.type)});
  // After a resume, events come again: the number only ever grows.
  if (frame.sequence) sequence_ = std::max(sequence_.value_or(*frame.sequence), *frame.sequence);
  if (frame.ready) {
    OnReadyEvent(*frame.ready, now);
  } else if (state_ == State::kResuming) {
    if (frame.type == "RESUMED") {
      BecomeReady(true, now);
    } else {
      deadline_ = now.steady + kReadyLimit;  // the replay goes on
    }
  }
}

void GatewaySession::OnReadyEvent(const ReadyInfo& ready, Moment now) {
  if (state_ != State::kIdentifying && state_ != State::kResuming) return;
  resumable_.reset();
  if (!ready.session_id.empty()) resumable_ = Resumable{ready.session_id, ready.resume_url};
  session_began_ = now.steady;
  BecomeReady(false, now);
}

void GatewaySession::BecomeReady(bool resumed, Moment now) {
  state_ = State::kReady;
  deadline_ = kNever;
  reason_.clear();
  resume_failures_ = 0;
  lost_at_.reset();
  stable_at_ = now.steady + kStable;
  Do(Online{resumed});
  Say(LogLevel::kInfo, resumed ? "session resumed" : "connected");
  Flush(now);
}

void GatewaySession::OnDeadline(Moment now) {
  const auto late = [](const char* what, seconds limit) {
    return CloseMeaning{.next = NextStep::kResume, .text = fmt::format("{} within {}s", what, limit.count())};
  };
  switch (state_) {
    case State::kWaiting:
      GoOn(now);
      break;
    case State::kAsking:
      NotFound(fmt::format("no answer within {}s", kAskLimit.count()), now);
      break;
    case State::kConnecting:
      Drop(kCloseToResume, late("no connection", kConnectLimit), now);
      break;
    case State::kGreeting:
      Drop(kCloseToResume, late("no HELLO", kHelloLimit), now);
      break;
    case State::kIdentifying:
      Drop(kCloseToResume, late("no READY", kReadyLimit), now);
      break;
    case State::kResuming:
      Drop(kCloseToResume, late("no answer to RESUME", kReadyLimit), now);
      break;
    case State::kOff:
    case State::kReady:
      deadline_ = kNever;
      break;
  }
}

void GatewaySession::Beat(Moment now, bool requested) {
  // A beat that the server asked for is no sign of life of its own, so it neither proves nor breaks the rule below.
  if (!requested && !acked_) {
    Drop(kCloseToResume, {.next = NextStep::kResume, .text = "the connection is dead (no heartbeat was answered)"},
         now);
    return;
  }
  if (requested && SentInWindow(now) + 2 >= kSendLimit) return;
  boost::json::value sequence(nullptr);
  if (sequence_) sequence = *sequence_;
  if (!requested) {
    acked_ = false;
    next_beat_ += beat_interval_;
    if (next_beat_ <= now.steady) next_beat_ = now.steady + beat_interval_;
  }
  SendNow(Payload(opcode::kHeartbeat, std::move(sequence)), "heartbeat", now);
}

std::size_t GatewaySession::SentInWindow(Moment now) {
  while (!sent_.empty() && sent_.front() + kSendWindow <= now.steady) sent_.pop_front();
  return sent_.size();
}

void GatewaySession::SendNow(std::string text, std::string what, Moment now) {
  sent_.push_back(now.steady);
  last_sent_ = std::move(what);
  Do(SendText{std::move(text)});
}

void GatewaySession::Flush(Moment now) {
  queue_at_ = kNever;
  while (!queue_.empty()) {
    if (SentInWindow(now) >= kSendLimit - kHeartbeatReserve) {
      queue_at_ = sent_.front() + kSendWindow;
      return;
    }
    std::string payload = std::move(queue_.front());
    queue_.pop_front();
    SendNow(std::move(payload), "payload", now);
  }
}

void GatewaySession::StopWith(const Error& error) {
  ForgetSession();
  queue_.clear();
  state_ = State::kOff;
  reason_ = error.what;
  Do(GiveUp{error});
}

void GatewaySession::Say(LogLevel level, std::string text) {
  Do(Report{level, std::move(text)});
}

SteadyTime GatewaySession::NextTime() const {
  if (state_ == State::kOff) return kNever;
  SteadyTime next = deadline_;
  if (HasConnection()) next = std::min(next, next_beat_);
  if (state_ == State::kReady) next = std::min({next, stable_at_, queue_at_, session_began_ + kSessionAge});
  return next;
}

Actions GatewaySession::Finish() {
  const SteadyTime next = NextTime();
  if (next != armed_) {
    armed_ = next;
    Do(ArmTimer{next});
  }
  return std::exchange(actions_, {});
}

}  // namespace shipmate::platforms::discord
