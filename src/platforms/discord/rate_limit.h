#pragma once

// RateLimiter: when a request to Discord's REST may go out (Discord, Rate Limits). It knows the buckets that answers
// tell of, the global limit, the ban of an address by Cloudflare that hammering leads to, and the count of invalid
// requests (401, 403, 429) that leads there as well. Pure: `now` in, times out; nothing waits here.

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"

namespace shipmate::platforms::discord {

/// What a limit is counted for: method and path without its ids, and the one id that matters (channel, guild).
struct Route {
  std::string name;   ///< "POST /channels/{}/messages"
  std::string major;  ///< the channel's id, or ""
};

/// What an answer says about limits.
struct RateAnswer {
  unsigned status = 0;
  /// It comes from Discord itself, not from what stands before it: a 403 or 429 has a JSON body, and a 429 went through
  /// its proxy (a Via header).
  bool from_discord = true;
  std::string bucket;                                    ///< X-RateLimit-Bucket
  std::optional<std::int64_t> remaining;                 ///< X-RateLimit-Remaining
  std::optional<std::chrono::milliseconds> reset_after;  ///< X-RateLimit-Reset-After
  std::optional<std::chrono::milliseconds> retry_after;  ///< of the body, else of the header
  bool global = false;                                   ///< of the body or X-RateLimit-Global
  bool shared = false;                                   ///< X-RateLimit-Scope: shared; does not count as invalid
};

struct RateLimits {
  std::size_t global_per_second = 50;
  /// Added to each wait, since clocks and networks are not exact.
  std::chrono::milliseconds margin{50};
  /// A 429 without any time.
  std::chrono::milliseconds unknown_wait{1000};
  /// First wait after an answer that did not come from Discord and tells no time; doubles, up to the second.
  std::chrono::milliseconds ban_wait{5000};
  std::chrono::milliseconds ban_longest{std::chrono::hours(1)};
  /// Discord bans an address above 10,000 invalid requests in ten minutes.
  std::size_t invalid_limit = 5000;
};

class RateLimiter {
 public:
  static constexpr std::size_t kBucketLimit = 512;

  explicit RateLimiter(RateLimits limits = {}) : limits_(limits) {}

  /// When a request of `route` may go out: `now` or later. Ask again after waiting: others may have gone first.
  base::SteadyTime ReadyAt(const Route& route, base::SteadyTime now);
  /// A request of `route` goes out.
  void Sent(const Route& route, base::SteadyTime now);
  /// Learns from an answer. For a 429, and for a 403 that is not Discord's: when this very request may be
  /// tried again.
  std::optional<base::SteadyTime> Answered(const Route& route, const RateAnswer& answer, base::SteadyTime now);

 private:
  struct Bucket {
    std::int64_t remaining = 1;
    base::SteadyTime reset_at;
    base::SteadyTime blocked_until;
  };

  std::string KeyOf(const Route& route) const;
  Bucket& BucketOf(const Route& route, base::SteadyTime now);
  void CountInvalid(base::SteadyTime now);
  std::size_t InvalidIn(base::SteadyTime now) const;
  std::chrono::milliseconds BanWait(const RateAnswer& answer);

  RateLimits limits_;
  std::map<std::string, std::string> hash_of_route_;
  std::map<std::string, Bucket> buckets_;
  std::deque<base::SteadyTime> sent_;  // in the last second
  base::SteadyTime all_blocked_until_;
  unsigned bans_ = 0;
  struct Minute {
    std::int64_t number = -1;
    std::size_t count = 0;
  };
  std::array<Minute, 10> invalid_{};
};

}  // namespace shipmate::platforms::discord
