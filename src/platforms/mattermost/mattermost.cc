#include "platforms/mattermost/mattermost.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "async/backoff.h"
#include "async/deadline.h"
#include "async/latch.h"
#include "async/spawn.h"
#include "base/log.h"
#include "net/tls.h"
#include "net/url.h"
#include "platforms/mattermost/codec.h"
#include "platforms/mattermost/dialect.h"
#include "platforms/mattermost/listen.h"
#include "platforms/mattermost/recent.h"
#include "platforms/mattermost/rest.h"
#include "platforms/mattermost/socket.h"

namespace shipmate::platforms::mattermost {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kRemembered = 4096;
// More than this was missed: the oldest of it is passed over.
constexpr std::size_t kPages = 5;
constexpr std::size_t kSearchedPages = 5;
constexpr std::size_t kHeldLimit = 2000;
// A command that was missed for longer may no longer be what its author wants.
constexpr std::int64_t kTooOldMs = 60'000;
constexpr seconds kCatchUpLimit{60};
constexpr seconds kTokenRetry{60};
constexpr seconds kShutdownLimit{5};
// Less than the half minute for which a server knows a repeated post.
constexpr seconds kRepeatWindow{25};
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
        ready_(executor_),
        tasks_(executor_),
        seen_(kRemembered),
        roots_(kRemembered),
        names_(kRemembered) {
    channels_.push_back({.id = config_.channel, .services = {}, .notices = {}});
    places_.emplace_back();
    places_.back().name = config_.channel;
  }

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
    SocketOptions socket{.url = SocketUrl(config_.url), .token = token, .tls = std::move(tls)};
    socket_ =
        std::make_unique<Socket>(executor_, std::move(socket), clock_, static_cast<SocketEvents&>(*this), MakeRandom());
    return {};
  }
  void FailWith(Error error) { failure_ = std::move(error); }

  std::string Name() const override { return "mattermost"; }
  const chat::Dialect& GetDialect() const override { return dialect_; }
  const std::vector<config::ChannelConfig>& Channels() const override { return channels_; }

  Task<Result<void>> Run(chat::Inbox& inbox) override {
    if (failure_) {
      LogError(failure_->what);
      ready_.Set();
      co_return Fail(*failure_);
    }
    inbox_ = &inbox;
    rest_->OnTokenRefused([this] { socket_->DoubtToken(); });
    co_await socket_->Run();
    inbox_ = nullptr;
    rest_->OnTokenRefused({});
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
            .repeat_window = kRepeatWindow,
            .edit_interval = kEditInterval};
  }

  Task<Result<chat::Posted>> Send(chat::Outgoing outgoing) override {
    if (!rest_) co_return Fail(*failure_);
    const auto place = co_await PlaceOf(outgoing.channel);
    if (!place) co_return Fail(Lasting(place.error()));
    NewPost post{.channel_id = (*place)->id, .root_id = "", .text = outgoing.text, .key = outgoing.key, .file_ids = {}};
    if (!outgoing.reply_to.empty()) {
      auto root = co_await RootOf(outgoing.reply_to);
      if (!root) co_return Fail(Lasting(root.error()));
      post.root_id = std::move(*root);
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
    co_return chat::Posted{.id = std::move(*made)};
  }

  Task<Result<void>> Edit(chat::Revision revision) override {
    if (!rest_) co_return Fail(*failure_);
    const auto done = co_await rest_->EditPost(std::move(revision.id), std::move(revision.text));
    if (!done) co_return Fail(Lasting(done.error()));
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
        if (post.user_id == self_.id && post.key == doubt.outgoing.key) co_return chat::Posted{.id = post.id};
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
    if (inbox_ == nullptr) return {};
    const Session& session = socket_->GetSession();
    if (session.GetState() == Session::State::kLive) return {chat::Connection::kReady, ""};
    return {session.TokenRefused() ? chat::Connection::kFailed : chat::Connection::kConnecting, session.Reason()};
  }

 private:
  struct Place {
    std::string name;
    /// "" until the server was asked.
    std::string id;
    bool direct = false;
    /// The last post handled; what came later is what was missed.
    std::string cursor;
    std::int64_t cursor_at = 0;
  };
  struct Held {
    PostEvent event;
    Place* place = nullptr;
  };

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
    const auto limit = co_await rest_->GetPostLimit();
    if (!limit) co_return Fail(limit.error());
    dialect_.SetMessageLimit(*limit);
    for (Place& place : places_) {
      const auto resolved = co_await Resolve(place);
      if (resolved) continue;
      const Errc code = resolved.error().code;
      if (code != Errc::kNotFound && code != Errc::kRefused) co_return Fail(resolved.error());
      LogError(fmt::format("mattermost: {}; check mattermost.channel in config.yaml, and that the bot is a member",
                           resolved.error().what));
    }
    co_return Result<void>();
  }

  // The newest post is noted before the socket opens, or what comes in between would be lost.
  Task<Result<void>> Resolve(Place& place) {
    if (!place.id.empty()) co_return Result<void>();
    const auto info = co_await rest_->FindChannel(place.name);
    if (!info) co_return Fail(info.error());
    const auto newest = co_await rest_->GetLatestPosts(info->id, 1, 0);
    if (!newest) co_return Fail(newest.error());
    place.direct = info->direct;
    place.id = info->id;
    if (!newest->empty()) Advance(place, newest->back());
    co_return Result<void>();
  }

  Task<Result<Place*>> PlaceOf(std::string name) {
    const auto place = std::ranges::find(places_, name, &Place::name);
    if (place == places_.end()) co_return Fail(Errc::kNotFound, "mattermost: channel " + name + " is not configured");
    const auto resolved = co_await Resolve(*place);
    if (!resolved) co_return Fail(resolved.error());
    co_return &*place;
  }

  // Only the first post of a thread can be answered.
  Task<Result<std::string>> RootOf(std::string post_id) {
    if (const std::string* root = roots_.Find(post_id)) co_return *root;
    const auto post = co_await rest_->GetPost(post_id);
    if (post) co_return post->root_id.empty() ? post->id : post->root_id;
    if (post.error().code != Errc::kNotFound) co_return Fail(post.error());
    co_return std::string();
  }

  static void Advance(Place& place, const Post& post) {
    if (post.create_at < place.cursor_at) return;
    place.cursor = post.id;
    place.cursor_at = post.create_at;
  }

  void OnOnline(bool resumed) override {
    ready_.Set();
    if (resumed || inbox_ == nullptr) return;
    wanted_catch_up_ = true;
    if (!std::exchange(catching_up_, true)) tasks_.Spawn("mattermost catch-up", CatchUp());
  }

  void OnServerTime(std::int64_t now) override { server_ahead_ = now - UnixMs(clock_.WallNow()); }

  void OnEvent(Codec& codec, const Frame& frame) override {
    if (frame.event != "posted") return;
    const auto place = std::ranges::find_if(
        places_, [&](const Place& known) { return !known.id.empty() && known.id == frame.channel_id; });
    if (place == places_.end()) return;
    auto event = codec.ReadPost(frame.data);
    if (!event) {
      LogWarn("mattermost: a post was not understood: " + event.error().what);
      return;
    }
    if (!event->sender.empty() && !event->post.automated) names_.Add(event->post.user_id, event->sender);
    if (!catching_up_) {
      Handle(*place, event->post, event->sender);
    } else if (held_.size() < kHeldLimit) {
      held_.push_back({std::move(*event), &*place});
    }
  }

  void Handle(Place& place, const Post& post, const std::string& sender) {
    Advance(place, post);
    if (!IsPersons(post, self_) || inbox_ == nullptr || !seen_.Add(post.id, true)) return;
    roots_.Add(post.id, post.root_id.empty() ? post.id : post.root_id);
    chat::Incoming incoming = WordsOf(post, sender, self_, place.direct);
    incoming.channel = place.name;
    incoming.missed = UnixMs(clock_.WallNow()) + server_ahead_ - post.create_at > kTooOldMs;
    inbox_->Receive(std::move(incoming));
  }

  // What came live meanwhile waits, so that nobody is answered out of turn.
  Task<void> CatchUp() {
    while (std::exchange(wanted_catch_up_, false)) {
      for (Place& place : places_) {
        if (!place.id.empty()) co_await CatchUpIn(place);
      }
    }
    catching_up_ = false;
    for (Held& held : std::exchange(held_, {})) Handle(*held.place, held.event.post, held.event.sender);
  }

  Task<void> CatchUpIn(Place& place) {
    const base::SteadyTime deadline = clock_.Now() + kCatchUpLimit;
    const std::string anchor = place.cursor;
    for (std::size_t page = 0; page <= kPages;) {
      const bool last = page == kPages || anchor.empty();
      if (page == kPages) {
        LogWarn(fmt::format("mattermost: more than {} posts were missed in {}; only the latest are looked at further",
                            kPages * Rest::kPage, place.name));
      }
      const auto posts = last ? co_await rest_->GetLatestPosts(place.id, Rest::kPage, 0)
                              : co_await rest_->GetPostsAfter(place.id, anchor, page);
      if (!posts) {
        if (posts.error().code == Errc::kAuth) co_return;
        if (posts.error().code == Errc::kRefused || posts.error().code == Errc::kNotFound || clock_.Now() > deadline) {
          LogError("mattermost: what was missed stays unread: " + posts.error().what);
          co_return;
        }
        co_await async::Sleep(seconds(1));
        continue;
      }
      for (const Post& post : *posts) {
        std::string name;
        if (IsPersons(post, self_) && seen_.Find(post.id) == nullptr) name = co_await NameOf(post.user_id);
        Handle(place, post, name);
      }
      if (last || posts->size() < Rest::kPage) co_return;
      ++page;
    }
  }

  Task<std::string> NameOf(std::string user_id) {
    if (const std::string* name = names_.Find(user_id)) co_return *name;
    const auto name = co_await rest_->GetUserName(user_id);
    if (!name) co_return std::string();
    names_.Add(user_id, *name);
    co_return *name;
  }

  // Constant after construction and SetUp.
  Executor executor_;
  config::MattermostConfig config_;
  const base::Clock& clock_;
  std::vector<config::ChannelConfig> channels_;
  std::unique_ptr<Rest> rest_;
  std::unique_ptr<Socket> socket_;

  MattermostDialect dialect_;
  Self self_;
  std::vector<Place> places_;
  chat::Inbox* inbox_ = nullptr;  // while Run runs
  async::Event ready_;
  async::TaskGroup tasks_;
  Recent<bool> seen_;
  /// The first post of the thread of a person's post.
  Recent<std::string> roots_;
  Recent<std::string> names_;
  std::vector<Held> held_;
  bool catching_up_ = false;
  bool wanted_catch_up_ = false;
  /// How far the server's clock is ahead of ours.
  std::int64_t server_ahead_ = 0;
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
