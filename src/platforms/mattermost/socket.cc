#include "platforms/mattermost/socket.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>

#include "base/log.h"
#include "base/text.h"
#include "net/url.h"

namespace shipmate::platforms::mattermost {

namespace {

using std::chrono::seconds;

// A dead connection does not answer a close frame: the wait for it is short.
constexpr seconds kCloseLimit{2};
constexpr seconds kShutdownLimit{5};
constexpr seconds kHandshakeLimit{20};
// One sleep of the timer, whatever is asked for: times far away would overflow it.
constexpr std::chrono::hours kLongestSleep{1};
constexpr std::size_t kCloseReasonLimit = 25;  // code points; a close frame holds 123 bytes

}  // namespace

Socket::Socket(Executor executor, SocketOptions options, const base::Clock& clock, SocketEvents& events,
               std::function<double()> random)
    : executor_(executor),
      options_(std::move(options)),
      clock_(clock),
      events_(events),
      session_(options_.url, std::move(random)),
      timer_(executor),
      tasks_(executor),
      closing_(executor),
      over_(executor) {
  // A fault of ours in one of them must not leave the session waiting for its answer.
  tasks_.OnFailure([this](const std::string&) {
    const Error fault{.code = Errc::kIo, .what = "an internal error"};
    Perform(session_.RestFailed(fault, clock_.Now()));
    Perform(session_.Lost(fault, clock_.Now()));
  });
}

Task<void> Socket::Run() {
  Perform(session_.Start(clock_.Now()));
  tasks_.Spawn("mattermost timer", KeepTime());
  try {
    co_await over_.Wait();
  } catch (const boost::system::system_error&) {
    LogDebug("mattermost: stopping");
  }
  // Shutting down takes its few seconds, however often it is asked for.
  co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
  tasks_.OnFailure({});
  Perform(session_.Stop(clock_.Now()));
  co_await closing_.Join(kShutdownLimit);
  closing_.Cancel();
  tasks_.Cancel();
  co_await closing_.Join(kShutdownLimit);
  co_await tasks_.Join(kShutdownLimit);
}

void Socket::Perform(Actions actions) {
  for (const Action& action : actions) std::visit([this](const auto& known) { Do(known); }, action);
}

void Socket::Do(const AskRest&) {
  tasks_.Spawn("mattermost set-up", Ask());
}

void Socket::Do(const Connect& action) {
  ++connection_;
  tasks_.Spawn("mattermost socket", Converse(connection_, action.url));
}

void Socket::Do(const SendText& action) {
  if (socket_) tasks_.Spawn("mattermost send", SendOn(socket_, action.text));
}

void Socket::Do(const CloseSocket& action) {
  ++connection_;
  if (!socket_) return;
  const auto reason = std::string(base::FirstRunes(action.reason, kCloseReasonLimit));
  closing_.Spawn("mattermost close", CloseOf(std::exchange(socket_, nullptr), action.code, reason));
}

void Socket::Do(const ArmTimer& action) {
  wake_at_ = action.at;
  timer_.cancel();
}

void Socket::Do(const Deliver&) {
  if (frame_ != nullptr) events_.OnEvent(codec_, *frame_);
}

void Socket::Do(const Online& action) {
  events_.OnOnline(action.resumed);
}

void Socket::Do(const Report& action) {
  base::Log(action.level, "mattermost: " + action.text);
}

Task<void> Socket::Ask() {
  const auto prepared = co_await events_.Prepare();
  if (prepared) {
    Perform(session_.RestAnswered(clock_.Now()));
  } else {
    Perform(session_.RestFailed(prepared.error(), clock_.Now()));
  }
}

Task<void> Socket::Converse(std::uint64_t number, std::string url) {
  net::WebSocketOptions options;
  auto parsed = net::ParseUrl(url);
  if (!parsed) {
    Perform(session_.Lost(parsed.error(), clock_.Now()));
    co_return;
  }
  options.url = std::move(*parsed);
  options.tls = options_.tls;
  options.headers.Add("Authorization", "Bearer " + options_.token.Reveal());
  options.handshake_limit = kHandshakeLimit;
  auto opened = co_await net::WebSocket::Connect(executor_, std::move(options));
  const std::shared_ptr<net::WebSocket> socket(opened ? std::move(*opened) : nullptr);
  if (number != connection_) {
    if (socket) socket->Abort();
    co_return;
  }
  if (!socket) {
    Perform(session_.Lost(opened.error(), clock_.Now()));
    co_return;
  }
  socket_ = socket;
  Perform(session_.Connected(clock_.Now()));
  while (number == connection_) {
    const auto text = co_await socket->Read();
    if (number != connection_) break;
    if (!text) {
      socket_.reset();
      Perform(session_.Lost(text.error(), clock_.Now()));
      break;
    }
    const auto frame = codec_.Decode(*text);
    if (!frame) {
      Perform(session_.Garbled(frame.error().what, clock_.Now()));
      break;
    }
    frame_ = &*frame;
    if (frame->server_time > 0) events_.OnServerTime(frame->server_time);
    Perform(session_.Received(*frame, clock_.Now()));
    frame_ = nullptr;
  }
}

Task<void> Socket::SendOn(std::shared_ptr<net::WebSocket> socket, std::string text) {
  // A failure is seen by the reader too, which tells the session.
  const auto sent = co_await socket->Send(std::move(text));
  if (!sent) LogDebug("mattermost: sending: " + sent.error().what);
}

Task<void> Socket::CloseOf(std::shared_ptr<net::WebSocket> socket, std::uint16_t code, std::string reason) {
  co_await socket->Close(code, std::move(reason), kCloseLimit);
  socket->Abort();
}

Task<void> Socket::KeepTime() {
  while (true) {
    const base::SteadyTime now = clock_.Now();
    if (wake_at_ <= now) {
      wake_at_ = base::SteadyTime::max();
      Perform(session_.Timer(now));
      continue;
    }
    timer_.expires_after(std::min<base::SteadyTime::duration>(wake_at_ - now, kLongestSleep));
    co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    const auto state = co_await boost::asio::this_coro::cancellation_state;
    if (state.cancelled() != boost::asio::cancellation_type::none) co_return;
  }
}

}  // namespace shipmate::platforms::mattermost
