#include "platforms/discord/gateway.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>

#include "base/log.h"
#include "base/text.h"
#include "net/url.h"

namespace shipmate::platforms::discord {

namespace {

using std::chrono::seconds;

// A dead connection does not answer a close frame: the wait for it is short.
constexpr seconds kCloseLimit{2};
constexpr seconds kShutdownLimit{5};
// One sleep of the timer, whatever is asked for: times far away would overflow it.
constexpr std::chrono::hours kLongestSleep{1};
constexpr std::size_t kCloseReasonLimit = 100;  // a close frame holds 123 bytes
// Application flags GATEWAY_MESSAGE_CONTENT and GATEWAY_MESSAGE_CONTENT_LIMITED (Discord, Application Flags).
constexpr std::int64_t kMayReadContent = 1LL << 18 | 1LL << 19;

IdentifyBudget LoadBudget(const std::string& path) {
  if (path.empty()) return {};
  std::string warning;
  IdentifyBudget budget = IdentifyBudget::Load(path, &warning);
  if (!warning.empty()) LogWarn("discord: " + warning);
  return budget;
}

}  // namespace

Gateway::Gateway(Executor executor, GatewayOptions options, Rest& rest, const base::Clock& clock, GatewayEvents& events,
                 std::function<double()> random)
    : executor_(executor),
      options_(std::move(options)),
      rest_(rest),
      clock_(clock),
      events_(events),
      budget_(LoadBudget(options_.budget_path)),
      session_(options_.session, budget_, std::move(random)),
      intent_checked_((options_.session.intents & kMessageContentIntent) == 0),
      timer_(executor),
      tasks_(executor),
      closing_(executor),
      over_(executor) {
  // A fault of ours in one of them must not leave the session waiting for its answer.
  tasks_.OnFailure([this](const std::string&) {
    Perform(session_.GatewayNotFound("an internal error", Now()));
    Perform(session_.Closed(std::nullopt, "an internal error", Now()));
  });
}

Task<Result<void>> Gateway::Run() {
  Perform(session_.Start(Now()));
  tasks_.Spawn("discord timer", KeepTime());
  bool cancelled = false;
  try {
    co_await over_.Wait();
  } catch (const boost::system::system_error&) {
    cancelled = true;
  }
  // Shutting down takes its few seconds, however often it is asked for.
  co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
  tasks_.OnFailure({});
  Perform(session_.Stop(Now()));
  co_await closing_.Join(kShutdownLimit);
  closing_.Cancel();
  tasks_.Cancel();
  co_await closing_.Join(kShutdownLimit);
  co_await tasks_.Join(kShutdownLimit);
  if (cancelled) co_return Fail(Errc::kCancelled, "discord: stopped");
  co_return Fail(failure_);
}

void Gateway::Perform(Actions actions) {
  for (const Action& action : actions) std::visit([this](const auto& known) { Do(known); }, action);
}

void Gateway::Do(const AskGateway&) {
  tasks_.Spawn("discord gateway address", Ask());
}

void Gateway::Do(const Connect& action) {
  ++connection_;
  tasks_.Spawn("discord gateway", Converse(connection_, action.url));
}

void Gateway::Do(const SendText& action) {
  if (socket_) tasks_.Spawn("discord gateway send", SendOn(socket_, action.text));
}

void Gateway::Do(const CloseSocket& action) {
  ++connection_;
  if (!socket_) return;
  const auto reason = std::string(base::FirstRunes(action.reason, kCloseReasonLimit / 4));
  closing_.Spawn("discord gateway close", CloseOf(std::exchange(socket_, nullptr), action.code, reason));
}

void Gateway::Do(const ArmTimer& action) {
  wake_at_ = action.at;
  timer_.cancel();
}

void Gateway::Do(const Deliver&) {
  if (frame_ != nullptr) events_.OnEvent(codec_, *frame_);
}

void Gateway::Do(const SaveBudget&) {
  const auto saved = budget_.Save();
  if (!saved) LogWarn("discord: " + saved.error().what);
}

void Gateway::Do(const Online&) {
  events_.OnOnline();
}

void Gateway::Do(const GiveUp& action) {
  LogError("discord: " + action.error.what);
  failure_ = action.error;
  // A rejected token is not offered again. After other refusals notices can still go out.
  if (action.error.code == Errc::kAuth) rest_.Stop(action.error.what);
  over_.Set();
}

void Gateway::Do(const Report& action) {
  base::Log(action.level, "discord: " + action.text);
}

Task<void> Gateway::Ask() {
  if (!intent_checked_) {
    // Asking beforehand costs nothing; finding out by an identify costs one of the day's.
    const auto flags = co_await rest_.GetApplicationFlags();
    if (!flags && flags.error().code == Errc::kAuth) {
      Perform(session_.Refuse(flags.error(), Now()));
      co_return;
    }
    if (flags && (*flags & kMayReadContent) == 0) {
      Perform(session_.Refuse({.code = Errc::kRefused, .what = MessageContentHelp()}, Now()));
      co_return;
    }
    intent_checked_ = flags.has_value();
  }
  const auto info = co_await rest_.GetGateway();
  if (info) {
    Perform(session_.GatewayFound(*info, Now()));
  } else if (info.error().code == Errc::kAuth) {
    Perform(session_.Refuse(info.error(), Now()));
  } else {
    Perform(session_.GatewayNotFound(info.error().what, Now()));
  }
}

Task<void> Gateway::Converse(std::uint64_t number, std::string url) {
  net::WebSocketOptions options;
  auto parsed = net::ParseUrl(url);
  if (!parsed) {
    Perform(session_.Lost(parsed.error(), Now()));
    co_return;
  }
  options.url = std::move(*parsed);
  options.tls = options_.tls;
  auto opened = co_await net::WebSocket::Connect(executor_, std::move(options));
  const std::shared_ptr<net::WebSocket> socket(opened ? std::move(*opened) : nullptr);
  if (number != connection_) {
    if (socket) socket->Abort();
    co_return;
  }
  if (!socket) {
    Perform(session_.Lost(opened.error(), Now()));
    co_return;
  }
  socket_ = socket;
  Perform(session_.Connected(Now()));
  while (number == connection_) {
    const auto text = co_await socket->Read();
    if (number != connection_) break;
    if (!text) {
      socket_.reset();
      Perform(session_.Closed(socket->CloseCode(), text.error().what, Now()));
      break;
    }
    const auto frame = codec_.Decode(*text);
    if (!frame) {
      Perform(session_.Garbled(frame.error().what, Now()));
      break;
    }
    frame_ = &*frame;
    Perform(session_.Received(*frame, Now()));
    frame_ = nullptr;
  }
}

Task<void> Gateway::SendOn(std::shared_ptr<net::WebSocket> socket, std::string text) {
  // A failure is seen by the reader too, which tells the session.
  const auto sent = co_await socket->Send(std::move(text));
  if (!sent) LogDebug("discord: sending: " + sent.error().what);
}

Task<void> Gateway::CloseOf(std::shared_ptr<net::WebSocket> socket, std::uint16_t code, std::string reason) {
  co_await socket->Close(code, std::move(reason), kCloseLimit);
  socket->Abort();
}

Task<void> Gateway::KeepTime() {
  while (true) {
    const base::SteadyTime now = clock_.Now();
    if (wake_at_ <= now) {
      wake_at_ = base::SteadyTime::max();
      Perform(session_.Timer(Now()));
      continue;
    }
    timer_.expires_after(std::min<base::SteadyTime::duration>(wake_at_ - now, kLongestSleep));
    co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    const auto state = co_await boost::asio::this_coro::cancellation_state;
    if (state.cancelled() != boost::asio::cancellation_type::none) co_return;
  }
}

}  // namespace shipmate::platforms::discord
