#include "platforms/discord/rest.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <boost/json.hpp>

#include "platforms/discord/rest_codec.h"
#include "unit/platforms/discord/scripted_discord.h"
#include "unit/platforms/discord/wire.h"
#include "unit/run_task.h"

using namespace shipmate;
using namespace shipmate::platforms::discord;
using namespace std::chrono_literals;
using shipmate::tests::RunTask;
using shipmate::tests::ScriptedDiscord;
using shipmate::tests::Wire;

namespace {

struct World {
  explicit World(std::chrono::milliseconds patience = 30s) {
    RestOptions options;
    options.api = net::ParseUrl(discord.ApiUrl()).value();
    options.token = base::Secret("T0KEN");
    options.patience = patience;
    options.short_patience = patience;
    options.request_limit = 5s;
    options.first_retry = 20ms;
    options.longest_retry = 100ms;
    options.limits.ban_wait = 300ms;
    rest = std::make_unique<Rest>(loop.get_executor(), std::move(options), clock, [] { return 0.5; });
  }
  Result<chat::Posted> Post(const std::string& text = "done", const std::string& reply_to = "") {
    chat::Outgoing outgoing;
    outgoing.channel = "44";
    outgoing.text = text;
    outgoing.reply_to = reply_to;
    outgoing.key = "event/1";
    return RunTask(loop, rest->CreateMessage(std::move(outgoing)));
  }
  std::string Body(std::size_t post, const std::string& field) const {
    return std::string(boost::json::parse(discord.requests.at(post).body).at(field).as_string());
  }

  boost::asio::io_context loop{1};
  base::SystemClock clock;
  ScriptedDiscord discord{loop};
  std::unique_ptr<Rest> rest;
};

net::HttpResponse Json(unsigned status, const std::string& body) {
  return {.status = status, .headers = {{"Content-Type", "application/json"}, {"Via", "1.1 google"}}, .body = body};
}

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a post carries the token, the agent, and the message") {
  World world;
  REQUIRE(world.Post("done", "101").has_value());
  REQUIRE(world.discord.requests.size() == 1);
  const net::HttpRequest& request = world.discord.requests[0];
  CHECK(request.method == "POST");
  CHECK(request.target == "/api/v10/channels/44/messages");
  CHECK(request.headers.Get("Authorization") == "Bot T0KEN");
  CHECK(std::string(request.headers.Get("User-Agent")).starts_with("DiscordBot (https://"));
  CHECK(request.headers.Get("Content-Type") == "application/json");
  CHECK(request.body ==
        EncodeMessage({.channel = "44", .text = "done", .reply_to = "101", .key = ""}, NonceOf("event/1", "44")).bytes);
}

TEST_CASE("a post gives its id, and is edited by it") {
  World world;
  world.discord.posts = {Json(200, R"({"id":"900","content":"x"})"), Json(502, ""), Json(200, "{}"),
                         Json(404, R"({"message":"Unknown Message","code":10008})")};
  CHECK(world.Post().value().id == "900");
  chat::Revision revision{.channel = "44", .id = "900", .text = "done @everyone"};
  REQUIRE(RunTask(world.loop, world.rest->EditMessage(revision)).has_value());
  const net::HttpRequest& edit = world.discord.requests.at(2);
  CHECK(edit.method == "PATCH");
  CHECK(edit.target == "/api/v10/channels/44/messages/900");
  CHECK(edit.body == EncodeEdit(revision).bytes);
  const auto gone = RunTask(world.loop, world.rest->EditMessage(revision));
  REQUIRE_FALSE(gone.has_value());
  CHECK(gone.error().code == Errc::kNotFound);
  // That one message is gone says nothing about its channel.
  CHECK(world.Post().has_value());
}

TEST_CASE("an edit that is too long, and one that is not allowed") {
  World world;
  world.discord.posts = {Json(400, Wire("REST_400_TOO_LONG")), Json(200, "{}"), Json(403, Wire("REST_403"))};
  const chat::Revision revision{.channel = "44", .id = "9", .text = std::string(3000, 'x')};
  REQUIRE(RunTask(world.loop, world.rest->EditMessage(revision)).has_value());
  CHECK(world.Body(1, "content").size() <= 1900);
  CHECK(RunTask(world.loop, world.rest->EditMessage(revision)).error().code == Errc::kRefused);
  CHECK(RunTask(world.loop, world.rest->EditMessage(revision)).error().code == Errc::kRefused);
  CHECK(world.discord.requests.size() == 3);
}

TEST_CASE("files too large are left out, and the message is posted") {
  World world;
  world.discord.posts = {Json(413, R"({"message":"Request entity too large","code":40005})"),
                         Json(200, R"({"id":"1"})")};
  chat::Outgoing outgoing{.channel = "44", .text = "x", .reply_to = "", .key = "k"};
  outgoing.attachments.push_back({.name = "all.log", .bytes = "12345"});
  REQUIRE(RunTask(world.loop, world.rest->CreateMessage(outgoing)).has_value());
  CHECK(world.discord.requests.at(0).headers.Get("Content-Type").starts_with("multipart/form-data; boundary="));
  CHECK(world.discord.requests.at(1).headers.Get("Content-Type") == "application/json");
}

TEST_CASE("a message in doubt is looked for among our own, after the last one known") {
  World world;
  const std::string list = R"([
    {"id":"1005","author":{"id":"7"},"content":"api: exited"},
    {"id":"1004","author":{"id":"8"},"content":"api:  exited "},
    {"id":"1003","author":{"id":"8"},"content":"api: exited","message_reference":{"message_id":"77"}},
    {"id":"1002","author":{"id":"8"},"content":"api: started"}])";
  chat::Doubt doubt{.outgoing = {.channel = "44", .text = "api: exited\u200b", .reply_to = "", .key = "k"},
                    .since = {},
                    .after = "1001"};
  world.discord.reads = {Json(200, list), Json(200, list), Json(200, list), Json(403, Wire("REST_403")),
                         Json(200, "{}")};
  CHECK(RunTask(world.loop, world.rest->FindMessage(doubt, "8")).value().value().id == "1004");
  CHECK(world.discord.requests.at(0).method == "GET");
  CHECK(world.discord.requests.at(0).target == "/api/v10/channels/44/messages?limit=100&after=1001");
  doubt.outgoing.reply_to = "77";
  doubt.outgoing.text = "api: exited";
  CHECK(RunTask(world.loop, world.rest->FindMessage(doubt, "8")).value().has_value());
  doubt.outgoing.text = "api: stopped";
  CHECK_FALSE(RunTask(world.loop, world.rest->FindMessage(doubt, "8")).value().has_value());
  CHECK(RunTask(world.loop, world.rest->FindMessage(doubt, "8")).error().code == Errc::kRefused);
  CHECK(RunTask(world.loop, world.rest->FindMessage(doubt, "8")).error().code == Errc::kProtocol);
}

TEST_CASE("the search goes on behind a full page, and begins at the first try when nothing is known") {
  World world;
  std::string page = "[";
  for (int i = 0; i < 100; ++i) {
    page += fmt::format(R"({}{{"id":"{}","author":{{"id":"8"}},"content":"other"}})", i == 0 ? "" : ",", 5000099 - i);
  }
  world.discord.reads = {Json(200, page + "]"),
                         Json(200, R"([{"id":"5000100","author":{"id":"8"},"content":"mine"}])")};
  const chat::Doubt doubt{.outgoing = {.channel = "44", .text = "mine", .reply_to = "", .key = "k"},
                          .since = base::WallTime(std::chrono::milliseconds(1420070400000) + 2min + 1ms),
                          .after = ""};
  CHECK(RunTask(world.loop, world.rest->FindMessage(doubt, "8")).value().value().id == "5000100");
  CHECK(world.discord.requests.at(0).target.ends_with("after=4194304"));
  CHECK(world.discord.requests.at(1).target.ends_with("after=5000099"));
}

TEST_CASE("reads: the gateway and the application") {
  World world;
  const auto info = RunTask(world.loop, world.rest->GetGateway());
  REQUIRE(info.has_value());
  CHECK(info->url == world.discord.GatewayUrl());
  CHECK(info->remaining == 999);
  CHECK(RunTask(world.loop, world.rest->GetApplicationFlags()).value() == 524288);
  CHECK_FALSE(world.discord.requests[0].headers.Has("Content-Type"));
  World broken(200ms);
  broken.discord.gateway_status = 502;
  const auto failed = RunTask(broken.loop, broken.rest->GetGateway());
  REQUIRE_FALSE(failed.has_value());
  CHECK(Has(failed.error().what, "asking Discord for its gateway: status 502"));
}

TEST_CASE("a failing server is asked again with the same nonce") {
  World world;
  world.discord.posts = {
      Json(500, "{}"), {.status = 502, .headers = {{"Content-Type", "text/html"}}, .body = "<html>"}, Json(200, "{}")};
  REQUIRE(world.Post().has_value());
  REQUIRE(world.discord.Posts() == 3);
  CHECK(world.discord.requests[0].body == world.discord.requests[2].body);
}

TEST_CASE("patience ends, and no foreign page shows in the error") {
  World world(400ms);
  world.discord.posts.assign(1000, {.status = 503, .headers = {}, .body = "<html>secret</html>"});
  const auto posted = world.Post();
  REQUIRE_FALSE(posted.has_value());
  CHECK(posted.error().code == Errc::kTimeout);
  CHECK(Has(posted.error().what, "posting to Discord channel 44: status 503"));
  CHECK_FALSE(Has(posted.error().what, "html"));
  CHECK(world.discord.Posts() < 50);
}

TEST_CASE("a 429 is obeyed to the fraction of a second") {
  World world;
  world.discord.posts = {Json(429, R"({"message":"slow","retry_after":0.35,"global":false})")};
  REQUIRE(world.Post().has_value());
  REQUIRE(world.discord.Posts() == 2);
  CHECK(world.discord.post_times[1] - world.discord.post_times[0] >= 350ms);
  CHECK(world.discord.requests[0].body == world.discord.requests[1].body);
}

TEST_CASE("a 429 from before Discord stops all calls for as long as told, then ever longer") {
  World world;
  world.discord.posts = {{.status = 429,
                          .headers = {{"Content-Type", "text/html"}, {"Retry-After", "1"}},
                          .body = "<html>error code: 1015</html>"},
                         {.status = 429, .headers = {}, .body = ""}};
  REQUIRE(world.Post().has_value());
  REQUIRE(world.discord.Posts() == 3);
  CHECK(world.discord.post_times[1] - world.discord.post_times[0] >= 1s);
  CHECK(world.discord.post_times[2] - world.discord.post_times[1] >= 300ms);

  World impatient(200ms);
  impatient.discord.posts = {{.status = 429, .headers = {{"Retry-After", "3600"}}, .body = "error code: 1015"}};
  CHECK_FALSE(impatient.Post().has_value());
  const auto held = impatient.Post();
  REQUIRE_FALSE(held.has_value());
  CHECK(held.error().code == Errc::kRateLimited);
  CHECK_FALSE(Has(held.error().what, "1015"));
  CHECK(impatient.discord.Posts() == 1);
}

TEST_CASE("a message that Discord finds too long is sent once more, shorter") {
  World world;
  world.discord.posts = {Json(400, Wire("REST_400_TOO_LONG"))};
  REQUIRE(world.Post("```\n" + std::string(3000, 'x') + "20000\n```").has_value());
  REQUIRE(world.discord.Posts() == 2);
  CHECK(world.Body(1, "content").size() <= 1900);
  CHECK(world.Body(1, "content").ends_with("20000\n```"));

  World stubborn;
  stubborn.discord.posts.assign(5, Json(400, Wire("REST_400_TOO_LONG")));
  const auto posted = stubborn.Post();
  REQUIRE_FALSE(posted.has_value());
  CHECK(posted.error().code == Errc::kInvalid);
  CHECK(stubborn.discord.Posts() == 2);
}

TEST_CASE("a rejected token ends all calls") {
  World world;
  world.discord.posts = {Json(401, Wire("REST_401"))};
  const auto posted = world.Post();
  REQUIRE_FALSE(posted.has_value());
  CHECK(posted.error().code == Errc::kAuth);
  CHECK(Has(posted.error().what, "DISCORD_TOKEN"));
  CHECK_FALSE(world.Post().has_value());
  CHECK(RunTask(world.loop, world.rest->GetGateway()).error().code == Errc::kAuth);
  CHECK(world.discord.requests.size() == 1);
}

TEST_CASE("a channel that was refused is not asked again for a while") {
  World world;
  world.discord.posts = {Json(403, Wire("REST_403"))};
  const auto first = world.Post();
  REQUIRE_FALSE(first.has_value());
  CHECK(first.error().code == Errc::kRefused);
  CHECK(Has(first.error().what, "Send Messages"));
  CHECK(world.Post().error() == first.error());
  CHECK(world.discord.Posts() == 1);
  chat::Outgoing elsewhere;
  elsewhere.channel = "45";
  elsewhere.text = "x";
  CHECK(RunTask(world.loop, world.rest->CreateMessage(elsewhere)).has_value());

  World missing;
  missing.discord.posts = {Json(404, R"({"message":"Unknown Channel","code":10003})")};
  const auto gone = missing.Post();
  REQUIRE_FALSE(gone.has_value());
  CHECK(gone.error().code == Errc::kNotFound);
  CHECK(Has(gone.error().what, "channel_id"));
}

TEST_CASE(
    "an answer that was posted before and deleted since is done; a reply that needs history loses its reference") {
  World deleted;
  deleted.discord.posts = {Json(404, R"({"message":"Unknown Message","code":10008})")};
  CHECK(deleted.Post().has_value());
  World history;
  history.discord.posts = {Json(400, R"({"message":"no","code":160002})")};
  CHECK(history.Post("x", "101").has_value());
  REQUIRE(history.discord.Posts() == 2);
  CHECK(Has(history.discord.requests[0].body, "message_reference"));
  CHECK_FALSE(Has(history.discord.requests[1].body, "message_reference"));
}

TEST_CASE("a redirect is not followed") {
  World world;
  world.discord.posts = {{.status = 302, .headers = {{"Location", "http://127.0.0.1:1/steal"}}, .body = ""}};
  CHECK_FALSE(world.Post().has_value());
  CHECK(world.discord.Posts() == 1);
}

TEST_CASE("what Discord tells of its bucket is kept") {
  World world;
  net::HttpResponse last = Json(200, "{}");
  last.headers.Add("X-RateLimit-Bucket", "h");
  last.headers.Add("X-RateLimit-Remaining", "0");
  last.headers.Add("X-RateLimit-Reset-After", "0.4");
  world.discord.posts = {last};
  REQUIRE(world.Post().has_value());
  REQUIRE(world.Post().has_value());
  CHECK(world.discord.post_times[1] - world.discord.post_times[0] >= 400ms);
}
