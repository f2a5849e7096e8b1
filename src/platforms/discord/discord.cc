#include "platforms/discord/discord.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <random>
#include <utility>

#include "async/deadline.h"
#include "async/latch.h"
#include "async/spawn.h"
#include "base/log.h"
#include "net/tls.h"
#include "net/url.h"
#include "platforms/discord/codec.h"
#include "platforms/discord/dialect.h"
#include "platforms/discord/gateway.h"
#include "platforms/discord/rest.h"
#include "platforms/discord/rest_codec.h"
#include "platforms/discord/seen_ids.h"

namespace shipmate::platforms::discord {

namespace {

// More than Discord ever replays after a resume.
constexpr std::size_t kSeenLimit = 4096;

// Discord looks at nonces for "the past few minutes" (Discord, Create Message, enforce_nonce).
constexpr std::chrono::minutes kNonceWindow(2);
// A channel takes about one message or edit a second, bursts apart.
constexpr std::chrono::milliseconds kEditInterval(2000);

// An event is seldom later than a list by as much as a second.
constexpr std::chrono::seconds kEventsComeWithin(3);
constexpr std::chrono::seconds kJoinLimit(2);

std::function<double()> MakeRandom() {
  return [engine = std::mt19937_64(std::random_device{}())]() mutable {
    return std::uniform_real_distribution<double>(0.0, 1.0)(engine);
  };
}

class DiscordFrontend final : public chat::Frontend, private GatewayEvents {
 public:
  DiscordFrontend(Executor executor, config::DiscordConfig config, const std::string& state_dir,
                  const base::Clock& clock, std::string prefix)
      : executor_(std::move(executor)),
        config_(std::move(config)),
        budget_path_(state_dir.empty() ? "" : state_dir + "/discord-identifies.json"),
        clock_(clock),
        prefix_(std::move(prefix)),
        ready_(executor_),
        catching_up_(executor_),
        seen_(kSeenLimit) {
    filter_.guild_id = config_.guild_id;
    for (const config::ChannelConfig& channel : config_.channels) filter_.channels.push_back(channel.id);
  }

  /// Makes the connections' parts; an Error says what in the configuration is wrong.
  Result<void> SetUp(const base::Secret& token) {
    auto api = net::ParseUrl(config_.api_url);
    if (!api) return Fail(api.error());
    if (api->scheme != "https" && api->scheme != "http") {
      return Fail(Errc::kInvalid, "discord: api_url must begin with https://");
    }
    std::shared_ptr<net::TlsContext> tls;
    if (api->Secure() || !config_.ca_file.empty() || !config_.gateway_url.starts_with("ws://")) {
      auto made = net::TlsContext::Client(config_.ca_file);
      if (!made) return Fail(made.error());
      tls = std::move(*made);
    }
    GatewayOptions gateway;
    gateway.session.token = token;
    gateway.session.intents = kPlainIntents | (config_.message_content ? kMessageContentIntent : 0);
    gateway.session.gateway_url = config_.gateway_url;
    // Without TLS only where the configuration itself says so.
    gateway.session.require_tls = api->Secure() && !config_.gateway_url.starts_with("ws://");
    gateway.tls = tls;
    gateway.budget_path = budget_path_;
    RestOptions rest;
    rest.api = std::move(*api);
    rest.tls = std::move(tls);
    rest.token = token;
    rest_ = std::make_unique<Rest>(executor_, std::move(rest), clock_, MakeRandom());
    gateway_ = std::make_unique<Gateway>(executor_, std::move(gateway), *rest_, clock_,
                                         static_cast<GatewayEvents&>(*this), MakeRandom());
    return {};
  }
  void FailWith(Error error) { failure_ = std::move(error); }

  std::string Name() const override { return "discord"; }
  const chat::Dialect& GetDialect() const override { return dialect_; }
  const std::vector<config::ChannelConfig>& Channels() const override { return config_.channels; }

  Task<Result<void>> Run(chat::Inbox& inbox) override {
    if (failure_) {
      LogError(failure_->what);
      ready_.Set();
      co_return Fail(*failure_);
    }
    inbox_ = &inbox;
    auto ended = co_await gateway_->Run();
    inbox_ = nullptr;
    catching_up_.Cancel();
    co_await catching_up_.Join(kJoinLimit);
    failure_ = ended.error();
    ready_.Set();
    co_return ended;
  }

  Task<void> Ready() override { co_await ready_.Wait(); }

  chat::Abilities GetAbilities() const override {
    return {.edits = true,
            .files = true,
            .files_by_edit = true,
            .lasting = true,
            .repeat_window = kNonceWindow,
            .edit_interval = kEditInterval};
  }

  Task<Result<chat::Posted>> Send(chat::Outgoing outgoing) override {
    if (!rest_) co_return Fail(*failure_);
    co_return co_await rest_->CreateMessage(std::move(outgoing));
  }

  Task<Result<void>> Edit(chat::Revision revision) override {
    if (!rest_) co_return Fail(*failure_);
    co_return co_await rest_->EditMessage(std::move(revision));
  }

  Task<Result<std::optional<chat::Posted>>> FindOwn(chat::Doubt doubt) override {
    if (!rest_) co_return Fail(*failure_);
    co_return co_await rest_->FindMessage(std::move(doubt), filter_.own_id);
  }

  chat::Health GetHealth() const override {
    if (failure_) {
      const bool stopped = failure_->code == Errc::kCancelled;
      return {stopped ? chat::Connection::kOff : chat::Connection::kFailed, stopped ? "" : failure_->what};
    }
    if (inbox_ == nullptr) return {};
    if (gateway_->GetState() == GatewaySession::State::kReady) return {chat::Connection::kReady, ""};
    return {chat::Connection::kConnecting, gateway_->Reason()};
  }

 private:
  void OnOnline() override { ready_.Set(); }

  void OnEvent(Codec& codec, const Frame& frame) override {
    if (frame.ready) {
      filter_.own_id = frame.ready->user_id;
      CatchUpEverywhere();
    }
    if (frame.type == "MESSAGE_CREATE") OnMessage(codec, frame);
  }

  void OnMessage(Codec& codec, const Frame& frame) {
    auto message = codec.Read(frame.data, filter_);
    if (!message) {
      LogWarn("discord: a message was not understood: " + message.error().what);
      return;
    }
    if (message->kind == ReadMessage::Kind::kIgnored || inbox_ == nullptr) return;
    if (!seen_.Add(message->incoming.message_id)) return;
    if (message->kind == ReadMessage::Kind::kEmpty) {
      WarnOfEmptyMessages(message->incoming.channel);
      return;
    }
    Note(message->incoming.channel, message->incoming.message_id);
    inbox_->Receive(std::move(message->incoming));
  }

  void Note(const std::string& channel, const std::string& id) {
    std::string& newest = newest_[channel];
    if (!IsLaterId(id, newest)) return;
    newest = id;
    inbox_->NoteSeen(Name(), channel, id);
  }

  // A new session has no past: what was said between the last one and this comes by no event.
  void CatchUpEverywhere() {
    if (inbox_ == nullptr) return;
    for (const std::string& channel : filter_.channels) {
      std::string last = inbox_->LastSeen(Name(), channel);
      if (last.empty()) {
        inbox_->NoteSeen(Name(), channel, FirstIdOf(clock_.WallNow()));
      } else {
        catching_up_.Spawn("discord catch-up", CatchUp(channel, std::move(last)));
      }
    }
  }

  Task<void> CatchUp(std::string channel, std::string last) {
    const auto latest = co_await rest_->LatestMessages(channel);
    if (!latest) {
      if (latest.error().code != Errc::kCancelled) LogWarn("discord: " + latest.error().what);
      co_return;
    }
    // What was posted since the session began comes by an event as well, and was not missed.
    co_await async::Sleep(kEventsComeWithin);
    // Lists do not tell the server; the channel is one of ours.
    MessageFilter filter = filter_;
    filter.guild_id.clear();
    Codec codec;
    for (const std::string& text : *latest) {
      const auto frame = codec.Decode(R"({"op":0,"t":"MESSAGE_CREATE","d":)" + text + "}");
      auto message = frame ? codec.Read(frame->data, filter) : Result<ReadMessage>(ReadMessage());
      if (!message || message->kind != ReadMessage::Kind::kForUs || inbox_ == nullptr) continue;
      const std::string id = message->incoming.message_id;
      const auto at = TimeOfId(id);
      if (!at || !IsLaterId(id, last) || !seen_.Add(id)) continue;
      Note(channel, id);
      inbox_->Missed(std::move(message->incoming), *at);
    }
  }

  void WarnOfEmptyMessages(const std::string& channel) {
    // Without the intent this is how messages come that do not mention the bot: nothing to tell.
    if (!config_.message_content || std::exchange(warned_of_empty_, true)) return;
    LogWarn(
        fmt::format("discord: a message in channel {} arrived without its text, so that {}commands there cannot be "
                    "read. {}",
                    channel, prefix_, MessageContentHelp()));
  }

  // Constant after construction and SetUp.
  Executor executor_;
  config::DiscordConfig config_;
  std::string budget_path_;
  const base::Clock& clock_;
  std::string prefix_;
  DiscordDialect dialect_;
  std::unique_ptr<Rest> rest_;
  std::unique_ptr<Gateway> gateway_;

  chat::Inbox* inbox_ = nullptr;  // while Run runs
  async::Event ready_;
  async::TaskGroup catching_up_;
  MessageFilter filter_;
  SeenIds seen_;
  std::map<std::string, std::string> newest_;  // by channel: the newest message read in this run
  bool warned_of_empty_ = false;
  std::optional<Error> failure_;
};

}  // namespace

std::unique_ptr<chat::Frontend> CreateDiscord(Executor executor, config::DiscordConfig config, base::Secret token,
                                              const std::string& state_dir, const base::Clock& clock,
                                              std::string prefix) {
  auto frontend =
      std::make_unique<DiscordFrontend>(std::move(executor), std::move(config), state_dir, clock, std::move(prefix));
  const auto made = frontend->SetUp(token);
  if (!made) frontend->FailWith(made.error());
  return frontend;
}

}  // namespace shipmate::platforms::discord
