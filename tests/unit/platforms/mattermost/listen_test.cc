#include "platforms/mattermost/listen.h"

#include <doctest/doctest.h>

#include <string>

#include "platforms/mattermost/dialect.h"
#include "platforms/mattermost/rest_codec.h"

using namespace shipmate;
using namespace shipmate::platforms::mattermost;

namespace {

const Self kSelf{.id = "bot", .name = "shipmate"};

Post Said(const std::string& message) {
  return {.id = "p", .channel_id = "c", .user_id = "alice", .message = message, .create_at = 5};
}

}  // namespace

TEST_CASE("only new posts that a person wrote are heard") {
  CHECK(IsPersons(Said("!list"), kSelf));
  const auto refused = [](auto change) {
    Post post = Said("!list");
    change(post);
    return !IsPersons(post, kSelf);
  };
  CHECK(refused([](Post& post) { post.automated = true; }));
  CHECK(refused([](Post& post) { post.user_id = "bot"; }));
  CHECK(refused([](Post& post) { post.type = "system_join_channel"; }));
  CHECK(refused([](Post& post) { post.edit_at = 6; }));
  CHECK(refused([](Post& post) { post.delete_at = 6; }));
  CHECK(refused([](Post& post) { post.original_id = "q"; }));
}

TEST_CASE("a mention of us at the start is taken out, whatever its case and punctuation") {
  for (const char* text : {"@shipmate deploy api", "@Shipmate: deploy api", "  @SHIPMATE, deploy api",
                           "@shipmate. deploy api", "@shipmate_ deploy api"}) {
    CAPTURE(std::string(text));
    const chat::Incoming incoming = WordsOf(Said(text), "alice", kSelf, false);
    CHECK(incoming.addressed);
    CHECK(incoming.text == "deploy api");
  }
  for (const char* text : {"@shipmate-two deploy api", "@shipmates deploy api", "hey @shipmate deploy api",
                           "shipmate deploy", "@alice deploy api", "!deploy api", "@"}) {
    CAPTURE(std::string(text));
    const chat::Incoming incoming = WordsOf(Said(text), "alice", kSelf, false);
    CHECK_FALSE(incoming.addressed);
    CHECK(incoming.text == text);
  }
  CHECK(WordsOf(Said("deploy api"), "alice", kSelf, true).addressed);
  CHECK(WordsOf(Said("deploy api"), "alice", kSelf, true).actor.direct);
}

TEST_CASE("the author goes by his id; a name is for the eye") {
  const chat::Incoming incoming = WordsOf(Said("!list"), "alice the first", kSelf, false);
  CHECK(incoming.actor == chat::Actor{.platform = "mattermost", .id = "alice", .name = "alice the first", .roles = {}});
  CHECK(WordsOf(Said("!list"), "", kSelf, false).actor.name == "alice");
}

TEST_CASE("skin tones do not change what a reaction says") {
  CHECK(WithoutSkinTone("+1") == "+1");
  CHECK(WithoutSkinTone("+1_light_skin_tone") == "+1");
  CHECK(WithoutSkinTone("+1_medium_light_skin_tone") == "+1");
  CHECK(WithoutSkinTone("+1_medium_skin_tone") == "+1");
  CHECK(WithoutSkinTone("+1_medium_dark_skin_tone") == "+1");
  CHECK(WithoutSkinTone("+1_dark_skin_tone") == "+1");
}

TEST_CASE("foreign text shows as it is and pings nobody") {
  const MattermostDialect dialect;
  CHECK(dialect.Escape("@all and @here") == "@\u200Ball and @\u200Bhere");
  CHECK(dialect.Escape("user@") == "user@\u200B");
  CHECK(dialect.Escape("*a* _b_ `c` [d](e) ~f |g|") == "\\*a\\* \\_b\\_ \\`c\\` \\[d\\](e) \\~f \\|g\\|");
  CHECK(dialect.Escape("# head") == "\\# head");
  CHECK(dialect.Escape("see #tag :tada: https://x") == "see #\u200Btag :\u200Btada: https:\u200B//x");
  CHECK(dialect.Escape("1. one") == "1\\. one");
  CHECK(dialect.Escape("two\nlines") == "two lines");
  CHECK(dialect.Code("a`b") == "``a`b``");
  CHECK(dialect.Code("`a") == "`` `a ``");
}

TEST_CASE("a fence is longer than any run inside") {
  const MattermostDialect dialect;
  CHECK(dialect.Fence("x") == "```\nx\n```");
  CHECK(dialect.Fence("a ```` b\n```") == "`````\na ```` b\n```\n`````");
}

TEST_CASE("a message that the server found too long keeps the end of its block, fenced") {
  const std::string text = "head\n````\n" + std::string(300, 'x') + "``` the end\n````";
  const std::string shorter = ShorterText(text, 60);
  CHECK(shorter.size() <= 60);
  CHECK(shorter.starts_with("head\n````\n(shortened)\n"));
  CHECK(shorter.ends_with("``` the end\n````"));
  CHECK(ShorterText(std::string(100, 'y'), 50).ends_with(" (shortened)"));
  CHECK(ShorterText("short", 50) == "short");
}

TEST_CASE("a post carries the key of its event, as an id for repeats and as a property") {
  const std::string body = EncodePost(
      {.channel_id = "c", .root_id = "r", .look = {.text = std::string("a\xff\0b", 4)}, .key = "k", .file_ids = {"f"}},
      "bot");
  CHECK(body.find(R"("channel_id":"c","message":"a)"
                  "\uFFFD"
                  R"(b","pending_post_id":"bot:)") != std::string::npos);
  CHECK(body.find(R"("props":{"shipmate":{"key":"k"}},"root_id":"r","file_ids":["f"])") != std::string::npos);
  CHECK(EncodePost({.channel_id = "c", .root_id = "", .look = {.text = "a"}, .key = "k", .file_ids = {}}, "bot") !=
        EncodePost({.channel_id = "d", .root_id = "", .look = {.text = "a"}, .key = "k", .file_ids = {}}, "bot"));
}

TEST_CASE("a result has a bar of colour; a question keeps its answers with it") {
  NewPost post{.channel_id = "c",
               .root_id = "",
               .look = {.text = "head\nrest\n", .tone = chat::Tone::kFailure},
               .key = "k",
               .file_ids = {}};
  CHECK(EncodePost(post, "bot").find(R"("message":"head")") != std::string::npos);
  CHECK(EncodePost(post, "bot").find(R"("attachments":[{"fallback":"head","color":"#d6336c","text":"rest\n"}])") !=
        std::string::npos);
  // A single line stands beside the bar itself.
  post.look = {.text = "all is well", .tone = chat::Tone::kSuccess};
  CHECK(EncodePost(post, "bot").find(R"("message":"")") != std::string::npos);
  CHECK(EncodePost(post, "bot").find(R"("color":"#2f9e44","text":"all is well"}])") != std::string::npos);
  post.look = {.text = "deploy?", .choices = {{.kind = chat::Choice::Kind::kYes, .command = "confirm api c0ffee1"}}};
  CHECK(EncodePost(post, "bot")
            .find(R"("props":{"shipmate":{"key":"k","choices":[{"kind":"yes","command":"confirm api c0ffee1"}]}})") !=
        std::string::npos);
}

TEST_CASE("an edit keeps every property that is not ours to change") {
  const std::string known =
      R"({"id":"p","message":"old","props":{"from_bot":"true","other":{"a":[1]},"attachments":[{"text":"old"}],)"
      R"("shipmate":{"key":"k","choices":[{"kind":"no","command":"decline api"}]}}})";
  CHECK(EncodePatch({.text = "new"}, known) ==
        R"({"message":"new","props":{"from_bot":"true","other":{"a":[1]},"shipmate":{"key":"k"}}})");
  const std::string result = EncodePatch({.text = "new\nmore", .tone = chat::Tone::kSuccess}, known);
  CHECK(result.find(R"("other":{"a":[1]})") != std::string::npos);
  CHECK(result.find(R"("attachments":[{"fallback":"new","color":"#2f9e44","text":"more"}])") != std::string::npos);
  CHECK(EncodePatch({.text = "new"}, "<html>") == R"({"message":"new","props":{"shipmate":{}}})");
}

TEST_CASE("a 429 is text, and tells seconds") {
  net::HttpResponse response;
  response.status = 429;
  response.body = "limit exceeded\n";
  CHECK(DecodeApiError(response.body).id.empty());
  CHECK(RetryAfter(response) == std::chrono::seconds(1));
  response.headers.Add("X-RateLimit-Reset", "11");
  CHECK(RetryAfter(response) == std::chrono::seconds(11));
  net::HttpResponse told;
  told.headers.Add("Retry-After", "3");
  told.headers.Add("X-RateLimit-Reset", "11");
  CHECK(RetryAfter(told) == std::chrono::seconds(3));
  net::HttpResponse absurd;
  absurd.headers.Add("Retry-After", "99999999999");
  CHECK(RetryAfter(absurd) == std::chrono::hours(1));
}
