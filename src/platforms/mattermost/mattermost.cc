#include "platforms/mattermost/mattermost.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "async/backoff.h"
#include "async/deadline.h"
#include "async/latch.h"
#include "async/spawn.h"
#include "base/log.h"
#include "config/names.h"
#include "net/tls.h"
#include "net/url.h"
#include "platforms/mattermost/codec.h"
#include "platforms/mattermost/dialect.h"
#include "platforms/mattermost/listen.h"
#include "platforms/mattermost/listener.h"
#include "platforms/mattermost/places.h"
#include "platforms/mattermost/prompts.h"
#include "platforms/mattermost/rest.h"
#include "platforms/mattermost/socket.h"

namespace shipmate::platforms::mattermost {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kSearchedPages = 5;
constexpr seconds kTokenRetry{60};
constexpr seconds kShutdownLimit{5};
// Every edit is kept by the server.
constexpr milliseconds kEditInterval{3000};
// By how much the clocks of the server and of this machine may differ.
constexpr std::int64_t kClockDifferenceMs = 5 * 60'000;

std::function<double()> MakeRandom() {
  return [engine = std::mt19937_64(std::random_device{}())]() mutable {
    return std::uniform_real_distribution<double>(0.0, 1.0)(engine);
  };
}

std::int64_t UnixMs(base::WallTime time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

class MattermostFrontend final : public chat::Frontend, private SocketEvents {
 public:
  MattermostFrontend(Executor executor, config::MattermostConfig config, const base::Clock& clock)
      : executor_(std::move(executor)),
        config_(std::move(config)),
        clock_(clock),
        places_(config_.channels),
        ready_(executor_),
        tasks_(executor_) {}

  /// Makes the connections' parts; an Error says what in the configuration is wrong.
  Result<void> SetUp(const base::Secret& token) {
    auto site = net::ParseUrl(config_.url);
    if (!site) return Fail(site.error());
    std::shared_ptr<net::TlsContext> tls;
    if (site->Secure() || !config_.ca_file.empty()) {
      auto made = net::TlsContext::Client(config_.ca_file);
      if (!made) return Fail(made.error());
      tls = std::move(*made);
    }
    RestOptions rest;
    rest.site = std::move(*site);
    rest.tls = tls;
    rest.token = token;
    rest_ = std::make_unique<Rest>(executor_, std::move(rest), clock_, MakeRandom());
    listener_ = std::make_unique<Listener>(executor_, *rest_, places_, config_, clock_);
    SocketOptions socket{.url = SocketUrl(config_.url), .token = token, .tls = std::move(tls)};
    socket_ =
        std::make_unique<Socket>(executor_, std::move(socket), clock_, static_cast<SocketEvents&>(*this), MakeRandom());
    return {};
  }
  void FailWith(Error error) { failure_ = std::move(error); }

  std::string Name() const override { return "mattermost"; }
  const chat::Dialect& GetDialect() const override { return dialect_; }
  const std::vector<config::ChannelConfig>& Channels() const override { return config_.channels; }

  Task<Result<void>> Run(chat::Inbox& inbox) override {
    if (failure_) {
      LogError(failure_->what);
      ready_.Set();
      co_return Fail(*failure_);
    }
    running_ = true;
    // A channel that could not be found before may be the one.
    listener_->Start(inbox, [this] { tasks_.Spawn("mattermost channels", ResolveLater()); });
    rest_->OnTokenRefused([this] { socket_->DoubtToken(); });
    co_await socket_->Run();
    running_ = false;
    rest_->OnTokenRefused({});
    co_await listener_->Stop();
    tasks_.Cancel();
    co_await tasks_.Join(kShutdownLimit);
    failure_ = Error{.code = Errc::kCancelled, .what = "mattermost: stopped"};
    ready_.Set();
    co_return Fail(*failure_);
  }

  Task<void> Ready() override { co_await ready_.Wait(); }

  chat::Abilities GetAbilities() const override {
    return {.edits = true,
            .files = true,
            .files_by_edit = false,
            .lasting = true,
            .repeat_window = kPostPatience,
            .edit_interval = kEditInterval};
  }

  Task<Result<chat::Posted>> Send(chat::Outgoing outgoing) override {
    if (!rest_) co_return Fail(*failure_);
    const auto place = co_await PlaceOf(outgoing.channel);
    if (!place) co_return Fail(Lasting(place.error()));
    NewPost post{.channel_id = (*place)->id,
                 .root_id = "",
                 .look = {.text = outgoing.text, .tone = outgoing.tone, .choices = outgoing.choices},
                 .key = outgoing.key,
                 .file_ids = {}};
    if (const std::string asked(PostOfMessageId(outgoing.reply_to)); !asked.empty()) {
      const auto root = co_await listener_->RootOf(asked);
      if (!root) co_return Fail(Lasting(root.error()));
      post.root_id = *root;
      const bool begins = config_.answers == config::MattermostConfig::Answers::kThread && !(*place)->direct;
      if (post.root_id.empty() && begins) post.root_id = asked;
    }
    for (chat::Attachment& file : outgoing.attachments) {
      const auto id = co_await rest_->UploadFile(post.channel_id, std::move(file));
      if (id) {
        post.file_ids.push_back(*id);
      } else {
        LogWarn("mattermost: a file is left out: " + id.error().what);
      }
    }
    auto made = co_await rest_->CreatePost(std::move(post), self_.id);
    if (!made) co_return Fail(Lasting(made.error()));
    if (!outgoing.choices.empty()) listener_->Asked(*made, std::move(outgoing.choices));
    co_return chat::Posted{.id = std::move(*made)};
  }

  Task<Result<void>> Edit(chat::Revision revision) override {
    if (!rest_) co_return Fail(*failure_);
    PostLook look{.text = std::move(revision.text), .tone = revision.tone, .choices = revision.choices};
    const auto done = co_await rest_->EditPost(revision.id, std::move(look));
    if (!done) co_return Fail(Lasting(done.error()));
    listener_->Asked(revision.id, std::move(revision.choices));
    co_return Result<void>();
  }

  Task<Result<std::optional<chat::Posted>>> FindOwn(chat::Doubt doubt) override {
    if (!rest_) co_return Fail(*failure_);
    const auto place = co_await PlaceOf(doubt.outgoing.channel);
    if (!place) co_return Fail(Lasting(place.error()));
    const std::int64_t oldest = UnixMs(doubt.since) - kClockDifferenceMs;
    for (std::size_t page = 0; page < kSearchedPages; ++page) {
      const auto posts = co_await rest_->GetLatestPosts((*place)->id, Rest::kPage, page);
      if (!posts) co_return Fail(Lasting(posts.error()));
      for (const Post& post : *posts) {
        if (post.user_id != self_.id || post.key != doubt.outgoing.key) continue;
        if (!doubt.outgoing.choices.empty()) listener_->Asked(post.id, std::move(doubt.outgoing.choices));
        co_return chat::Posted{.id = post.id};
      }
      if (posts->size() < Rest::kPage || posts->front().create_at < oldest) break;
    }
    co_return std::optional<chat::Posted>();
  }

  chat::Health GetHealth() const override {
    if (failure_) {
      const bool stopped = failure_->code == Errc::kCancelled;
      return {stopped ? chat::Connection::kOff : chat::Connection::kFailed, stopped ? "" : failure_->what};
    }
    if (!running_) return {};
    const Session& session = socket_->GetSession();
    if (session.GetState() == Session::State::kLive) return {chat::Connection::kReady, ""};
    return {session.TokenRefused() ? chat::Connection::kFailed : chat::Connection::kConnecting, session.Reason()};
  }

 private:
  // A refused token may be accepted again without a new start of the program.
  static Error Lasting(Error error) {
    if (error.code != Errc::kAuth) return error;
    error.code = Errc::kClosed;
    error.retry_after = kTokenRetry;
    return error;
  }

  Task<Result<void>> Prepare() override {
    auto self = co_await rest_->GetSelf();
    if (!self) co_return Fail(self.error());
    self_ = std::move(*self);
    listener_->SetSelf(self_);
    const auto limit = co_await rest_->GetPostLimit();
    if (!limit) co_return Fail(limit.error());
    dialect_.SetMessageLimit(*limit);
    co_return co_await ResolveAll();
  }

  // What is wrong with one channel is told and keeps nobody from the others.
  Task<Result<void>> ResolveAll() {
    const auto places = places_.All();
    for (const auto& place : places) {
      const auto resolved = co_await Resolve(*place);
      if (resolved) continue;
      const Errc code = resolved.error().code;
      if (code != Errc::kNotFound && code != Errc::kRefused) co_return Fail(resolved.error());
      LogError(fmt::format("mattermost: {}; check the channels in config.yaml, and that the bot is a member",
                           resolved.error().what));
    }
    co_return Result<void>();
  }

  Task<void> ResolveLater() {
    const auto resolved = co_await ResolveAll();
    if (!resolved) LogWarn("mattermost: " + resolved.error().what);
  }

  // The newest post is noted before the socket opens, or what comes in between would be lost.
  Task<Result<void>> Resolve(Place& place) {
    if (!place.id.empty()) co_return Result<void>();
    const auto info = co_await rest_->FindChannel(place.name);
    if (!info) co_return Fail(info.error());
    const auto newest = co_await rest_->GetLatestPosts(info->id, 1, 0);
    if (!newest) co_return Fail(newest.error());
    // Meanwhile somebody else may have asked, too.
    if (!place.id.empty()) co_return Result<void>();
    if (places_.ById(info->id) != nullptr) {
      LogError(fmt::format("mattermost: {} is a channel that config.yaml names already; its notices are posted twice",
                           place.name));
    }
    place.direct = info->direct;
    place.id = info->id;
    listener_->BeginAt(place, *newest);
    co_return Result<void>();
  }

  Task<Result<std::shared_ptr<Place>>> PlaceOf(std::string name) {
    auto place = places_.ByName(name);
    // The answer to a direct message of an earlier run.
    if (!place && config_.direct_messages && config::IsMattermostId(name)) place = places_.AddDirect(name);
    if (!place) co_return Fail(Errc::kNotFound, "mattermost: channel " + name + " is not configured");
    const auto resolved = co_await Resolve(*place);
    if (!resolved) co_return Fail(resolved.error());
    co_return std::move(place);
  }

  void OnOnline(bool resumed) override {
    ready_.Set();
    listener_->OnOnline(resumed);
  }
  void OnServerTime(std::int64_t now) override { listener_->OnServerTime(now); }
  void OnEvent(Codec& codec, const Frame& frame) override { listener_->OnEvent(codec, frame); }

  // Constant after construction and SetUp.
  Executor executor_;
  config::MattermostConfig config_;
  const base::Clock& clock_;
  std::unique_ptr<Rest> rest_;
  std::unique_ptr<Socket> socket_;

  MattermostDialect dialect_;
  Self self_;
  Places places_;
  std::unique_ptr<Listener> listener_;
  async::Event ready_;
  async::TaskGroup tasks_;
  bool running_ = false;
  std::optional<Error> failure_;
};

}  // namespace

std::unique_ptr<chat::Frontend> CreateMattermost(Executor executor, config::MattermostConfig config, base::Secret token,
                                                 const base::Clock& clock) {
  auto frontend = std::make_unique<MattermostFrontend>(std::move(executor), std::move(config), clock);
  const auto made = frontend->SetUp(token);
  if (!made) frontend->FailWith(made.error());
  return frontend;
}

}  // namespace shipmate::platforms::mattermost
