#include <doctest/doctest.h>

#include "platforms/discord/rate_limit.h"

using namespace shipmate;
using namespace shipmate::platforms::discord;
using namespace std::chrono_literals;

namespace {

const base::SteadyTime kStart{std::chrono::hours(1000)};
const Route kPost{"POST /channels/{}/messages", "4"};
const Route kOther{"POST /channels/{}/messages", "5"};
const Route kGateway{"GET /gateway/bot", ""};

RateAnswer Ok(std::int64_t remaining, std::chrono::milliseconds reset_after, const std::string& bucket = "hash") {
  RateAnswer answer;
  answer.status = 200;
  answer.bucket = bucket;
  answer.remaining = remaining;
  answer.reset_after = reset_after;
  return answer;
}

RateAnswer TooMany() {
  RateAnswer answer;
  answer.status = 429;
  return answer;
}

}  // namespace

TEST_CASE("a spent bucket waits for its reset, and only that bucket") {
  RateLimiter limiter;
  CHECK(limiter.ReadyAt(kPost, kStart) == kStart);
  limiter.Sent(kPost, kStart);
  CHECK_FALSE(limiter.Answered(kPost, Ok(1, 5s), kStart).has_value());
  CHECK(limiter.ReadyAt(kPost, kStart) == kStart);
  limiter.Sent(kPost, kStart);
  CHECK(limiter.ReadyAt(kPost, kStart) == kStart + 5050ms);
  CHECK(limiter.ReadyAt(kOther, kStart) == kStart);
  CHECK(limiter.ReadyAt(kPost, kStart + 5050ms) == kStart + 5050ms);
  // After the reset one goes out; the next waits for its answer's word.
  limiter.Sent(kPost, kStart + 6s);
  limiter.Answered(kPost, Ok(4, 5s), kStart + 6s);
  CHECK(limiter.ReadyAt(kPost, kStart + 6s) == kStart + 6s);
}

TEST_CASE("routes with one hash share a bucket") {
  RateLimiter limiter;
  const Route edit{"PATCH /channels/{}/messages/{}", "4"};
  limiter.Answered(kPost, Ok(3, 5s), kStart);
  limiter.Answered(edit, Ok(0, 5s), kStart);
  CHECK(limiter.ReadyAt(kPost, kStart) == kStart + 5050ms);
  CHECK(limiter.ReadyAt(kOther, kStart) == kStart);
}

TEST_CASE("a 429 of a bucket, of the whole bot, of a shared resource, and within a bucket") {
  RateLimiter bucket;
  RateAnswer answer = TooMany();
  answer.retry_after = 350ms;
  answer.remaining = 0;
  CHECK(bucket.Answered(kPost, answer, kStart) == kStart + 400ms);
  CHECK(bucket.ReadyAt(kPost, kStart) == kStart + 400ms);
  CHECK(bucket.ReadyAt(kOther, kStart) == kStart);

  RateLimiter global;
  answer = TooMany();
  answer.retry_after = 640ms;
  answer.global = true;
  CHECK(global.Answered(kPost, answer, kStart) == kStart + 690ms);
  CHECK(global.ReadyAt(kGateway, kStart) == kStart + 690ms);

  RateLimiter within;
  answer = TooMany();
  answer.retry_after = 3210ms;
  answer.remaining = 4;
  answer.reset_after = 1s;
  answer.shared = true;
  CHECK(within.Answered(kPost, answer, kStart) == kStart + 3260ms);
  CHECK(within.ReadyAt(kPost, kStart) == kStart);

  RateLimiter untold;
  CHECK(untold.Answered(kPost, TooMany(), kStart) == kStart + 1050ms);
  answer = TooMany();
  answer.retry_after = 0ms;
  CHECK(untold.Answered(kPost, answer, kStart) == kStart + 1050ms);
}

TEST_CASE("a 429 that is not Discord's own stops everything, longer each time it tells no time") {
  RateLimiter limiter;
  RateAnswer answer = TooMany();
  answer.from_discord = false;
  answer.retry_after = 2s;
  CHECK(limiter.Answered(kPost, answer, kStart) == kStart + 2050ms);
  CHECK(limiter.ReadyAt(kGateway, kStart) == kStart + 2050ms);
  answer.retry_after.reset();
  base::SteadyTime now = kStart + 3s;
  for (const auto wait : {5s, 10s, 20s, 40s}) {
    CHECK(limiter.Answered(kPost, answer, now) == now + wait);
    CHECK(limiter.ReadyAt(kGateway, now) == now + wait);
    now += wait;
  }
  limiter.Answered(kPost, Ok(4, 1s), now);
  CHECK(limiter.Answered(kPost, answer, now) == now + 5s);
  RateLimiter patient;
  for (int i = 0; i < 100; ++i) patient.Answered(kPost, answer, kStart);
  CHECK(patient.ReadyAt(kPost, kStart) == kStart + 1h);
}

TEST_CASE("at most fifty a second in all") {
  RateLimiter limiter;
  for (int i = 0; i < 50; ++i) {
    const Route route{"GET /x", std::to_string(i)};
    CHECK(limiter.ReadyAt(route, kStart + i * 1ms) == kStart + i * 1ms);
    limiter.Sent(route, kStart + i * 1ms);
  }
  CHECK(limiter.ReadyAt(kPost, kStart + 100ms) == kStart + 1s);
  CHECK(limiter.ReadyAt(kPost, kStart + 1s) == kStart + 1s);
}

TEST_CASE("too many invalid requests within ten minutes stop everything for a while") {
  RateLimiter limiter;
  RateAnswer answer;
  answer.status = 403;
  for (int i = 0; i < 4999; ++i) limiter.Answered(kPost, answer, kStart);
  RateAnswer shared = TooMany();
  shared.shared = true;
  shared.remaining = 1;
  for (int i = 0; i < 100; ++i) limiter.Answered(kPost, shared, kStart);
  CHECK(limiter.ReadyAt(kGateway, kStart) == kStart);
  answer.status = 401;
  limiter.Answered(kPost, answer, kStart);
  CHECK(limiter.ReadyAt(kGateway, kStart) == kStart + 1min);
  CHECK(limiter.ReadyAt(kGateway, kStart + 9min) == kStart + 10min);
  CHECK(limiter.ReadyAt(kGateway, kStart + 10min) == kStart + 10min);
}

TEST_CASE("the memory of buckets is bounded") {
  RateLimiter limiter;
  base::SteadyTime now = kStart;
  for (int i = 0; i < 20000; ++i) {
    const Route route{"GET /r" + std::to_string(i), std::to_string(i)};
    limiter.Answered(route, Ok(0, 1s, "h" + std::to_string(i)), now);
    now += 10ms;
  }
  // Still exact for what is recent.
  limiter.Answered(kPost, Ok(0, 1s, ""), now);
  CHECK(limiter.ReadyAt(kPost, now) == now + 1050ms);
}
