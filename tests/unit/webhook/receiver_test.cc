// The receiver as a forge sees it: what is answered to which request, and what is never handed on.

#include "webhook/receiver.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "net/url.h"
#include "signed.h"

using namespace shipmate;
using namespace shipmate::tests;
using namespace std::chrono_literals;
using webhook::Push;

namespace {

std::string Header(const net::HttpResponse& response, std::string_view name) {
  return std::string(response.headers.Get(name));
}

// With one part of a good push replaced.
std::string Changed(const std::string& from, const std::string& to) {
  std::string body = GithubPush();
  const std::size_t at = body.find(from);
  REQUIRE(at != std::string::npos);
  return body.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("a signed push is handed on with everything it tells") {
  Desk desk;
  desk.answer = std::vector<webhook::Decision>{
      {.service = "api", .decision = "queued", .why = ""},
      {.service = "web", .decision = "ignored", .why = "branch main, service deploys dev"}};
  auto request = GithubRequest("push", GithubPush());
  request.headers.Add("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958");
  const auto response = desk.receiver.Answer(std::move(request));
  CHECK(response.status == 200);
  CHECK(Header(response, "Content-Type") == "application/json");
  CHECK(response.body == R"({"event":"push","repo":"acme/myapp","ref":"refs/heads/main","commit":"deadbeefcafe",)"
                         R"("result":"api: queued; web: ignored: branch main, service deploys dev","services":[)"
                         R"({"service":"api","decision":"queued","why":""},)"
                         R"({"service":"web","decision":"ignored","why":"branch main, service deploys dev"}]})"
                         "\n");
  REQUIRE(desk.pushes.size() == 1);
  const Push& push = desk.pushes[0];
  service::WebhookInfo info;
  info.repo = "acme/myapp";
  info.branch = "main";
  info.compare = "https://github.com/acme/myapp/compare/1111...deadbeef";
  info.pusher = "bob";
  info.commit_id = "deadbeefcafe";
  info.commit_msg = "feat: add a thing\n\nmore";
  info.commit_url = "https://github.com/acme/myapp/commit/deadbeefcafe";
  info.author = "Alice";
  info.timestamp = "2026-01-02T03:04:05Z";
  CHECK(push.info == info);
  CHECK(push.ref == "refs/heads/main");
  CHECK(push.kind == Push::Kind::kBranch);
  CHECK(push.repo_address == "https://github.com/acme/myapp.git");
  CHECK(push.files == std::vector<std::string>{"a.txt", "src/b.cc", "c"});
  CHECK(push.files_known);
  CHECK(push.before == "1111");
  CHECK(push.delivery_id == "72d3162e-cc78-11e3-81ab-4c9367dc0958");
  CHECK(desk.bodies == std::vector<std::string>{GithubPush()});
  CHECK_FALSE(push.created);
  CHECK_FALSE(push.deleted);
  CHECK_FALSE(push.forced);
}

TEST_CASE("what was not decided is to be sent again") {
  Desk desk;
  desk.answer = Fail(Errc::kIo, "writing the queue: no space left on device");
  const auto response = desk.receiver.Answer(GithubRequest("push", GithubPush()));
  CHECK(response.status == 503);
  CHECK(response.body == "not taken; send it again\n");
}

TEST_CASE("what stands in a push besides: deleted, forced, created, tags, slashes, no commit") {
  Desk desk;
  const auto push = [&](const std::string& body) {
    CHECK(desk.receiver.Answer(GithubRequest("push", body)).status == 200);
    REQUIRE_FALSE(desk.pushes.empty());
    return std::exchange(desk.pushes, {}).back();
  };
  CHECK(push(Changed("\"deleted\":false", "\"deleted\":true")).deleted);
  CHECK(push(Changed("\"forced\":false", "\"forced\":true")).forced);
  CHECK_FALSE(push(Changed("\"created\":false", "\"created\":true")).files_known);
  CHECK(push(GithubPush("refs/tags/v1.0")).kind == Push::Kind::kTag);
  CHECK(push(GithubPush("refs/tags/v1.0")).info.branch == "v1.0");
  CHECK(push(GithubPush("refs/heads/feature/deploy-v2")).info.branch == "feature/deploy-v2");
  CHECK(push(GithubPush("refs/pull/1/head")).kind == Push::Kind::kOther);
  const Push bare = push(R"({"ref":"refs/heads/main","head_commit":null,"repository":{"full_name":"a/b"}})");
  CHECK(bare.info.commit_id.empty());
  CHECK(bare.repo_address.empty());
  CHECK_FALSE(bare.files_known);
}

TEST_CASE("without a good signature nothing is read, and the answer tells nothing") {
  Desk desk;
  const std::string body = GithubPush();
  const std::string good = SignGithub(body);
  const std::string zeros = "sha256=" + std::string(64, '0');
  for (const std::string& signature :
       {std::string(), zeros, std::string("sha256=invalidsignature"), std::string("sha256="),
        std::string("sha1=") + good.substr(7), good.substr(7), good + "0", good.substr(0, 70), " " + good + "x",
        SignGithub(body + " "), SignGithub(body, "another secret")}) {
    CAPTURE(signature);
    const auto response = desk.receiver.Answer(GithubRequest("push", body, signature));
    CHECK(response.status == 403);
    CHECK(response.body == "invalid signature\n");
  }
  for (const auto& [first, second] : {std::pair(good, zeros), std::pair(zeros, good), std::pair(good, good)}) {
    auto request = GithubRequest("push", body, first);
    request.headers.Add("x-hub-signature-256", second);
    CHECK(desk.receiver.Answer(std::move(request)).status == 403);
  }
  // The older header alone is no signature.
  auto old = GithubRequest("push", body, "");
  old.headers.Add("X-Hub-Signature", "sha1=" + std::string(40, '0'));
  CHECK(desk.receiver.Answer(std::move(old)).status == 403);
  // Not even a body that is no JSON is looked into.
  CHECK(desk.receiver.Answer(GithubRequest("push", "{", zeros)).status == 403);
  // Gitea signs GitHub's header too.
  auto foreign = GithubRequest("push", body);
  foreign.headers.Add("X-Gitea-Event", "push");
  CHECK(desk.receiver.Answer(std::move(foreign)).status == 403);
  CHECK(desk.pushes.empty());
}

TEST_CASE("a body is signed byte for byte") {
  Desk desk;
  const std::string body =
      "{ \"repository\" : {\"full_name\":\"o/r\"},\"ref\":\"refs/heads/main\",\t\"head_commit\":"
      "{\"message\":\"\xF0\x9F\x9A\x80 \\u00e9 \\ud83d\\ude80\",\"id\":\"1\"}}\r\n";
  CHECK(desk.receiver.Answer(GithubRequest("push", body)).status == 200);
  REQUIRE(desk.pushes.size() == 1);
  CHECK(desk.pushes[0].info.commit_msg == "\U0001F680 \u00e9 \U0001F680");
  const std::string signature = SignGithub(body);
  for (std::size_t i = 0; i < body.size(); ++i) {
    std::string flipped = body;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    CHECK(desk.receiver.Answer(GithubRequest("push", flipped, signature)).status == 403);
  }
  CHECK(desk.pushes.size() == 1);
}

TEST_CASE("of two secrets either is good") {
  config::Env env;
  env.github_webhook_secret = base::Secret("the new secret of ours, the old secret of ours");
  Desk desk(env);
  const std::string body = GithubPush();
  CHECK(desk.receiver.Answer(GithubRequest("push", body, SignGithub(body, "the new secret of ours"))).status == 200);
  CHECK(desk.receiver.Answer(GithubRequest("push", body, SignGithub(body, "the old secret of ours"))).status == 200);
  CHECK(desk.receiver.Answer(GithubRequest("push", body, SignGithub(body, "of ours"))).status == 403);
}

TEST_CASE("other events are answered, and only pushes handed on") {
  Desk desk;
  const auto ask = [&](const std::string& event, const std::string& body) {
    const auto response = desk.receiver.Answer(GithubRequest(event, body));
    CHECK(response.status == 200);
    return response.body;
  };
  CHECK(ask("ping", R"({"zen":"Keep it logically awesome."})") == "{\"event\":\"ping\",\"result\":\"pong\"}\n");
  CHECK(ask("pull_request", "{}") == "{\"event\":\"pull_request\",\"result\":\"ignored: only pushes deploy\"}\n");
  CHECK(ask("", GithubPush()).find("ignored") != std::string::npos);
  CHECK(ask("Push", GithubPush()).find("ignored") != std::string::npos);
  CHECK(ask("x\x01\xFF" + std::string(5000, 'y'), "{").size() < 300);
  CHECK(desk.pushes.empty());
}

TEST_CASE("a push as a form") {
  Desk desk;
  const auto ask = [&](const std::string& body, const std::string& type) {
    auto request = GithubRequest("push", body);
    request.headers = {{"Content-Type", type}, {"X-GitHub-Event", "push"}, {"X-Hub-Signature-256", SignGithub(body)}};
    return desk.receiver.Answer(std::move(request));
  };
  const std::string form = "application/x-www-form-urlencoded";
  const std::string payload = "payload=" + net::PercentEncode(GithubPush());
  CHECK(ask(payload, form).status == 200);
  CHECK(ask(payload, form + "; charset=utf-8").status == 200);
  CHECK(ask(payload, "Application/X-WWW-Form-URLEncoded;charset=\"UTF-8\"").status == 200);
  CHECK(ask("a=b&" + payload + "&c", form).status == 200);
  CHECK(desk.pushes.size() == 4);
  std::string plus = payload;
  for (std::size_t at = plus.find("%20"); at != std::string::npos; at = plus.find("%20")) plus.replace(at, 3, "+");
  CHECK(ask(plus, form).status == 200);
  REQUIRE(desk.pushes.size() == 5);
  CHECK(desk.pushes[4].info == desk.pushes[0].info);
  CHECK(desk.bodies[0] == payload);
  CHECK(desk.bodies[4] == plus);

  const auto wrong = [&](const std::string& body) {
    const auto response = ask(body, form);
    CHECK(response.status == 400);
    return response.body;
  };
  CHECK(wrong("other=value") == "missing payload field\n");
  CHECK(wrong("payload") == "missing payload field\n");
  CHECK(wrong("payload=") == "missing payload field\n");
  CHECK(wrong("") == "missing payload field\n");
  CHECK(wrong(payload + "&" + payload) == "malformed form body: two payload fields\n");
  CHECK(wrong("payload=%ZZ") == "malformed form body: a broken escape\n");
  CHECK(wrong("payload=%") == "malformed form body: a broken escape\n");
  CHECK(wrong("payload=abc").starts_with("not valid JSON"));
  CHECK(desk.pushes.size() == 5);
}

TEST_CASE("other encodings of a body are refused") {
  Desk desk;
  const auto ask = [&](const std::string& name, const std::string& value) {
    const std::string body = GithubPush();
    auto request = GithubRequest("push", body);
    request.headers = {{"X-GitHub-Event", "push"}, {"X-Hub-Signature-256", SignGithub(body)}, {name, value}};
    return desk.receiver.Answer(std::move(request)).status;
  };
  CHECK(ask("Content-Type", "application/json; charset=UTF-8") == 200);
  CHECK(ask("Content-Type", "application/json") == 200);
  CHECK(ask("Content-Type", "") == 200);
  CHECK(ask("X-Other", "") == 200);
  CHECK(ask("Content-Encoding", "identity") == 200);
  CHECK(desk.pushes.size() == 5);
  CHECK(ask("Content-Type", "application/json; charset=utf-16") == 415);
  CHECK(ask("Content-Type", "application/json; charset=latin1") == 415);
  CHECK(ask("Content-Encoding", "gzip") == 415);
  CHECK(ask("Content-Encoding", "deflate, gzip") == 415);
  CHECK(desk.pushes.size() == 5);
}

TEST_CASE("a signed body that is no push is told what is wrong with it") {
  Desk desk;
  const auto ask = [&](const std::string& body) {
    const auto response = desk.receiver.Answer(GithubRequest("push", body));
    CHECK(response.status == 400);
    CHECK(Header(response, "Content-Type") == "text/plain; charset=utf-8");
    return response.body;
  };
  CHECK(ask("").starts_with("not valid JSON: "));
  CHECK(ask(GithubPush().substr(0, 300)).starts_with("not valid JSON: "));
  CHECK(ask(std::string(100'000, '[')).starts_with("not valid JSON: "));
  CHECK(ask("[]") == "expected an object, found a list\n");
  CHECK(ask("{}") == "ref: is missing\n");
  CHECK(ask(R"({"ref":"refs/heads/main"})") == "repository.full_name: is missing\n");
  CHECK(ask(R"({"ref":7})") == "ref: expected text, found a number\n");
  CHECK(ask(R"({"ref":"a","repository":[]})") == "repository: expected an object, found a list\n");
  CHECK(desk.pushes.empty());
}

TEST_CASE("every value of a push in every wrong type: 400 that names it, and nothing is handed on") {
  const std::vector<std::pair<std::string, std::string>> fields = {
      {"ref", "\"refs/heads/main\""},
      {"deleted", "\"deleted\":false"},
      {"forced", "\"forced\":false"},
      {"created", "\"created\":false"},
      {"compare", "\"https://github.com/acme/myapp/compare/1111...deadbeef\""},
      {"commits[].added", "[\"a.txt\"]"},
      {"commits[].added[]", "\"a.txt\""},
      {"head_commit.id", "\"deadbeefcafe\",\"message\""},
      {"head_commit.message", "\"feat: add a thing\\n\\nmore\""},
      {"head_commit.timestamp", "\"2026-01-02T03:04:05Z\""},
      {"head_commit.author", "{\"name\":\"Alice\",\"email\":\"a@b\"}"},
      {"head_commit.author.name", "\"Alice\""},
      {"repository.full_name", "\"acme/myapp\""},
      {"repository.clone_url", "\"https://github.com/acme/myapp.git\""},
      {"pusher.name", "\"bob\""},
  };
  const std::vector<std::string> values = {"\"x\"", "7", "-1.5", "true", "[]", "[[]]", "{}", "{\"a\":1}", "null"};
  Desk desk;
  for (const auto& [name, text] : fields) {
    for (const std::string& value : values) {
      // What stands before or behind the value within `text` stays.
      std::string replacement = value;
      if (text.starts_with("\"deleted\"") || text.starts_with("\"forced\"") || text.starts_with("\"created\"")) {
        replacement = text.substr(0, text.find(':') + 1) + value;
      } else if (text.ends_with(",\"message\"")) {
        replacement = value + ",\"message\"";
      }
      CAPTURE(name);
      CAPTURE(value);
      const auto response = desk.receiver.Answer(GithubRequest("push", Changed(text, replacement)));
      if (response.status == 200) {
        CHECK_FALSE(std::exchange(desk.pushes, {}).empty());
      } else {
        CHECK(response.status == 400);
        CHECK(response.body.starts_with(name));
        CHECK(desk.pushes.empty());
      }
    }
  }
  for (const std::string& value : values) {
    for (const char* member : {"head_commit", "repository", "pusher", "commits"}) {
      CAPTURE(value);
      CAPTURE(std::string(member));
      std::string body = R"({"ref":"refs/heads/main","repository":{"full_name":"a/b"},"x":1})";
      body.insert(1, "\"" + std::string(member) + "\":" + value + ",");
      const auto response = desk.receiver.Answer(GithubRequest("push", body));
      const bool good = response.status == 200;
      CHECK((good || (response.status == 400 && response.body.starts_with(member))));
      CHECK(desk.pushes.size() == (good ? 1 : 0));
      desk.pushes.clear();
    }
  }
}

TEST_CASE("only POST, and only to an endpoint that there is") {
  Desk desk;
  CHECK(desk.notes.front() == "/webhook/github is open");
  auto request = GithubRequest("push", GithubPush());
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}) {
    request.method = method;
    const auto response = desk.receiver.Answer(request);
    CHECK(response.status == 405);
    CHECK(Header(response, "Allow") == "POST");
  }
  request.method = "POST";
  for (const char* target : {"/", "/webhook", "/webhook/", "/webhook/github/", "/webhook/gitlab", "/webhook/gitHub",
                             "//webhook/github", "/webhook/../webhook/github", "/webhook/github%2f"}) {
    CAPTURE(std::string(target));
    request.target = target;
    CHECK(desk.receiver.Answer(request).status == 404);
  }
  CHECK(desk.pushes.empty());
  request.target = "/webhook/github?x=/y";
  CHECK(desk.receiver.Answer(request).status == 200);
}

TEST_CASE("without a secret there is no endpoint, and the start says why") {
  config::Env env;
  for (const char* secret : {"", " ", ", ,"}) {
    env.github_webhook_secret = base::Secret(secret);
    Desk desk(env);
    CHECK_FALSE(desk.receiver.Open());
    CHECK(desk.notes.front() == "/webhook/github is closed: GITHUB_WEBHOOK_SECRET holds no secret");
    const std::string body = GithubPush();
    CHECK(desk.receiver.Answer(GithubRequest("push", body, SignGithub(body, ""))).status == 404);
    CHECK(desk.pushes.empty());
  }
  env.github_webhook_secret = base::Secret("hunter22");
  Desk desk(env);
  CHECK(desk.receiver.Open());
  REQUIRE(desk.notes.size() == 5);
  CHECK(desk.notes[1].find("hunter22") == std::string::npos);
  CHECK(desk.notes[1].starts_with("GITHUB_WEBHOOK_SECRET has a secret of under 16 characters"));
}

TEST_CASE("no service for the repository is said, with the address that was compared") {
  Desk desk;
  const auto response = desk.receiver.Answer(GithubRequest("push", GithubPush()));
  CHECK(response.body.find("ignored: no service has the repository https://github.com/acme/myapp.git") !=
        std::string::npos);
  CHECK(response.body.find("\"services\":[]") != std::string::npos);
}
