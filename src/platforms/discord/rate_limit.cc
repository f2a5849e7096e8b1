#include "platforms/discord/rate_limit.h"

#include <algorithm>

namespace shipmate::platforms::discord {

namespace {

using base::SteadyTime;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

std::int64_t MinuteOf(SteadyTime time) {
  return std::chrono::floor<minutes>(time.time_since_epoch()).count();
}

}  // namespace

std::string RateLimiter::KeyOf(const Route& route) const {
  const auto hash = hash_of_route_.find(route.name);
  return (hash == hash_of_route_.end() ? route.name : hash->second) + "|" + route.major;
}

RateLimiter::Bucket& RateLimiter::BucketOf(const Route& route, SteadyTime now) {
  if (buckets_.size() >= kBucketLimit) {
    std::erase_if(buckets_, [now](const auto& entry) {
      return entry.second.reset_at <= now && entry.second.blocked_until <= now;
    });
  }
  return buckets_[KeyOf(route)];
}

SteadyTime RateLimiter::ReadyAt(const Route& route, SteadyTime now) {
  SteadyTime at = std::max(now, all_blocked_until_);
  if (InvalidIn(now) >= limits_.invalid_limit) at = std::max(at, now + minutes(1));
  while (!sent_.empty() && sent_.front() + seconds(1) <= now) sent_.pop_front();
  if (sent_.size() >= limits_.global_per_second) at = std::max(at, sent_.front() + seconds(1));
  const auto bucket = buckets_.find(KeyOf(route));
  if (bucket == buckets_.end()) return at;
  at = std::max(at, bucket->second.blocked_until);
  if (bucket->second.remaining <= 0) at = std::max(at, bucket->second.reset_at);
  return at;
}

void RateLimiter::Sent(const Route& route, SteadyTime now) {
  sent_.push_back(now);
  const auto bucket = buckets_.find(KeyOf(route));
  if (bucket == buckets_.end()) return;
  // Spent before the answer tells so; after the reset one goes out and its answer tells how many there are.
  bucket->second.remaining = now >= bucket->second.reset_at ? 1 : bucket->second.remaining - 1;
}

std::optional<SteadyTime> RateLimiter::Answered(const Route& route, const RateAnswer& answer, SteadyTime now) {
  if (answer.status == 401 || answer.status == 403 || (answer.status == 429 && !answer.shared)) CountInvalid(now);
  if ((answer.status == 429 || answer.status == 403) && !answer.from_discord) {
    all_blocked_until_ = std::max(all_blocked_until_, now + BanWait(answer));
    return all_blocked_until_;
  }
  if (answer.from_discord) bans_ = 0;
  if (!answer.bucket.empty() && (hash_of_route_.size() < kBucketLimit || hash_of_route_.contains(route.name))) {
    hash_of_route_[route.name] = answer.bucket;
  }
  if (answer.remaining && answer.reset_after) {
    Bucket& bucket = BucketOf(route, now);
    bucket.remaining = *answer.remaining;
    bucket.reset_at = now + *answer.reset_after + limits_.margin;
  }
  if (answer.status != 429) return std::nullopt;

  milliseconds wait = answer.retry_after.value_or(answer.reset_after.value_or(limits_.unknown_wait));
  if (wait <= milliseconds(0)) wait = limits_.unknown_wait;
  const SteadyTime until = now + wait + limits_.margin;
  if (answer.global) {
    all_blocked_until_ = std::max(all_blocked_until_, until);
  } else if (answer.remaining.value_or(0) <= 0) {
    Bucket& bucket = BucketOf(route, now);
    bucket.blocked_until = std::max(bucket.blocked_until, until);
  }
  // Otherwise it is a limit within the bucket that holds back this one request only.
  return until;
}

milliseconds RateLimiter::BanWait(const RateAnswer& answer) {
  if (answer.retry_after) return std::max(*answer.retry_after, limits_.unknown_wait) + limits_.margin;
  return std::min<milliseconds>(limits_.ban_longest, limits_.ban_wait * (1LL << std::min(bans_++, 16U)));
}

void RateLimiter::CountInvalid(SteadyTime now) {
  const std::int64_t number = MinuteOf(now);
  Minute& minute = invalid_[static_cast<std::size_t>(number % 10)];
  if (minute.number != number) minute = {number, 0};
  ++minute.count;
}

std::size_t RateLimiter::InvalidIn(SteadyTime now) const {
  const std::int64_t number = MinuteOf(now);
  std::size_t count = 0;
  for (const Minute& minute : invalid_) {
    if (minute.number > number - 10) count += minute.count;
  }
  return count;
}

}  // namespace shipmate::platforms::discord
