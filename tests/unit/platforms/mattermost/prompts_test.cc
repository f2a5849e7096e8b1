#include "platforms/mattermost/prompts.h"

#include <doctest/doctest.h>

#include <string>

using namespace shipmate;
using namespace shipmate::platforms::mattermost;

namespace {

std::vector<chat::Choice> Question(const std::string& service) {
  return {{.kind = ChoiceKind::kYes, .command = "confirm " + service},
          {.kind = ChoiceKind::kNo, .command = "decline " + service}};
}

}  // namespace

TEST_CASE("a reaction says yes or no, whatever its skin tone") {
  for (const char* emoji :
       {"white_check_mark", "heavy_check_mark", "+1", "+1_light_skin_tone", "+1_medium_light_skin_tone",
        "+1_medium_skin_tone", "+1_medium_dark_skin_tone", "+1_dark_skin_tone"}) {
    CAPTURE(std::string(emoji));
    CHECK(KindOfEmoji(emoji) == ChoiceKind::kYes);
  }
  CHECK(KindOfEmoji("x") == ChoiceKind::kNo);
  CHECK(KindOfEmoji("-1_dark_skin_tone") == ChoiceKind::kNo);
  for (const char* emoji : {"", "tada", "white_check_mark2", "negative_squared_cross_mark", "X"}) {
    CAPTURE(std::string(emoji));
    CHECK(KindOfEmoji(emoji) == std::nullopt);
  }
  CHECK(KindOfEmoji(EmojiOf(ChoiceKind::kYes)) == ChoiceKind::kYes);
  CHECK(KindOfEmoji(EmojiOf(ChoiceKind::kNo)) == ChoiceKind::kNo);
}

TEST_CASE("a reply answers when it is one of a few words and nothing else") {
  for (const char* text : {"yes", "Yes.", " CONFIRM ", "yes!"}) {
    CAPTURE(std::string(text));
    CHECK(KindOfReply(text) == ChoiceKind::kYes);
  }
  CHECK(KindOfReply("no") == ChoiceKind::kNo);
  CHECK(KindOfReply("Decline") == ChoiceKind::kNo);
  for (const char* text : {"", "yes please", "yes?", "ok", "confirm api", "nope", "y\u0435s"}) {
    CAPTURE(std::string(text));
    CHECK(KindOfReply(text) == std::nullopt);
  }
}

TEST_CASE("a reaction is one message for all its repetitions, and is answered below the prompt") {
  const Reaction reaction{.user_id = "u", .post_id = "p", .emoji = "+1"};
  CHECK(ReactionMessageId(reaction, ChoiceKind::kYes) == "p/u/yes");
  CHECK(ReactionMessageId(reaction, ChoiceKind::kNo) == "p/u/no");
  CHECK(PostOfMessageId("p/u/yes") == "p");
  CHECK(PostOfMessageId("p") == "p");
}

TEST_CASE("prompts are known until too many are; those that are closed go first") {
  Prompts prompts;
  CHECK(prompts.Find("a") == nullptr);
  prompts.Note("a", Question("a"));
  prompts.Note("b", {});
  prompts.Note("c", Question("c"));
  REQUIRE(prompts.Find("a") != nullptr);
  CHECK(CommandOf(*prompts.Find("a"), ChoiceKind::kNo) == "decline a");
  CHECK(prompts.Find("b")->empty());
  CHECK(prompts.Open() == std::vector<std::string>{"a", "c"});
  prompts.Note("a", {});
  CHECK(prompts.Open() == std::vector<std::string>{"c"});
  CHECK(CommandOf(*prompts.Find("a"), ChoiceKind::kYes).empty());

  for (std::size_t i = 0; i < Prompts::kLimit; ++i) prompts.Note("more" + std::to_string(i), Question("x"));
  CHECK(prompts.Find("a") == nullptr);
  CHECK(prompts.Find("b") == nullptr);
  CHECK(prompts.Find("c") == nullptr);
  CHECK(prompts.Find("more0") != nullptr);
  CHECK(prompts.Open().size() == Prompts::kLimit);
}
