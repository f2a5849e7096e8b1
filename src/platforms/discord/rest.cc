#include "platforms/discord/rest.h"

#include <fmt/format.h>

#include <algorithm>

#include "async/backoff.h"
#include "async/deadline.h"
#include "base/log.h"
#include "base/time_text.h"
#include "platforms/discord/close_codes.h"
#include "platforms/discord/dialect.h"

namespace shipmate::platforms::discord {

namespace {

using base::SteadyTime;
using std::chrono::milliseconds;

// JSON error codes of Discord.
constexpr std::int64_t kUnknownChannel = 10003;
constexpr std::int64_t kUnknownMessage = 10008;
constexpr std::int64_t kCannotReplyWithoutHistory = 160002;
// Well under Discord's limit, by any way of counting.
constexpr std::size_t kShorterUnits = 1900;
// Of a search for a message of ours: Discord's own limit, and how many such pages.
constexpr std::size_t kPage = 100;
constexpr int kLongestSearch = 20;
// Between our clock and the one that ids are made by.
constexpr std::chrono::minutes kClockDifference(2);
// Discord wants the form "DiscordBot (URL, version)" and blocks others.
constexpr const char* kUserAgent = "DiscordBot (https://shipmate.example, " SHIPMATE_VERSION ")";

net::HttpClientOptions ClientOptions(const RestOptions& options) {
  net::HttpClientOptions client;
  client.origin = options.api;
  client.tls = options.tls;
  client.connect_limit = std::min<milliseconds>(client.connect_limit, options.request_limit);
  client.request_limit = options.request_limit;
  client.body_limit = 1024 * 1024;
  return client;
}

std::string Described(unsigned status, const ApiError& error) {
  if (!error.is_json) return fmt::format("status {} from something that is not Discord's API", status);
  return fmt::format("status {}, code {}{}{}", status, error.code, error.message.empty() ? "" : ": ", error.message);
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
      client_(std::move(executor), ClientOptions(options_)),
      limiter_(options_.limits) {}

Rest::~Rest() = default;

net::HttpRequest Rest::MakeRequest(const Call& call) const {
  net::HttpRequest request;
  request.method = call.method;
  std::string_view base = options_.api.target;
  while (base.ends_with('/')) base.remove_suffix(1);
  request.target = std::string(base) + call.path;
  request.headers.Add("Authorization", "Bot " + options_.token.Reveal());
  request.headers.Add("User-Agent", kUserAgent);
  if (!call.body.bytes.empty()) request.headers.Add("Content-Type", call.body.content_type);
  request.body = call.body.bytes;
  return request;
}

Task<Result<void>> Rest::WaitForTurn(Route route, std::string what, SteadyTime deadline) {
  while (true) {
    const SteadyTime now = clock_.Now();
    const SteadyTime at = limiter_.ReadyAt(route, now);
    if (at <= now) co_return Result<void>();
    if (at > deadline) {
      co_return Fail({.code = Errc::kRateLimited,
                      .what = fmt::format("{}: Discord's rate limit holds it back for another {}", what,
                                          base::FormatDuration(at - now)),
                      .retry_after = Until(at, now)});
    }
    co_await async::Sleep(Until(at, now));
  }
}

Task<Result<net::HttpResponse>> Rest::Perform(Call call) {
  const SteadyTime deadline = clock_.Now() + call.patience;
  async::Backoff backoff(
      {.base = options_.first_retry, .cap = options_.longest_retry, .floor = options_.first_retry / 2});
  while (true) {
    const auto turn = co_await WaitForTurn(call.route, call.what, deadline);
    if (!turn) co_return Fail(turn.error());
    if (stopped_) co_return Fail(Errc::kAuth, *stopped_);

    limiter_.Sent(call.route, clock_.Now());
    // A post carries a nonce and an edit says all there is: both may be repeated like a read.
    const auto response = co_await client_.Send(MakeRequest(call), true);
    std::string trouble;
    SteadyTime again = clock_.Now();
    if (!response) {
      trouble = response.error().error.what;
    } else {
      const RateAnswer answer = DecodeRateAnswer(*response);
      const auto retry_at = limiter_.Answered(call.route, answer, clock_.Now());
      if (response->status == 401) {
        stopped_ = TokenHelp();
        co_return Fail(Errc::kAuth, *stopped_);
      }
      if (!retry_at && response->status < 500) co_return *response;
      trouble = Described(response->status, DecodeApiError(response->body));
      if (retry_at) again = *retry_at;
    }
    // What has a time of its own waits for that; all else backs off.
    if (again <= clock_.Now()) again = clock_.Now() + backoff.Next(random_());
    if (again > deadline) {
      // Its own time is told on, so that nobody tries before.
      std::optional<milliseconds> retry_after;
      if (limiter_.ReadyAt(call.route, clock_.Now()) > clock_.Now()) retry_after = Until(again, clock_.Now());
      co_return Fail(
          {.code = Errc::kTimeout,
           .what = fmt::format("{}: {}; gave up after {}", call.what, trouble, base::FormatDuration(call.patience)),
           .retry_after = retry_after});
    }
    co_await async::Sleep(Until(again, clock_.Now()));
  }
}

Task<Result<GatewayInfo>> Rest::GetGateway() {
  Call call{.route = {.name = "GET /gateway/bot", .major = ""},
            .what = "asking Discord for its gateway",
            .method = "GET",
            .path = "/gateway/bot",
            .patience = options_.short_patience};
  const auto response = co_await Perform(std::move(call));
  if (!response) co_return Fail(response.error());
  auto info = response->status == 200 ? DecodeGateway(response->body) : std::nullopt;
  if (!info) {
    co_return Fail(Errc::kProtocol,
                   "asking Discord for its gateway: " + Described(response->status, DecodeApiError(response->body)));
  }
  co_return std::move(*info);
}

Task<Result<std::int64_t>> Rest::GetApplicationFlags() {
  Call call{.route = {.name = "GET /applications/@me", .major = ""},
            .what = "asking Discord for the application",
            .method = "GET",
            .path = "/applications/@me",
            .patience = options_.short_patience};
  const auto response = co_await Perform(std::move(call));
  if (!response) co_return Fail(response.error());
  const auto flags = response->status == 200 ? DecodeApplicationFlags(response->body) : std::nullopt;
  if (!flags) {
    co_return Fail(Errc::kProtocol, "asking Discord for the application: " +
                                        Described(response->status, DecodeApiError(response->body)));
  }
  co_return *flags;
}

Task<Result<chat::Posted>> Rest::CreateMessage(chat::Outgoing outgoing) {
  if (auto refused = RememberedRefusal(outgoing.channel)) co_return Fail(std::move(*refused));
  const std::string what = fmt::format("posting to Discord channel {}", outgoing.channel);
  const std::string nonce = NonceOf(outgoing.key, outgoing.channel);
  bool shortened = false;
  while (true) {
    Call call{.route = {.name = "POST /channels/{}/messages", .major = outgoing.channel},
              .what = what,
              .method = "POST",
              .path = "/channels/" + net::PercentEncode(outgoing.channel) + "/messages",
              .body = EncodeMessage(outgoing, nonce),
              .patience = options_.patience};
    const auto response = co_await Perform(std::move(call));
    if (!response) co_return Fail(response.error());
    if (response->status >= 200 && response->status < 300) {
      co_return chat::Posted{.id = DecodeMessageId(response->body)};
    }

    const ApiError error = DecodeApiError(response->body);
    // An earlier try of ours was posted, and somebody has deleted it since.
    if (response->status == 404 && error.code == kUnknownMessage) co_return chat::Posted{};
    if (response->status == 403 || response->status == 404) {
      co_return Fail(RememberRefusal(outgoing.channel, response->status, error.code, error.message));
    }
    if (error.too_long && !shortened) {
      LogWarn(fmt::format("discord: {}: Discord found the message too long ({}); sending a shorter one", what,
                          Described(response->status, error)));
      outgoing.text = ShorterText(outgoing.text, kShorterUnits);
      shortened = true;
      continue;
    }
    if (error.code == kCannotReplyWithoutHistory && !outgoing.reply_to.empty()) {
      outgoing.reply_to.clear();
      continue;
    }
    if (response->status == 413 && !outgoing.attachments.empty()) {
      LogWarn(fmt::format("discord: {}: Discord found its files too large; sending it without them", what));
      outgoing.attachments.clear();
      continue;
    }
    co_return Fail(Errc::kInvalid, what + ": " + Described(response->status, error));
  }
}

Task<Result<void>> Rest::EditMessage(chat::Revision revision) {
  if (auto refused = RememberedRefusal(revision.channel)) co_return Fail(std::move(*refused));
  const std::string what = fmt::format("editing a message in Discord channel {}", revision.channel);
  bool shortened = false;
  while (true) {
    Call call{.route = {.name = "PATCH /channels/{}/messages/{}", .major = revision.channel},
              .what = what,
              .method = "PATCH",
              .path = fmt::format("/channels/{}/messages/{}", net::PercentEncode(revision.channel),
                                  net::PercentEncode(revision.id)),
              .body = EncodeEdit(revision),
              .patience = options_.patience};
    const auto response = co_await Perform(std::move(call));
    if (!response) co_return Fail(response.error());
    if (response->status >= 200 && response->status < 300) co_return Result<void>();

    const ApiError error = DecodeApiError(response->body);
    if (response->status == 404 && error.code == kUnknownMessage) {
      co_return Fail(Errc::kNotFound, what + ": it was deleted");
    }
    if (response->status == 403 || response->status == 404) {
      co_return Fail(RememberRefusal(revision.channel, response->status, error.code, error.message));
    }
    if (error.too_long && !shortened) {
      revision.text = ShorterText(revision.text, kShorterUnits);
      shortened = true;
      continue;
    }
    if (response->status == 413 && !revision.attachments.empty()) {
      LogWarn(fmt::format("discord: {}: Discord found its files too large; leaving them out", what));
      revision.attachments.clear();
      continue;
    }
    co_return Fail(Errc::kInvalid, what + ": " + Described(response->status, error));
  }
}

Task<Result<std::optional<chat::Posted>>> Rest::FindMessage(chat::Doubt doubt, std::string own_id) {
  const std::string what = fmt::format("looking for a message in Discord channel {}", doubt.outgoing.channel);
  std::string after = doubt.after.empty() ? FirstIdOf(doubt.since - kClockDifference) : doubt.after;
  const std::string shorter = ShorterText(doubt.outgoing.text, kShorterUnits);
  for (int page = 0; page < kLongestSearch; ++page) {
    Call call{.route = {.name = "GET /channels/{}/messages", .major = doubt.outgoing.channel},
              .what = what,
              .method = "GET",
              .path = fmt::format("/channels/{}/messages?limit={}&after={}", net::PercentEncode(doubt.outgoing.channel),
                                  kPage, net::PercentEncode(after)),
              .patience = options_.patience};
    const auto response = co_await Perform(std::move(call));
    if (!response) co_return Fail(response.error());
    const ApiError error = DecodeApiError(response->body);
    if (response->status == 403 || response->status == 404) {
      co_return Fail(Errc::kRefused, what + ": " + Described(response->status, error));
    }
    const auto messages = response->status == 200 ? DecodeMessages(response->body) : std::nullopt;
    if (!messages) co_return Fail(Errc::kProtocol, what + ": " + Described(response->status, error));
    for (const ListedMessage& message : *messages) {
      if (IsLaterId(message.id, after)) after = message.id;
      const bool same = SameText(message.content, doubt.outgoing.text) || SameText(message.content, shorter);
      const bool answers_other = !message.reply_to.empty() && message.reply_to != doubt.outgoing.reply_to;
      if (message.author_id == own_id && same && !answers_other) co_return chat::Posted{.id = message.id};
    }
    if (messages->size() < kPage) break;
  }
  co_return std::optional<chat::Posted>();
}

Task<Result<std::vector<std::string>>> Rest::LatestMessages(std::string channel) {
  const std::string what = fmt::format("looking for messages missed in Discord channel {}", channel);
  Call call{.route = {.name = "GET /channels/{}/messages", .major = channel},
            .what = what,
            .method = "GET",
            .path = fmt::format("/channels/{}/messages?limit={}", net::PercentEncode(channel), kPage),
            .patience = options_.short_patience};
  const auto response = co_await Perform(std::move(call));
  if (!response) co_return Fail(response.error());
  if (response->status == 200) {
    if (auto messages = SplitMessages(response->body)) co_return *std::move(messages);
  }
  const bool refused = response->status == 403 || response->status == 404;
  co_return Fail(refused ? Errc::kRefused : Errc::kProtocol,
                 what + ": " + Described(response->status, DecodeApiError(response->body)));
}

std::optional<Error> Rest::RememberedRefusal(const std::string& channel) {
  const auto refusal = refusals_.find(channel);
  if (refusal == refusals_.end()) return std::nullopt;
  if (clock_.Now() < refusal->second.until) return refusal->second.error;
  refusals_.erase(refusal);
  return std::nullopt;
}

Error Rest::RememberRefusal(const std::string& channel, unsigned status, std::int64_t code,
                            const std::string& message) {
  Error error;
  if (status == 404 || code == kUnknownChannel) {
    error.code = Errc::kNotFound;
    error.what = fmt::format(
        "posting to Discord channel {}: there is no such channel, or the bot is not in its server "
        "(status {}, code {}); check channel_id in config.yaml, and that the bot was invited",
        channel, status, code);
  } else {
    error.code = Errc::kRefused;
    error.what = fmt::format(
        "posting to Discord channel {}: the bot may not write there (status {}, code {}: {}); give its "
        "role View Channel, Send Messages and Read Message History in that channel",
        channel, status, code, message);
  }
  refusals_[channel] = {error, clock_.Now() + options_.refusal_memory};
  return error;
}

}  // namespace shipmate::platforms::discord
