#pragma once

// Rest: the few calls we make to Discord's REST API (version 10), within its rate limits and with retries, since all of
// them are safe to repeat: reads, edits, and posts that carry a nonce. It never hammers, never follows a redirect, and
// ends for good when the token is rejected. Owned by the frontend; its calls may run side by side.

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
#include "platforms/discord/frame.h"
#include "platforms/discord/rate_limit.h"
#include "platforms/discord/rest_codec.h"

namespace shipmate::platforms::discord {

struct RestOptions {
  /// With the version in its path: "https://discord.com/api/v10".
  net::Url api;
  std::shared_ptr<net::TlsContext> tls;
  base::Secret token;
  /// How long a message is tried for, and a question to the gateway's endpoints. Who has more patience calls again.
  std::chrono::milliseconds patience{std::chrono::seconds(30)};
  std::chrono::milliseconds short_patience{std::chrono::seconds(25)};
  std::chrono::milliseconds request_limit{std::chrono::seconds(15)};
  std::chrono::milliseconds first_retry{std::chrono::seconds(1)};
  std::chrono::milliseconds longest_retry{std::chrono::seconds(30)};
  /// How long a channel that was refused is not tried again.
  std::chrono::milliseconds refusal_memory{std::chrono::minutes(10)};
  RateLimits limits;
};

class Rest {
 public:
  /// `clock` must outlive it. `random` gives numbers in [0, 1).
  Rest(Executor executor, RestOptions options, const base::Clock& clock, std::function<double()> random);
  /// REQUIRES: no call is under way.
  ~Rest();
  Rest(const Rest&) = delete;
  Rest& operator=(const Rest&) = delete;

  /// GET /gateway/bot.
  Task<Result<GatewayInfo>> GetGateway();
  /// The flags of GET /applications/@me.
  Task<Result<std::int64_t>> GetApplicationFlags();
  /// Posts a message, waiting as long as the limits and patience demand. An Error is final: kAuth (token), kRefused (no
  /// right to write there), kNotFound (no such channel), kInvalid, or what stood in the way until patience ended.
  Task<Result<chat::Posted>> CreateMessage(chat::Outgoing outgoing);
  /// Errors as of CreateMessage; kNotFound when the message is gone.
  Task<Result<void>> EditMessage(chat::Revision revision);
  /// The latest messages of the channel, a hundred at most, oldest first, as SplitMessages gives them. kRefused as of
  /// FindMessage.
  Task<Result<std::vector<std::string>>> LatestMessages(std::string channel);
  /// Looks through what `own_id` posted in the channel after `doubt.after` or, without that, since `doubt.since`.
  /// Discord does not keep nonces: it is the text that is looked for. A channel's history may be read only with a right
  /// of its own: without it kRefused.
  Task<Result<std::optional<chat::Posted>>> FindMessage(chat::Doubt doubt, std::string own_id);
  /// Every call from now on fails with kAuth and this text.
  void Stop(std::string why) { stopped_ = std::move(why); }

 private:
  struct Call {
    Route route;
    std::string what;  ///< "posting to Discord channel 44": begins each error
    std::string method;
    std::string path;
    RequestBody body = {};
    std::chrono::milliseconds patience{0};
  };
  struct Refusal {
    Error error;
    base::SteadyTime until;
  };

  /// The answer of any status but 401, 429 and those of 500 and above, which are dealt with here.
  Task<Result<net::HttpResponse>> Perform(Call call);
  Task<Result<void>> WaitForTurn(Route route, std::string what, base::SteadyTime deadline);
  net::HttpRequest MakeRequest(const Call& call) const;
  /// The refusal that is remembered of `channel`.
  std::optional<Error> RememberedRefusal(const std::string& channel);
  Error RememberRefusal(const std::string& channel, unsigned status, std::int64_t code, const std::string& message);

  RestOptions options_;
  const base::Clock& clock_;
  std::function<double()> random_;
  net::HttpClient client_;
  RateLimiter limiter_;
  std::optional<std::string> stopped_;
  std::map<std::string, Refusal> refusals_;
};

}  // namespace shipmate::platforms::discord
