#include "platforms/mattermost/rest.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "async/backoff.h"
#include "async/deadline.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time_text.h"
#include "platforms/mattermost/dialect.h"
#include "platforms/mattermost/json.h"

namespace shipmate::platforms::mattermost {

namespace {

using base::SteadyTime;
using std::chrono::milliseconds;

// The oldest servers' limit, less a little: what is too long for one that does not tell its own.
constexpr std::size_t kShorterRunes = 3900;
constexpr std::string_view kTooLong = "model.post.is_valid.message_length.app_error";
constexpr std::string_view kNoSuchRoot = "api.post.create_post.root_id.app_error";

net::HttpClientOptions ClientOptions(const RestOptions& options) {
  net::HttpClientOptions client;
  client.origin = options.site;
  client.tls = options.tls;
  client.connect_limit = options.request_limit;
  client.request_limit = options.request_limit;
  return client;
}

std::string Described(const net::HttpResponse& response) {
  const ApiError error = DecodeApiError(response.body);
  if (error.id.empty()) return fmt::format("status {} from something that is not Mattermost's API", response.status);
  return fmt::format("status {}, {}{}{}", response.status, error.id, error.message.empty() ? "" : ": ", error.message);
}

// A page of a proxy that has lost its server, or of a captive network: it says nothing about what was asked. That a
// body is too large is a proxy's own word.
bool IsFromSomethingElse(const net::HttpResponse& response) {
  return response.status >= 400 && response.status != 413 && DecodeApiError(response.body).id.empty();
}

Error Meaning(const std::string& what, const net::HttpResponse& response) {
  Error error;
  error.code = Errc::kInvalid;
  if (response.status == 403) error.code = Errc::kRefused;
  if (response.status == 404) error.code = Errc::kNotFound;
  if (response.status == 413) error.code = Errc::kTooLarge;
  error.what = what + ": " + Described(response);
  if (response.status >= 300 && response.status < 400) {
    error.what += "; it sends us elsewhere: set mattermost.url in config.yaml to the server's own site URL";
  }
  return error;
}

// Rounded up, so that the time has come after the wait.
milliseconds Until(SteadyTime at, SteadyTime now) {
  return std::chrono::ceil<milliseconds>(at - now);
}

}  // namespace

Rest::Rest(Executor executor, RestOptions options, const base::Clock& clock, std::function<double()> random)
    : options_(std::move(options)),
      clock_(clock),
      random_(std::move(random)),
      client_(std::move(executor), ClientOptions(options_)) {}

net::HttpRequest Rest::MakeRequest(const Call& call) const {
  net::HttpRequest request;
  request.method = call.method;
  std::string_view base = options_.site.target;
  while (base.ends_with('/')) base.remove_suffix(1);
  request.target = fmt::format("{}/api/v4{}", base, call.path);
  request.headers.Add("Authorization", "Bearer " + options_.token.Reveal());
  request.headers.Add("Accept", "application/json");
  if (!call.body.empty()) request.headers.Add("Content-Type", call.content_type);
  request.body = call.body;
  return request;
}

Task<Result<net::HttpResponse>> Rest::Perform(Call call) {
  const milliseconds patience = call.patience.count() > 0 ? call.patience : options_.patience;
  const SteadyTime deadline = clock_.Now() + patience;
  async::Backoff backoff(
      {.base = options_.first_retry, .cap = options_.longest_retry, .floor = options_.first_retry / 2});
  while (true) {
    if (blocked_until_ > deadline) {
      Error error{.code = Errc::kRateLimited,
                  .what = call.what + ": Mattermost's rate limit holds it back",
                  .retry_after = Until(blocked_until_, clock_.Now())};
      co_return Fail(std::move(error));
    }
    if (blocked_until_ > clock_.Now()) {
      co_await async::Sleep(Until(blocked_until_, clock_.Now()));
      continue;
    }
    // A post carries an id of its own, an edit says all there is: both may be repeated like a read.
    const auto response = co_await client_.Send(MakeRequest(call), true);
    std::string trouble;
    if (!response) {
      trouble = response.error().error.what;
    } else if (response->status == 401) {
      if (on_refused_) on_refused_();
      co_return Fail(Errc::kAuth, call.what + ": " + Described(*response));
    } else if (response->status == 429) {
      blocked_until_ = std::max(blocked_until_, clock_.Now() + RetryAfter(*response));
      continue;
    } else if (response->status < 500 && response->status != 408 && !IsFromSomethingElse(*response)) {
      co_return *response;
    } else {
      trouble = Described(*response);
    }
    const milliseconds wait = backoff.Next(random_());
    if (clock_.Now() + wait > deadline) {
      co_return Fail(Errc::kTimeout,
                     fmt::format("{}: {}; gave up after {}", call.what, trouble, base::FormatDuration(patience)));
    }
    co_await async::Sleep(wait);
  }
}

Task<Result<net::HttpResponse>> Rest::Demand(Call call) {
  const std::string what = call.what;
  auto response = co_await Perform(std::move(call));
  if (response && (response->status < 200 || response->status > 299)) co_return Fail(Meaning(what, *response));
  co_return response;
}

Task<Result<Self>> Rest::GetSelf() {
  Call call{.what = "asking Mattermost who we are", .path = "/users/me"};
  const auto response = co_await Demand(std::move(call));
  if (!response) co_return Fail(response.error());
  Json json;
  Self self;
  if (json.Open(response->body)) {
    self.id = json.Text("id");
    self.name = base::ToLowerAscii(json.Text("username"));
  }
  if (self.id.empty() || self.name.empty()) {
    co_return Fail(Errc::kProtocol,
                   "asking Mattermost who we are: the answer is not Mattermost's; check mattermost.url");
  }
  co_return std::move(self);
}

Task<Result<std::size_t>> Rest::GetPostLimit() {
  Call call{.what = "asking Mattermost for its limits", .path = "/config/client?format=old"};
  const auto response = co_await Demand(std::move(call));
  if (!response) co_return Fail(response.error());
  Json json;
  std::size_t limit = 0;
  if (json.Open(response->body)) {
    const std::string_view text = json.Text("MaxPostSize");
    std::from_chars(text.data(), text.data() + text.size(), limit);
  }
  co_return std::clamp<std::size_t>(limit == 0 ? MattermostDialect::kUsualLimit : limit, 500,
                                    MattermostDialect::kUsualLimit);
}

Task<Result<ChannelInfo>> Rest::FindChannel(std::string name) {
  const std::size_t slash = name.find('/');
  Call call{.what = fmt::format("looking for Mattermost channel {}", name),
            .path = slash == std::string::npos
                        ? "/channels/" + net::PercentEncode(name)
                        : fmt::format("/teams/name/{}/channels/name/{}", net::PercentEncode(name.substr(0, slash)),
                                      net::PercentEncode(name.substr(slash + 1)))};
  const auto response = co_await Demand(std::move(call));
  if (!response) co_return Fail(response.error());
  Json json;
  ChannelInfo info;
  if (json.Open(response->body)) {
    info.id = json.Text("id");
    info.direct = json.Text("type") == "D";
  }
  if (info.id.empty())
    co_return Fail(Errc::kProtocol, "looking for Mattermost channel " + name + ": no id in the answer");
  co_return std::move(info);
}

Task<Result<User>> Rest::GetUser(std::string id) {
  Call call{.what = "asking Mattermost for a name", .path = "/users/" + net::PercentEncode(id)};
  const auto response = co_await Demand(std::move(call));
  if (!response) co_return Fail(response.error());
  Json json;
  if (!json.Open(response->body))
    co_return Fail(Errc::kProtocol, "asking Mattermost for a name: no user in the answer");
  co_return User{.name = std::string(json.Text("username")), .bot = json.Flag("is_bot")};
}

Task<Result<Post>> Rest::GetPost(std::string id) {
  Call call{.what = "reading a Mattermost post", .path = "/posts/" + net::PercentEncode(id)};
  const auto response = co_await Demand(std::move(call));
  if (!response) co_return Fail(response.error());
  Json json;
  auto post = json.Open(response->body) ? json.AsPost() : std::nullopt;
  if (!post) co_return Fail(Errc::kProtocol, "reading a Mattermost post: no post in the answer");
  co_return std::move(*post);
}

Task<Result<std::vector<Post>>> Rest::GetPosts(Call call) {
  const std::string what = call.what;
  const auto response = co_await Demand(std::move(call));
  if (!response) co_return Fail(response.error());
  Json json;
  auto posts = json.Open(response->body) ? json.AsPosts() : std::nullopt;
  if (!posts) co_return Fail(Errc::kProtocol, what + ": no posts in the answer");
  co_return std::move(*posts);
}

Task<Result<std::vector<Post>>> Rest::GetPostsAfter(std::string channel_id, std::string post_id, std::size_t page) {
  Call call{.what = "reading what was missed in Mattermost channel " + channel_id,
            .path = fmt::format("/channels/{}/posts?after={}&per_page={}&page={}", net::PercentEncode(channel_id),
                                net::PercentEncode(post_id), kPage, page)};
  co_return co_await GetPosts(std::move(call));
}

Task<Result<std::vector<Post>>> Rest::GetLatestPosts(std::string channel_id, std::size_t count, std::size_t page) {
  Call call{.what = "reading the latest posts of Mattermost channel " + channel_id,
            .path = fmt::format("/channels/{}/posts?per_page={}&page={}", net::PercentEncode(channel_id), count, page)};
  co_return co_await GetPosts(std::move(call));
}

Task<Result<std::vector<Post>>> Rest::GetThread(std::string root_id) {
  Call call{.what = "reading a Mattermost thread", .path = "/posts/" + net::PercentEncode(root_id) + "/thread"};
  co_return co_await GetPosts(std::move(call));
}

Task<Result<std::vector<Reaction>>> Rest::GetReactions(std::string post_id) {
  Call call{.what = "reading reactions on Mattermost", .path = "/posts/" + net::PercentEncode(post_id) + "/reactions"};
  const auto response = co_await Demand(std::move(call));
  if (!response) co_return Fail(response.error());
  Json json;
  auto reactions = json.Open(response->body) ? json.AsReactions() : std::nullopt;
  if (!reactions) co_return Fail(Errc::kProtocol, "reading reactions on Mattermost: no reactions in the answer");
  std::ranges::sort(*reactions, {}, &Reaction::create_at);
  co_return std::move(*reactions);
}

Task<Result<std::string>> Rest::CreatePost(NewPost post, std::string own_id) {
  const std::string what = "posting to Mattermost channel " + post.channel_id;
  bool shortened = false;
  while (true) {
    Call call{.what = what, .method = "POST", .path = "/posts", .body = EncodePost(post, own_id)};
    call.patience = options_.post_patience;
    const auto response = co_await Perform(std::move(call));
    if (!response) co_return Fail(response.error());
    if (response->status >= 200 && response->status < 300) {
      Json json;
      co_return json.Open(response->body) ? std::string(json.Text("id")) : "";
    }
    const ApiError error = DecodeApiError(response->body);
    if ((error.id == kTooLong || (response->status == 413 && post.file_ids.empty())) && !shortened) {
      LogWarn(fmt::format("mattermost: {}: Mattermost found the message too long; sending a shorter one", what));
      post.look.text = ShorterText(post.look.text, kShorterRunes);
      shortened = true;
      continue;
    }
    // The thread's first post was deleted meanwhile.
    if (error.id == kNoSuchRoot && !post.root_id.empty()) {
      post.root_id.clear();
      continue;
    }
    Error meaning = Meaning(what, *response);
    if (response->status == 403) {
      meaning.what += "; add the bot to the channel, and let its role create posts there";
    }
    co_return Fail(std::move(meaning));
  }
}

Task<Result<void>> Rest::EditPost(std::string post_id, PostLook look) {
  const std::string what = "editing a Mattermost post";
  Call read{.what = what, .path = "/posts/" + net::PercentEncode(post_id)};
  const auto known = co_await Demand(std::move(read));
  if (!known) co_return Fail(known.error());
  bool shortened = false;
  while (true) {
    Call call{.what = what,
              .method = "PUT",
              .path = fmt::format("/posts/{}/patch", net::PercentEncode(post_id)),
              .body = EncodePatch(look, known->body)};
    const auto response = co_await Perform(std::move(call));
    if (!response) co_return Fail(response.error());
    if (response->status >= 200 && response->status < 300) co_return Result<void>();
    if (DecodeApiError(response->body).id == kTooLong && !shortened) {
      look.text = ShorterText(look.text, kShorterRunes);
      shortened = true;
      continue;
    }
    co_return Fail(Meaning(what, *response));
  }
}

Task<Result<std::string>> Rest::UploadFile(std::string channel_id, chat::Attachment file) {
  Call call{.what = fmt::format("uploading {} to Mattermost", file.name),
            .method = "POST",
            .path = fmt::format("/files?channel_id={}&filename={}", net::PercentEncode(channel_id),
                                net::PercentEncode(file.name)),
            .body = std::move(file.bytes),
            .content_type = "application/octet-stream"};
  const auto response = co_await Demand(std::move(call));
  if (!response) co_return Fail(response.error());
  Json json;
  const auto ids = json.Open(response->body) ? json.Ids("file_infos") : std::vector<std::string>();
  if (ids.empty()) co_return Fail(Errc::kProtocol, "uploading to Mattermost: no file in the answer");
  co_return ids[0];
}

Task<Result<void>> Rest::AddReaction(std::string own_id, std::string post_id, std::string emoji) {
  Call call{.what = "adding a reaction on Mattermost",
            .method = "POST",
            .path = "/reactions",
            .body = EncodeReaction(own_id, post_id, emoji)};
  const auto response = co_await Demand(std::move(call));
  if (!response) co_return Fail(response.error());
  co_return Result<void>();
}

}  // namespace shipmate::platforms::mattermost
