#include "platforms/discord/rest_codec.h"

#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <random>

#include "unit/platforms/discord/wire.h"

using namespace shipmate;
using namespace shipmate::platforms::discord;
using namespace std::chrono_literals;
using shipmate::tests::Wire;
using shipmate::tests::WireHttp;

namespace {

RateAnswer AnswerOf(const std::string& name) {
  const auto recorded = WireHttp(name);
  net::HttpResponse response;
  response.status = recorded.status;
  for (const auto& [key, value] : recorded.headers) response.headers.Add(key, value);
  response.body = recorded.body;
  return DecodeRateAnswer(response);
}

RateAnswer AnswerWith(net::Headers headers, const std::string& body = "", unsigned status = 429) {
  return DecodeRateAnswer({.status = status, .headers = std::move(headers), .body = body});
}

}  // namespace

TEST_CASE("a message is posted once, pings nobody, and replies to what may be gone") {
  const auto encoded = [](const std::string& text, const std::string& nonce, const std::string& reply_to) {
    const RequestBody body =
        EncodeMessage({.channel = "44", .text = text, .reply_to = reply_to, .key = "unused"}, nonce);
    CHECK(body.content_type == "application/json");
    return boost::json::parse(body.bytes).as_object();
  };
  auto expected = boost::json::parse(Wire("REQ_CREATE")).as_object();
  expected.erase("components");
  CHECK(encoded("done", "j42-0", "1400000000000000101") == expected);
  CHECK_FALSE(encoded("x", "n", "").contains("message_reference"));
  CHECK(encoded("a\xff", "n", "").at("content").as_string() == "a\xEF\xBF\xBD");
}

TEST_CASE("an edit pings nobody either") {
  const RequestBody body = EncodeEdit({.channel = "44", .id = "9", .text = "@everyone"});
  CHECK(body.content_type == "application/json");
  CHECK(boost::json::parse(body.bytes) ==
        boost::json::parse(R"({"content":"@everyone","allowed_mentions":{"parse":[],"replied_user":false}})"));
}

TEST_CASE("files go in a form, whatever they hold") {
  chat::Outgoing outgoing{.channel = "44", .text = "see file", .reply_to = "", .key = "k"};
  const std::string first_boundary = [&] {
    outgoing.attachments = {{.name = "a.log", .bytes = "x"}};
    return EncodeMessage(outgoing, "n").content_type.substr(std::string("multipart/form-data; boundary=").size());
  }();
  outgoing.attachments = {{.name = "a.log", .bytes = std::string("zero \0 byte\r\n--", 16) + first_boundary}};
  const RequestBody body = EncodeMessage(outgoing, "n");
  const std::string boundary = body.content_type.substr(std::string("multipart/form-data; boundary=").size());
  CHECK(boundary != first_boundary);
  CHECK(body.bytes.starts_with("--" + boundary + "\r\nContent-Disposition: form-data; name=\"payload_json\"\r\n"));
  CHECK(body.bytes.contains("name=\"files[0]\"; filename=\"a.log\"\r\n"));
  CHECK(body.bytes.contains(outgoing.attachments[0].bytes + "\r\n--" + boundary + "--\r\n"));
  CHECK(body.bytes.contains(R"("attachments":[{"id":0,"filename":"a.log"}])"));
  outgoing.attachments[0].name = "a\"b\r\nc";
  CHECK(EncodeMessage(outgoing, "n").bytes.contains("filename=\"a_b__c\"\r\n"));
}

TEST_CASE("ids of messages, and lists of them") {
  CHECK(DecodeMessageId(R"({"id":"900","content":"x"})") == "900");
  CHECK(DecodeMessageId("<html>") == "");
  CHECK(DecodeMessageId(R"({"id":9})") == "");
  const auto list = DecodeMessages(
      R"([{"id":"1","author":{"id":"2"},"content":"c","message_reference":{"message_id":"3"}},{"id":"4"}])");
  REQUIRE(list.has_value());
  REQUIRE(list->size() == 2);
  CHECK(list->at(0).author_id == "2");
  CHECK(list->at(0).reply_to == "3");
  CHECK(list->at(1).id == "4");
  CHECK_FALSE(DecodeMessages("{}").has_value());
  CHECK_FALSE(DecodeMessages("[1]").has_value());
  CHECK(SameText(" a b\n\u200bc\ufeff", "abc"));
  CHECK_FALSE(SameText("abc", "abd"));
  // The documentation's own example.
  CHECK(FirstIdOf(base::WallTime(std::chrono::milliseconds(1462015105796))) == "175928847298985984");
  CHECK(FirstIdOf(base::WallTime()) == "0");
}

TEST_CASE("nonces are short, stable, and differ by event and channel") {
  CHECK(NonceOf("deploy/7", "44") == NonceOf("deploy/7", "44"));
  CHECK(NonceOf("deploy/7", "44").size() == 25);
  CHECK(NonceOf("deploy/7", "44") != NonceOf("deploy/8", "44"));
  CHECK(NonceOf("deploy/7", "44") != NonceOf("deploy/7", "45"));
}

TEST_CASE("where the gateway is and what is left") {
  const auto info = DecodeGateway(Wire("REST_GATEWAY_BOT"));
  REQUIRE(info.has_value());
  CHECK(*info == GatewayInfo{.url = "wss://gateway.discord.gg", .remaining = 997, .reset_after = 4h});
  CHECK(DecodeGateway(R"({"url":"ws://h"})") == GatewayInfo{.url = "ws://h"});
  for (const std::string body : {"", "[]", "<html>", "{}", R"({"url":7})"})
    CHECK_FALSE(DecodeGateway(body).has_value());
  CHECK(DecodeApplicationFlags(R"({"id":"1","flags":524288})") == 524288);
  CHECK_FALSE(DecodeApplicationFlags(R"({"id":"1"})").has_value());
}

TEST_CASE("each kind of 429") {
  RateAnswer answer = AnswerOf("REST_429_USER");
  CHECK(answer.from_discord);
  CHECK(answer.retry_after == 350ms);
  CHECK(answer.remaining == 0);
  CHECK(answer.reset_after == 350ms);
  CHECK(answer.bucket == "80c17d2f203122d936070c88c8d10f33");
  CHECK_FALSE(answer.global);
  CHECK_FALSE(answer.shared);

  answer = AnswerOf("REST_429_SHARED");
  CHECK(answer.from_discord);
  CHECK(answer.shared);
  CHECK(answer.retry_after == 3210ms);
  CHECK(answer.remaining == 4);

  answer = AnswerOf("REST_429_GLOBAL");
  CHECK(answer.global);
  CHECK(answer.retry_after == 640ms);

  answer = AnswerOf("REST_429_OLD_EDIT");
  CHECK(answer.from_discord);
  CHECK(answer.retry_after == 6s);

  answer = AnswerOf("REST_429_CLOUDFLARE");
  CHECK_FALSE(answer.from_discord);
  CHECK(answer.retry_after == 1h);

  answer = AnswerWith({{"Content-Type", "text/html"}, {"Retry-After", "2"}}, "<html>error code: 1015</html>");
  CHECK_FALSE(answer.from_discord);
  CHECK(answer.retry_after == 2s);
  answer = AnswerWith({}, "");
  CHECK_FALSE(answer.from_discord);
  CHECK_FALSE(answer.retry_after.has_value());
  CHECK_FALSE(AnswerWith({}, R"({"retry_after":1})").from_discord);
  for (const std::string value : {"x", "-1", "nan", "inf", "1e999", ""}) {
    CHECK_FALSE(AnswerWith({{"Retry-After", value}}).retry_after.has_value());
  }
  CHECK(AnswerWith({{"Retry-After", "99999999999"}}).retry_after == 24h);
  CHECK(AnswerWith({}, "<html>", 403).from_discord == false);
  CHECK(AnswerWith({}, R"({"code":50013})", 403).from_discord);
}

TEST_CASE("error bodies") {
  ApiError error = DecodeApiError(Wire("REST_400_TOO_LONG"));
  CHECK(error.is_json);
  CHECK(error.code == 50035);
  CHECK(error.too_long);
  error = DecodeApiError(Wire("REST_403"));
  CHECK(error.code == 50013);
  CHECK(error.message == "Missing Permissions");
  CHECK_FALSE(error.too_long);
  error =
      DecodeApiError(R"({"code":50035,"message":"a\nb","errors":{"message_reference":{"_errors":[{"code":"X"}]}}})");
  CHECK(error.message == "a\\nb");
  CHECK_FALSE(error.too_long);
  CHECK_FALSE(DecodeApiError("<html>secret</html>").is_json);
  CHECK(DecodeApiError("<html>secret</html>").message.empty());
}

TEST_CASE("a list of messages, oldest first, each as text") {
  CHECK_FALSE(SplitMessages("{}").has_value());
  CHECK_FALSE(SplitMessages("[{]").has_value());
  CHECK(SplitMessages("[]")->empty());
  const auto messages = SplitMessages(R"([ {"id" : "2", "content":"\u00e9\n\"x\""}, {"id":"1"} ])");
  REQUIRE(messages.has_value());
  REQUIRE(messages->size() == 2);
  CHECK(messages->at(0) == R"({"id":"1"})");
  CHECK(messages->at(1) == "{\"id\":\"2\",\"content\":\"\u00e9\\n\\\"x\\\"\"}");
}

TEST_CASE("an id tells its time, and which is later") {
  // The example of Discord's reference.
  const auto time = TimeOfId("175928847299117063");
  REQUIRE(time.has_value());
  CHECK(std::chrono::floor<std::chrono::milliseconds>(time->time_since_epoch()).count() == 1462015105796);
  CHECK(FirstIdOf(*time) == "175928847298985984");
  CHECK_FALSE(TimeOfId("").has_value());
  CHECK_FALSE(TimeOfId("12x").has_value());
  CHECK_FALSE(TimeOfId("99999999999999999999").has_value());
  CHECK(IsLaterId("10", "9"));
  CHECK(IsLaterId("12", "11"));
  CHECK_FALSE(IsLaterId("11", "11"));
  CHECK(IsLaterId("1", ""));
}

TEST_CASE("mutated answers never crash") {
  std::mt19937 random(7);
  int objects = 0;
  for (int round = 0; round < 10000; ++round) {
    std::string body = Wire(round % 2 == 0 ? "REST_400_TOO_LONG" : "REST_GATEWAY_BOT");
    for (unsigned i = 0; i < 3; ++i) body[random() % body.size()] = static_cast<char>(random());
    if (DecodeApiError(body).is_json) ++objects;
    DecodeGateway(body);
    DecodeApplicationFlags(body);
    AnswerWith({}, body);
  }
  CHECK(objects > 100);
}
