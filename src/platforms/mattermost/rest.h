#pragma once

// Rest: the few calls we make to Mattermost's REST API (version 4), with retries where a retry is safe: reads, edits,
// and posts, which carry an id of their own. It waits where a 429 says so, never follows a redirect, and tells when the
// token was refused. Owned by the frontend; its calls may run side by side.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "chat/frontend.h"
#include "net/http_client.h"
#include "platforms/mattermost/frame.h"
#include "platforms/mattermost/listen.h"
#include "platforms/mattermost/rest_codec.h"

namespace shipmate::platforms::mattermost {

inline constexpr std::chrono::seconds kPostPatience{12};

struct RestOptions {
  /// The site, which may be in a sub-path.
  net::Url site;
  std::shared_ptr<net::TlsContext> tls;
  base::Secret token;
  /// How long one call is tried for.
  std::chrono::milliseconds patience{std::chrono::seconds(24)};
  /// The same of a post. Twice that is less than the half minute for which the server knows a repeated post: one that
  /// is handed in again within this time of its first try is not made twice, however often it is tried.
  std::chrono::milliseconds post_patience = kPostPatience;
  std::chrono::milliseconds request_limit{std::chrono::seconds(10)};
  std::chrono::milliseconds first_retry{std::chrono::milliseconds(500)};
  std::chrono::milliseconds longest_retry{std::chrono::seconds(8)};
  /// How long a channel that was refused is not tried again.
  std::chrono::milliseconds refusal_memory{std::chrono::minutes(10)};
};

struct ChannelInfo {
  std::string id;
  /// A direct channel, in which everything is said to us.
  bool direct = false;
};

class Rest {
 public:
  /// `clock` must outlive it. `random` gives numbers in [0, 1).
  Rest(Executor executor, RestOptions options, const base::Clock& clock, std::function<double()> random);
  /// REQUIRES: no call is under way.
  ~Rest() = default;
  Rest(const Rest&) = delete;
  Rest& operator=(const Rest&) = delete;

  /// Called at once whenever the server refuses the token.
  void OnTokenRefused(std::function<void()> callback) { on_refused_ = std::move(callback); }

  // All fail with kAuth when the token was refused, kNotFound or kRefused as the server says, kRateLimited with the
  // time it told, and kTimeout when patience ended.

  Task<Result<Self>> GetSelf();
  /// The longest post that this server takes, in code points.
  Task<Result<std::size_t>> GetPostLimit();
  /// `name`: "team/channel" or an id.
  Task<Result<ChannelInfo>> FindChannel(std::string name);
  Task<Result<User>> GetUser(std::string id);
  Task<Result<Post>> GetPost(std::string id);

  static constexpr std::size_t kPage = 200;
  /// Posts of a channel after `post_id`, oldest first, from the page's kPage; fewer mean that it is the last page.
  Task<Result<std::vector<Post>>> GetPostsAfter(std::string channel_id, std::string post_id, std::size_t page);
  /// A page of the latest posts of a channel, page 0 the latest; in itself oldest first.
  Task<Result<std::vector<Post>>> GetLatestPosts(std::string channel_id, std::size_t count, std::size_t page);
  Task<Result<std::vector<Post>>> GetThread(std::string root_id);
  /// The oldest first.
  Task<Result<std::vector<Reaction>>> GetReactions(std::string post_id);

  /// The id of the post. A text that is too long is posted shorter; a thread that is gone is left; files that cannot be
  /// taken are left out.
  Task<Result<std::string>> CreatePost(NewPost post, std::string own_id);
  /// Says something else in a post of ours; all properties that are not ours to change stay.
  Task<Result<void>> EditPost(std::string post_id, PostLook look);
  Task<Result<std::string>> UploadFile(std::string channel_id, chat::Attachment file);
  Task<Result<void>> AddReaction(std::string own_id, std::string post_id, std::string emoji);

 private:
  struct Call {
    std::string what;  ///< "posting to Mattermost channel x": begins each error
    std::string method = "GET";
    std::string path;
    std::string body = "";
    std::string content_type = "application/json";
    /// Zero: as long as any call.
    std::chrono::milliseconds patience{0};
  };

  /// The answer of any status but 401, 408, 429, those of 500 and above, and pages that are not the API's, all of which
  /// are dealt with here.
  Task<Result<net::HttpResponse>> Perform(Call call);
  /// The answer, where it is a success; else what it means.
  Task<Result<net::HttpResponse>> Demand(Call call);
  Task<Result<std::vector<Post>>> GetPosts(Call call);
  net::HttpRequest MakeRequest(const Call& call) const;

  RestOptions options_;
  const base::Clock& clock_;
  std::function<double()> random_;
  std::function<void()> on_refused_;
  net::HttpClient client_;
  /// A 429 counts for all calls: the limit is on the address.
  base::SteadyTime blocked_until_;
};

}  // namespace shipmate::platforms::mattermost
