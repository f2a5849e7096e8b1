#include "platforms/mattermost/codec.h"

#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <string>

#include "unit/platforms/mattermost/wire.h"

using namespace shipmate;
using namespace shipmate::platforms::mattermost;
using shipmate::tests::MattermostWire;

namespace {

const std::string kAlice = "cqnqfcoajxf9mdsc6rgkxj1s8o";
const std::string kChannel = "r5b1r3j8qbtyh3fc1bwn7p1ojo";

PostEvent PostIn(Codec& codec, const std::string& name) {
  const auto frame = codec.Decode(MattermostWire(name));
  REQUIRE(frame.has_value());
  auto event = codec.ReadPost(frame->data);
  REQUIRE(event.has_value());
  return *event;
}

}  // namespace

TEST_CASE("hello tells the connection's id, at number 0") {
  Codec codec;
  const auto frame = codec.Decode(MattermostWire("hello"));
  REQUIRE(frame.has_value());
  CHECK(frame->kind == Frame::Kind::kEvent);
  CHECK(frame->event == "hello");
  CHECK(frame->connection_id == "boqohmz3diwm5ck696kwe1fauy");
  CHECK(frame->sequence == 0);
}

TEST_CASE("the two spellings of JSON that a server sends read alike") {
  Codec codec;
  for (
      const std::string text :
      {R"({"event":"typing","data":{"parent_id":""},"broadcast":{"omit_users":null,"channel_id":"c"},"seq":7})"
       "\n",
       R"({"event": "typing", "data": {"parent_id": ""}, "broadcast": {"omit_users": null, "channel_id": "c"}, "seq": 7})"}) {
    const auto frame = codec.Decode(text);
    REQUIRE(frame.has_value());
    CHECK(frame->event == "typing");
    CHECK(frame->channel_id == "c");
    CHECK(frame->sequence == 7);
  }
}

TEST_CASE("replies: a pong, a refused ping, and a refusal that bears no number") {
  Codec codec;
  const auto pong = codec.Decode(MattermostWire("pong"));
  REQUIRE(pong.has_value());
  CHECK(pong->kind == Frame::Kind::kReply);
  CHECK(pong->ok);
  CHECK(pong->replies_to == 2);
  CHECK(pong->server_time == 1760000000000);
  CHECK_FALSE(pong->sequence.has_value());

  const auto refused = codec.Decode(MattermostWire("ping_revoked"));
  REQUIRE(refused.has_value());
  CHECK_FALSE(refused->ok);
  CHECK(refused->replies_to == 3);
  CHECK(refused->error_id == "api.web_socket_router.not_authenticated.app_error");
  CHECK(refused->error_status == 401);

  const auto bare = codec.Decode(MattermostWire("bad_seq_no_seq_reply"));
  REQUIRE(bare.has_value());
  CHECK_FALSE(bare->ok);
  CHECK_FALSE(bare->replies_to.has_value());
}

TEST_CASE("a post is read out of the string it is in") {
  Codec codec;
  const PostEvent event = PostIn(codec, "posted_mention");
  CHECK(event.sender == "alice");
  CHECK(event.post == Post{.id = "599ow97bwiqeag1jc5y365prke",
                           .channel_id = kChannel,
                           .user_id = kAlice,
                           .message = "@deploybot deploy svc",
                           .create_at = 1760000000000});
  CHECK(PostIn(codec, "posted_tricky").post.message ==
        "@deploybot deploy \"svc <&> \u00e9\U0001F680\\n\" `x`\n```\nfence\n```");
  CHECK(PostIn(codec, "posted_thread_reply_yes").post.root_id == "jmti5q4ncfg1ekpz45eadkkozc");
  CHECK(PostIn(codec, "posted_system_join").post.type == "system_join_channel");
}

TEST_CASE("what a webhook or a bot wrote is known by its mark, whoever's id it bears") {
  Codec codec;
  CHECK_FALSE(PostIn(codec, "posted_bang").post.automated);
  const Post hook = PostIn(codec, "posted_from_webhook_as_alice").post;
  CHECK(hook.automated);
  CHECK(hook.user_id == kAlice);
  CHECK(PostIn(codec, "posted_own_echo").post.automated);

  const auto marked = [&codec](const std::string& props) {
    boost::json::object post;
    post["id"] = "p";
    post["user_id"] = "u";
    post["channel_id"] = "c";
    post["props"] = boost::json::parse(props);
    boost::json::object data;
    data["post"] = boost::json::serialize(post);
    const auto event = codec.ReadPost(boost::json::serialize(data));
    REQUIRE(event.has_value());
    return event->post.automated;
  };
  for (const char* name : {"from_webhook", "from_bot", "from_plugin", "from_oauth_app"}) {
    CHECK(marked(std::string("{\"") + name + "\":\"true\"}"));
    CHECK(marked(std::string("{\"") + name + "\":true}"));
    CHECK(marked(std::string("{\"") + name + "\":1}"));
    CHECK_FALSE(marked(std::string("{\"") + name + "\":\"\"}"));
    CHECK_FALSE(marked(std::string("{\"") + name + "\":null}"));
    CHECK_FALSE(marked(std::string("{\"") + name + "\":\"false\"}"));
  }
}

TEST_CASE("our own posts carry the key of their event") {
  Codec codec;
  boost::json::object data;
  data["post"] = R"({"id":"p","user_id":"u","channel_id":"c","props":{"shipmate":{"key":"deploy:api:3"}}})";
  const auto event = codec.ReadPost(boost::json::serialize(data));
  REQUIRE(event.has_value());
  CHECK(event->post.key == "deploy:api:3");
}

TEST_CASE("a reaction tells who, on what, and which") {
  Codec codec;
  const auto frame = codec.Decode(MattermostWire("reaction_added"));
  REQUIRE(frame.has_value());
  CHECK(frame->event == "reaction_added");
  const auto reaction = codec.ReadReaction(frame->data);
  REQUIRE(reaction.has_value());
  CHECK(*reaction == Reaction{.user_id = kAlice,
                              .post_id = "jmti5q4ncfg1ekpz45eadkkozc",
                              .emoji = "white_check_mark",
                              .create_at = 1760000000900});
}

TEST_CASE("user_added tells the channel only by whom it was sent to") {
  Codec codec;
  const auto added = codec.Decode(MattermostWire("user_added_bot"));
  REQUIRE(added.has_value());
  CHECK(added->channel_id == kChannel);
  CHECK(added->user_id == "9k6kifh8nik5pniy1w3i17xgnc");
  CHECK(codec.ReadField(added->data, "user_id") == "9k6kifh8nik5pniy1w3i17xgnc");
  CHECK(codec.ReadField(added->data, "nothing").empty());
}

TEST_CASE("what is no message of the socket is an error, and the next message is read") {
  Codec codec;
  for (const std::string text : {"", "{", "[]", "null", "{}", R"({"seq":1})", R"({"event":1,"seq":1})",
                                 R"({"event":"x","seq":1} {"event":"y"})", "limit exceeded\n", R"({"event":"x)",
                                 R"({"event":"hello","data":{"connection_id":}})", "<html>502 Bad Gateway</html>"}) {
    CAPTURE(text);
    const auto frame = codec.Decode(text);
    REQUIRE_FALSE(frame.has_value());
    CHECK(frame.error().code == Errc::kProtocol);
    CHECK(codec.Decode(MattermostWire("pong")).has_value());
  }
}

TEST_CASE("a broken post is an error, and the next one is read") {
  Codec codec;
  for (const std::string data : {R"({"post":""})", R"({})", R"({"post":{"id":"p"}})", R"({"post":"{\"id\":\"p\"}"})",
                                 R"({"post":"{\"id\":\"p\",\"user_id\":\"u\",\"channel_id\":"})"}) {
    CAPTURE(data);
    CHECK_FALSE(codec.ReadPost(data).has_value());
    CHECK(PostIn(codec, "posted_bang").post.message == "!deploy svc");
  }
}

TEST_CASE("a big message is read, and its room given back") {
  Codec codec;
  const std::string text = R"({"event":"posted","data":{"post":")" + std::string(3 * 1024 * 1024, 'x') +
                           R"("},"broadcast":{"channel_id":"c"},"seq":1})";
  const auto frame = codec.Decode(text);
  REQUIRE(frame.has_value());
  CHECK(frame->data.size() > 3U * 1024 * 1024);
  CHECK(PostIn(codec, "posted_bang").post.message == "!deploy svc");
}
