#include "net/socket_link.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "net/url.h"

namespace shipmate::net {

namespace {

using std::chrono::seconds;

// A dead connection does not answer a close frame: the wait for it is short.
constexpr seconds kCloseLimit{2};
constexpr seconds kShutdownLimit{5};
// One sleep of the timer, whatever is asked for: times far away would overflow it.
constexpr std::chrono::hours kLongestSleep{1};
constexpr std::size_t kCloseReasonLimit = 25;  // code points; a close frame holds 123 bytes

}  // namespace

SocketLink::SocketLink(Executor executor, SocketLinkOptions options, const base::Clock& clock, SocketLinkEvents& events)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      clock_(clock),
      events_(events),
      timer_(executor_),
      tasks_(executor_),
      closing_(executor_) {
  // A fault of ours in one of them must not leave the session waiting for its answer.
  tasks_.OnFailure(
      [this](const std::string&) { events_.OnEnded(std::nullopt, {.code = Errc::kIo, .what = "an internal error"}); });
}

void SocketLink::Start() {
  tasks_.Spawn(options_.name + " timer", KeepTime());
}

Task<void> SocketLink::Shut() {
  tasks_.OnFailure({});
  co_await closing_.Join(kShutdownLimit);
  closing_.Cancel();
  tasks_.Cancel();
  co_await closing_.Join(kShutdownLimit);
  co_await tasks_.Join(kShutdownLimit);
}

void SocketLink::Do(const link::Connect& action) {
  ++connection_;
  tasks_.Spawn(options_.name + " socket", Converse(connection_, action.url));
}

void SocketLink::Do(const link::SendText& action) {
  if (socket_) tasks_.Spawn(options_.name + " send", SendOn(socket_, action.text));
}

void SocketLink::Do(const link::CloseSocket& action) {
  ++connection_;
  if (!socket_) return;
  const auto reason = std::string(base::FirstRunes(action.reason, kCloseReasonLimit));
  closing_.Spawn(options_.name + " close", CloseOf(std::exchange(socket_, nullptr), action.code, reason));
}

void SocketLink::Do(const link::ArmTimer& action) {
  wake_at_ = action.at;
  timer_.cancel();
}

Task<void> SocketLink::Converse(std::uint64_t number, std::string url) {
  WebSocketOptions options;
  auto parsed = ParseUrl(url);
  if (!parsed) {
    events_.OnRefused(parsed.error());
    co_return;
  }
  options.url = std::move(*parsed);
  options.tls = options_.tls;
  options.headers = options_.headers;
  options.handshake_limit = options_.handshake_limit;
  auto opened = co_await WebSocket::Connect(executor_, std::move(options));
  const std::shared_ptr<WebSocket> socket(opened ? std::move(*opened) : nullptr);
  if (number != connection_) {
    if (socket) socket->Abort();
    co_return;
  }
  if (!socket) {
    events_.OnRefused(opened.error());
    co_return;
  }
  socket_ = socket;
  events_.OnConnected();
  while (number == connection_) {
    const auto text = co_await socket->Read();
    if (number != connection_) break;
    if (!text) {
      socket_.reset();
      events_.OnEnded(socket->CloseCode(), text.error());
      break;
    }
    events_.OnText(*text);
  }
}

Task<void> SocketLink::SendOn(std::shared_ptr<WebSocket> socket, std::string text) {
  // A failure is seen by the reader too, which tells the session.
  const auto sent = co_await socket->Send(std::move(text));
  if (!sent) LogDebug(options_.name + ": sending: " + sent.error().what);
}

Task<void> SocketLink::CloseOf(std::shared_ptr<WebSocket> socket, std::uint16_t code, std::string reason) {
  co_await socket->Close(code, std::move(reason), kCloseLimit);
  socket->Abort();
}

Task<void> SocketLink::KeepTime() {
  while (true) {
    const base::SteadyTime now = clock_.Now();
    if (wake_at_ <= now) {
      wake_at_ = base::SteadyTime::max();
      events_.OnTimer();
      continue;
    }
    timer_.expires_after(std::min<base::SteadyTime::duration>(wake_at_ - now, kLongestSleep));
    co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    const auto state = co_await boost::asio::this_coro::cancellation_state;
    if (state.cancelled() != boost::asio::cancellation_type::none) co_return;
  }
}

}  // namespace shipmate::net
