#include <doctest/doctest.h>

#include <string>

#include "platforms/discord/close_codes.h"

using namespace shipmate::platforms::discord;
using namespace std::chrono_literals;

namespace {

bool Says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("every close code has its next step") {
  const auto next = [](std::optional<std::uint16_t> code) { return MeaningOfClose(code, 46593).next; };
  for (const int code : {1000, 1001, 1005, 1006, 1009, 4000, 4001, 4002, 4006, 4242}) {
    CAPTURE(code);
    CHECK(next(static_cast<std::uint16_t>(code)) == NextStep::kResume);
  }
  CHECK(next(std::nullopt) == NextStep::kResume);
  for (const int code : {4003, 4005, 4007}) {
    CAPTURE(code);
    CHECK(next(static_cast<std::uint16_t>(code)) == NextStep::kIdentify);
  }
  for (const int code : {4008, 4009}) {
    CAPTURE(code);
    CHECK(next(static_cast<std::uint16_t>(code)) == NextStep::kResumeOnce);
  }
  for (const int code : {4004, 4010, 4011, 4012, 4013, 4014}) {
    CAPTURE(code);
    CHECK(next(static_cast<std::uint16_t>(code)) == NextStep::kStop);
  }
  CHECK(MeaningOfClose(4008, 0).wait == 5s);
  CHECK(MeaningOfClose(4001, 0).payload_refused);
  CHECK(MeaningOfClose(4002, 0).payload_refused);
  CHECK_FALSE(MeaningOfClose(4000, 0).payload_refused);
}

TEST_CASE("the codes that need a person say what to do, in one line") {
  const auto text = [](std::uint16_t code) { return MeaningOfClose(code, 46593).text; };
  CHECK(Says(text(4004), "token"));
  CHECK(Says(text(4004), "DISCORD_TOKEN"));
  CHECK(Says(text(4004), "Reset Token"));
  CHECK(Says(text(4010), "shard"));
  CHECK(Says(text(4011), "too many servers"));
  CHECK(Says(text(4012), "newer"));
  CHECK(Says(text(4013), "46593"));
  CHECK(Says(text(4014), "Message Content"));
  CHECK(Says(text(4014), "Privileged Gateway Intents"));
  CHECK(Says(text(4014), "message_content: false"));
  for (const int code : {4004, 4010, 4011, 4012, 4013, 4014}) {
    CHECK_FALSE(Says(text(static_cast<std::uint16_t>(code)), "\n"));
  }
}
