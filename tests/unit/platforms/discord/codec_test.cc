#include "platforms/discord/codec.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "base/text.h"
#include "platforms/discord/seen_ids.h"
#include "unit/platforms/discord/wire.h"

using namespace shipmate;
using namespace shipmate::platforms::discord;
using shipmate::tests::Wire;
using Kind = ReadMessage::Kind;

namespace {

const MessageFilter kFilter{
    .own_id = "1100000000000000001", .guild_id = "330000000000000003", .channels = {"440000000000000004"}};

// The message of a recorded event, with `from` (which must be in it) replaced by `to`.
ReadMessage ReadWire(const std::string& name, const std::string& from = "", const std::string& to = "",
                     const MessageFilter& filter = kFilter) {
  std::string text = Wire(name);
  if (!from.empty()) {
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
  }
  Codec codec;
  const auto frame = codec.Decode(text);
  REQUIRE(frame.has_value());
  CHECK(frame->type == "MESSAGE_CREATE");
  auto message = codec.Read(frame->data, filter);
  REQUIRE(message.has_value());
  return *message;
}

std::string TextOf(const std::string& json_string) {
  const ReadMessage message = ReadWire("MESSAGE_CREATE_REPLY", R"("content":"yes")", "\"content\":" + json_string);
  CHECK(message.kind == Kind::kForUs);
  return message.incoming.text;
}

}  // namespace

TEST_CASE("the envelope and what the session needs of it") {
  Codec codec;
  auto frame = codec.Decode(Wire("HELLO"));
  REQUIRE(frame.has_value());
  CHECK(frame->op == 10);
  CHECK_FALSE(frame->sequence.has_value());
  CHECK(frame->type.empty());
  CHECK(frame->heartbeat_interval == std::chrono::milliseconds(41250));

  CHECK(codec.Decode(Wire("HEARTBEAT_ACK"))->op == 11);
  CHECK(codec.Decode(Wire("HEARTBEAT_REQUEST"))->op == 1);
  CHECK(codec.Decode(Wire("RECONNECT"))->op == 7);
  CHECK(codec.Decode(R"({"op":7,"d":1,"s":3})")->op == 7);
  CHECK_FALSE(codec.Decode(Wire("INVALID_SESSION"))->resumable);
  CHECK(codec.Decode(Wire("INVALID_SESSION_RESUMABLE"))->resumable);
  CHECK(codec.Decode(R"({"op":9})")->op == 9);

  frame = codec.Decode(Wire("READY"));
  REQUIRE(frame.has_value());
  REQUIRE(frame->ready.has_value());
  CHECK(*frame->ready == ReadyInfo{.session_id = "9f3c1d5e7a9b4c2d8e6f0a1b2c3d4e5f",
                                   .resume_url = "wss://gateway-us-east1-b.discord.gg",
                                   .user_id = "1100000000000000001"});
  CHECK(frame->sequence == 1);

  frame = codec.Decode(Wire("UNKNOWN_EVENT"));
  REQUIRE(frame.has_value());
  CHECK(frame->type == "SOMETHING_NEW_2031");
  CHECK(frame->sequence == 15);

  // Any order of the fields, and numbers as floats.
  frame = codec.Decode(R"( { "d" : {"heartbeat_interval": 45000.0} , "x":[{}], "s":null,"t":null,"op" : 10 } )");
  REQUIRE(frame.has_value());
  CHECK(frame->op == 10);
  CHECK(frame->heartbeat_interval == std::chrono::milliseconds(45000));
}

TEST_CASE("what is no gateway message is an error") {
  Codec codec;
  const std::vector<std::string> broken = {"",
                                           " ",
                                           "null",
                                           "7",
                                           "[]",
                                           "[{\"op\":1}]",
                                           "{",
                                           "{}",
                                           "{\"op\":}",
                                           "{\"op\":\"1\"}",
                                           "{\"op\":-1}",
                                           "{\"op\":1e300}",
                                           "{\"op\":1",
                                           "{\"op\":1}}",
                                           "{\"op\":1} {}",
                                           "{\"op\":0,\"d\":{\"a\":[}}",
                                           "{\"op\":1,\"t\":\"\\ud800\"}",
                                           "\xff",
                                           "{\"op\":1,\"t\":\"\xff\"}",
                                           R"({"ref":"":"refs/heads/main","op":0})",
                                           R"({"op":"":"0","d":{}})"};
  for (const std::string& text : broken) {
    CAPTURE(text);
    const auto frame = codec.Decode(text);
    REQUIRE_FALSE(frame.has_value());
    CHECK(frame.error().code == Errc::kProtocol);
  }
  CHECK(codec.Decode(std::string(100000, '[')).has_value() == false);
  CHECK(codec.Decode("{\"op\":10,\"d\":" + std::string(100000, '[') + "}").has_value() == false);
  // And the next one is read as if nothing had happened.
  CHECK(codec.Decode(Wire("HELLO"))->op == 10);
}

TEST_CASE("a message by a person in a configured channel is for us") {
  const ReadMessage message = ReadWire("MESSAGE_CREATE");
  CHECK(message.kind == Kind::kForUs);
  CHECK(message.incoming.actor == chat::Actor{"discord", "220000000000000002", "alice", {"550000000000000005"}});
  CHECK(message.incoming.channel == "440000000000000004");
  CHECK(message.incoming.message_id == "1400000000000000101");
  CHECK(message.incoming.text == "!deploy api --tag=v1.2 \"a b\"");
  CHECK_FALSE(message.incoming.addressed);
  CHECK(ReadWire("MESSAGE_CREATE_REPLY").incoming.text == "yes");
  CHECK(ReadWire("MESSAGE_CREATE", "", "", {.own_id = "1", .channels = {"9", "440000000000000004"}}).kind ==
        Kind::kForUs);
}

TEST_CASE("the author's roles are those of the member, and no others") {
  const auto roles = [](const std::string& to) {
    return ReadWire("MESSAGE_CREATE", R"("roles":[)", to).incoming.actor.roles;
  };
  using Ids = std::vector<std::string>;
  const std::string first = R"("roles":["550000000000000005")";
  CHECK(roles(first + R"(,"550000000000000006"],"x":[)") == Ids{"550000000000000005", "550000000000000006"});
  CHECK(roles(R"("roles":null,"x":[)").empty());
  CHECK(roles(R"("roles":{"a":"1"},"x":[)").empty());
  CHECK(roles(R"("roles":[1,null,["2"],"550000000000000006"],"x":[)") == Ids{"550000000000000006"});
  std::string many = R"("roles":[)";
  for (int i = 0; i < 1000; ++i) many += "\"" + std::to_string(i) + "\",";
  CHECK(roles(many + R"("x"],"x":[)").size() == 250);
  // What a person can write is no role.
  CHECK(ReadWire("MESSAGE_CREATE", R"("embeds":[)", R"("member_roles":["1"],"embeds":[{"roles":["1"]})")
            .incoming.actor.roles == ReadWire("MESSAGE_CREATE").incoming.actor.roles);
}

TEST_CASE("a mention at the start addresses us and is taken out") {
  const ReadMessage message = ReadWire("MESSAGE_CREATE_MENTION");
  CHECK(message.kind == Kind::kForUs);
  CHECK(message.incoming.addressed);
  CHECK(message.incoming.text == "deploy api");
  const auto with = [](const std::string& content) {
    return ReadWire("MESSAGE_CREATE_MENTION", "<@1100000000000000001> deploy api", content).incoming;
  };
  CHECK(with("  <@!1100000000000000001>status").text == "status");
  CHECK(with("<@1100000000000000001> <@!1100000000000000001> a").text == "a");
  CHECK(with("<@1100000000000000001>").text.empty());
  CHECK(with("<@1100000000000000001>").addressed);
  CHECK_FALSE(with("deploy <@1100000000000000001>").addressed);
  CHECK_FALSE(with("<@11000000000000000012> x").addressed);
  CHECK_FALSE(with("<@&1100000000000000001> x").addressed);
  CHECK_FALSE(with("<@1100000000000000001").addressed);
}

TEST_CASE("T-14: everything else is passed over") {
  CHECK(ReadWire("MESSAGE_CREATE_OWN_NONCE").kind == Kind::kIgnored);
  CHECK(ReadWire("MESSAGE_CREATE_DM").kind == Kind::kIgnored);
  const auto changed = [](const std::string& from, const std::string& to) {
    return ReadWire("MESSAGE_CREATE", from, to).kind;
  };
  // Other bots, webhooks, ourselves without the bot mark.
  CHECK(changed(R"("username":"alice")", R"("username":"alice","bot":true)") == Kind::kIgnored);
  CHECK(changed(R"("channel_type":0)", R"("webhook_id":"880000000000000008")") == Kind::kIgnored);
  CHECK(changed(R"("author":{"id":"220000000000000002")", R"("author":{"id":"1100000000000000001")") == Kind::kIgnored);
  // Other channels, threads, servers; a message without a server.
  CHECK(changed(R"("channel_id":"440000000000000004")", R"("channel_id":"440000000000000005")") == Kind::kIgnored);
  CHECK(changed(R"("guild_id":"330000000000000003")", R"("guild_id":"330000000000000004")") == Kind::kIgnored);
  CHECK(changed(R"("guild_id":"330000000000000003")", R"("x":1)") == Kind::kIgnored);
  // Joins, pins, slash command answers; forwarded posts.
  CHECK(changed(R"("type":0)", R"("type":7)") == Kind::kIgnored);
  CHECK(changed(R"("type":0)", R"("type":20)") == Kind::kIgnored);
  CHECK(changed(R"("type":0)", R"("type":null)") == Kind::kIgnored);
  CHECK(changed(R"("pinned":false)", R"("message_reference":{"type":1,"message_id":"1"})") == Kind::kIgnored);
  CHECK(changed(R"("id":"1400000000000000101")", R"("id":null)") == Kind::kIgnored);
  // The reference of a plain reply is fine.
  CHECK(changed(R"("pinned":false)", R"("message_reference":{"type":0,"message_id":"1"})") == Kind::kForUs);
  CHECK(changed(R"("pinned":false)", R"("message_reference":null)") == Kind::kForUs);
}

TEST_CASE("a message with nothing in it tells of the missing intent; one with an attachment does not") {
  CHECK(ReadWire("MESSAGE_CREATE_NO_INTENT").kind == Kind::kEmpty);
  for (const std::string field : {"attachments", "embeds", "mentions", "components"}) {
    CAPTURE(field);
    CHECK(ReadWire("MESSAGE_CREATE_NO_INTENT", "\"" + field + "\":[]", "\"" + field + "\":[{\"id\":\"1\"}]").kind ==
          Kind::kForUs);
  }
  CHECK(ReadWire("MESSAGE_CREATE_NO_INTENT", R"("pinned":false)", R"("sticker_items":[{"id":"1"}])").kind ==
        Kind::kForUs);
}

TEST_CASE("content in every spelling of JSON") {
  CHECK(TextOf(R"("\u0021status \ud83d\ude00 \u00e9\n\t\"\\\/\b\f\r")") == "!status \xF0\x9F\x98\x80 é\n\t\"\\/\b\f\r");
  CHECK(TextOf(R"("a\ud800b")") ==
        "a\xEF\xBF\xBD"
        "b");
  CHECK(TextOf(R"("\ude00\ud83d")") == "\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(TextOf(R"("\ud83d\u0041")") ==
        "\xEF\xBF\xBD"
        "A");
  CHECK(TextOf("\"\xE2\x80\xAE"
               "abc\"") ==
        "\xE2\x80\xAE"
        "abc");
  std::string smiles = "\"";
  for (int i = 0; i < 2000; ++i) smiles += "\xF0\x9F\x98\x80";
  CHECK(base::RuneCount(TextOf(smiles + "\"")) == 2000);
  for (const std::string content : {R"("\u12g4")", R"("\x")", R"("\u12)"}) {
    Codec codec;
    std::string text = Wire("MESSAGE_CREATE_REPLY");
    text.replace(text.find(R"("content":"yes")"), 15, "\"content\":" + content);
    const auto frame = codec.Decode(text);
    if (frame) CHECK_FALSE(codec.Read(frame->data, kFilter).has_value());
  }
}

TEST_CASE("ids of any size stay as they are") {
  const ReadMessage message = ReadWire("MESSAGE_CREATE", "1400000000000000101", "18446744073709551615999");
  CHECK(message.incoming.message_id == "18446744073709551615999");
}

TEST_CASE("mutated bytes are an error or a message, never a crash") {
  std::mt19937 random(20260801);
  const std::vector<std::string> names = shipmate::tests::GatewayWireNames();
  Codec codec;
  int read = 0;
  int refused = 0;
  for (int round = 0; round < 12000; ++round) {
    std::string text = Wire(names[random() % names.size()]);
    const unsigned changes = 1 + random() % 4;
    for (unsigned i = 0; i < changes && !text.empty(); ++i) {
      static const std::string kLoaded = "{}[]:,\"\\0123456789-.eEtrufalsn \x01\x7f\x80\xc3\xff";
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.insert(at, 1, kLoaded[random() % kLoaded.size()]);
          break;
        case 2:
          text.erase(at, 1 + random() % 8);
          break;
        default:
          text.resize(at);
          break;
      }
    }
    const auto frame = codec.Decode(text);
    if (!frame) {
      ++refused;
      continue;
    }
    const auto message = codec.Read(frame->data, kFilter);
    if (message && message->kind == Kind::kForUs) ++read;
  }
  CHECK(refused > 1000);
  CHECK(read > 100);
}

TEST_CASE("a big message is read, and its memory is given back") {
  Codec codec;
  const std::string filler(5 * 1024 * 1024, 'x');
  const std::string big = R"({"op":0,"t":"GUILD_CREATE","s":2,"d":{"name":")" + filler + "\"}}";
  CHECK(codec.Decode(big)->type == "GUILD_CREATE");
  CHECK(codec.Decode(Wire("HELLO"))->op == 10);
  CHECK(codec.Decode(big)->type == "GUILD_CREATE");
}

TEST_CASE("SeenIds remembers the newest ids, up to its limit") {
  SeenIds seen(3);
  CHECK(seen.Add("1"));
  CHECK_FALSE(seen.Add("1"));
  CHECK(seen.Add("2"));
  CHECK(seen.Add("3"));
  CHECK(seen.Add("4"));
  CHECK(seen.Size() == 3);
  CHECK_FALSE(seen.Add("2"));
  CHECK(seen.Add("1"));
}
