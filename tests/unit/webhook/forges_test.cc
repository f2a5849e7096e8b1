// GitLab, Gitea with Forgejo, and webhooks of the user's own: who is believed, and what is read.

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "net/base64.h"
#include "net/hmac.h"
#include "signed.h"

using namespace shipmate;
using namespace shipmate::tests;
using namespace std::chrono_literals;
using webhook::Push;
using HeaderList = std::vector<std::pair<std::string, std::string>>;

namespace {

const std::string kKeyBytes = "0123456789abcdef0123456789abcdef";

config::Env AllSecrets() {
  config::Env env;
  env.github_webhook_secret = base::Secret("the secret for github alone");
  env.gitlab_webhook_secret = base::Secret("a token in clear for gitlab,whsec_" + net::Base64Encode(kKeyBytes));
  env.gitea_webhook_secret = base::Secret("the secret for gitea alone");
  env.generic_webhook_secret = base::Secret("the secret of our own");
  return env;
}

net::HttpRequest Post(const std::string& forge, const std::string& body, const HeaderList& headers) {
  net::HttpRequest request;
  request.method = "POST";
  request.target = "/webhook/" + forge;
  request.headers.Add("Content-Type", "application/json");
  for (const auto& [name, value] : headers) request.headers.Add(name, value);
  request.body = body;
  return request;
}

std::string GitlabPush() {
  return R"({"object_kind":"push","ref":"refs/heads/main","before":"95790bf8","after":"da156088","checkout_sha":"da156088",
    "user_name":"John Smith","user_username":"jsmith","total_commits_count":2,
    "project":{"path_with_namespace":"group/sub/app","git_http_url":"https://gitlab.example/group/sub/app.git",
      "web_url":"https://gitlab.example/group/sub/app"},
    "commits":[{"id":"b6568db1","message":"older","url":"u1","timestamp":"t1","author":{"name":"Jordi"},"added":["a"]},
      {"id":"da156088","message":"fix: it\n\nmore","url":"https://gitlab.example/group/sub/app/-/commit/da156088",
       "timestamp":"2026-01-02T03:04:05+02:00","author":{"name":"Dev"},"modified":["b"],"removed":["c"]}]})";
}

std::string GiteaPush() {
  return R"({"ref":"refs/heads/develop","before":"28e1879d","after":"bffeb742","total_commits":2,
    "compare_url":"https://git.example/o/r/compare/28e1879d...bffeb742",
    "commits":[{"id":"bffeb742","message":"Webhooks Yay!","url":"https://git.example/o/r/commit/bffeb742",
       "author":{"name":"Gitea","email":"x"},"timestamp":"2017-03-13T13:52:11-04:00","added":[],"modified":["m"],"removed":null},
      {"id":"aaaa","message":"older","author":{"name":"Old"}}],
    "repository":{"full_name":"o/r","clone_url":"https://git.example/o/r.git"},
    "pusher":{"id":1,"login":"tea","username":"tea"},"sender":{"login":"tea"}})";
}

std::string WithSeconds(const FakeClock& clock, std::chrono::seconds shift) {
  const auto now = std::chrono::floor<std::chrono::seconds>(clock.WallNow()).time_since_epoch() + shift;
  return std::to_string(now.count());
}

HeaderList GitlabSigned(const std::string& body, const std::string& time, const std::string& key = kKeyBytes) {
  net::HmacKey hmac(key);
  const net::Sha256Digest digest = hmac.Sign("msg_1." + time + "." + body);
  const std::string bytes(reinterpret_cast<const char*>(digest.data()), digest.size());
  return {{"X-Gitlab-Event", "Push Hook"},
          {"webhook-id", "msg_1"},
          {"webhook-timestamp", time},
          {"webhook-signature", "v1," + net::Base64Encode(bytes)}};
}

}  // namespace

TEST_CASE("gitlab: the token in clear, and everything that a push tells") {
  Desk desk(AllSecrets());
  const auto ask = [&](const std::string& token, const std::string& event = "Push Hook") {
    return desk.receiver
        .Answer(Post("gitlab", GitlabPush(),
                     {{"X-Gitlab-Event", event}, {"X-Gitlab-Token", token}, {"Idempotency-Key", "k1"}}))
        .status;
  };
  for (const char* token :
       {"", "a token in clear for gitla", "a token in clear for gitlab ", "the secret for github alone"}) {
    CHECK(ask(token) == 403);
  }
  // The key of signatures is none to be sent in clear.
  CHECK(ask("whsec_" + net::Base64Encode(kKeyBytes)) == 403);
  CHECK(desk.pushes.empty());
  CHECK(ask("a token in clear for gitlab") == 200);
  REQUIRE(desk.pushes.size() == 1);
  const Push& push = desk.pushes[0];
  service::WebhookInfo info;
  info.repo = "group/sub/app";
  info.branch = "main";
  info.compare = "https://gitlab.example/group/sub/app/-/compare/95790bf8...da156088";
  info.pusher = "jsmith";
  info.commit_id = "da156088";
  info.commit_msg = "fix: it\n\nmore";
  info.commit_url = "https://gitlab.example/group/sub/app/-/commit/da156088";
  info.author = "Dev";
  info.timestamp = "2026-01-02T03:04:05+02:00";
  CHECK(push.info == info);
  CHECK(push.forge == "gitlab");
  CHECK(push.delivery_id == "k1");
  CHECK(push.repo_address == "https://gitlab.example/group/sub/app.git");
  CHECK(push.files == std::vector<std::string>{"a", "b", "c"});
  CHECK(push.files_known);
  CHECK(ask("a token in clear for gitlab", "Merge Request Hook") == 200);
  CHECK(desk.pushes.size() == 1);
}

TEST_CASE("gitlab: the signature with a time; it alone counts where it is there") {
  Desk desk(AllSecrets());
  const std::string body = GitlabPush();
  const auto ask = [&](HeaderList headers) { return desk.receiver.Answer(Post("gitlab", body, headers)).status; };
  for (const std::chrono::seconds shift : {0s, -300s, 300s}) {
    CHECK(ask(GitlabSigned(body, WithSeconds(desk.clock, shift))) == 200);
  }
  CHECK(desk.pushes.size() == 3);
  for (const std::chrono::seconds shift : {-301s, 301s, -86400s}) {
    CHECK(ask(GitlabSigned(body, WithSeconds(desk.clock, shift))) == 403);
  }
  const std::string now = WithSeconds(desk.clock, 0s);
  for (const char* time : {"", "x", "1e9", "-1", "99999999999999999999"}) CHECK(ask(GitlabSigned(body, time)) == 403);
  CHECK(ask(GitlabSigned(body + " ", now)) == 403);
  CHECK(ask(GitlabSigned(body, now, "another key of thirty-two bytes!")) == 403);
  // A good token does not mend a bad signature, and every part must be there once.
  HeaderList headers = GitlabSigned(body + " ", now);
  headers.emplace_back("X-Gitlab-Token", "a token in clear for gitlab");
  CHECK(ask(headers) == 403);
  for (const std::size_t part : {1U, 2U, 3U}) {
    headers = GitlabSigned(body, now);
    headers.push_back(headers[part]);
    CHECK(ask(headers) == 403);
    headers = GitlabSigned(body, now);
    headers.erase(headers.begin() + static_cast<std::ptrdiff_t>(part));
    CHECK(ask(headers) == 403);
  }
  CHECK(desk.pushes.size() == 3);
  // While keys are changed there are several signatures.
  headers = GitlabSigned(body, now);
  headers[3].second = "v1,AAAA v2,xyz " + headers[3].second;
  CHECK(ask(headers) == 200);
  REQUIRE(desk.pushes.size() == 4);
  CHECK(desk.pushes[3].delivery_id == "msg_1");
  // Many cost no more than a few.
  std::string flood;
  for (int i = 0; i < 100; ++i) flood += "v1,AAAA ";
  headers[3].second = flood + headers[3].second;
  CHECK(ask(headers) == 403);
}

TEST_CASE("gitlab: deleted, new and incomplete pushes, tags") {
  Desk desk(AllSecrets());
  const auto push = [&](const std::string& from, const std::string& to) {
    std::string body = GitlabPush();
    REQUIRE(body.find(from) != std::string::npos);
    body.replace(body.find(from), from.size(), to);
    CHECK(desk.receiver
              .Answer(Post("gitlab", body,
                           {{"X-Gitlab-Event", "Tag Push Hook"}, {"X-Gitlab-Token", "a token in clear for gitlab"}}))
              .status == 200);
    return std::exchange(desk.pushes, {}).at(0);
  };
  const std::string zeros(40, '0');
  const Push deleted =
      push("\"after\":\"da156088\",\"checkout_sha\":\"da156088\"", "\"after\":\"" + zeros + "\",\"checkout_sha\":null");
  CHECK(deleted.deleted);
  CHECK(deleted.info.commit_id.empty());
  const Push created = push("\"before\":\"95790bf8\"", "\"before\":\"" + zeros + "\"");
  CHECK(created.created);
  CHECK(created.info.compare.empty());
  CHECK_FALSE(created.files_known);
  CHECK_FALSE(push("\"total_commits_count\":2", "\"total_commits_count\":40").files_known);
  CHECK_FALSE(push("\"total_commits_count\":2", "\"x\":2").files_known);
  const Push tag = push("refs/heads/main", "refs/tags/v1.0");
  CHECK(tag.kind == Push::Kind::kTag);
  CHECK(tag.info.branch == "v1.0");
  // Of an annotated tag `after` is no commit.
  CHECK(push("\"after\":\"da156088\"", "\"after\":\"82b3d5ae\"").info.commit_id == "da156088");
}

TEST_CASE("gitea and forgejo: their own signature decides, and the push is read") {
  Desk desk(AllSecrets());
  const std::string body = GiteaPush();
  const std::string good = net::HmacSha256Hex("the secret for gitea alone", body);
  const std::string foreign = net::HmacSha256Hex("the secret for github alone", body);
  const std::string zeros(64, '0');
  const HeaderList events = {
      {"X-GitHub-Event", "push"}, {"X-Gogs-Event", "push"}, {"X-Gitea-Event", "push"}, {"X-Gitea-Delivery", "d1"}};
  const auto ask = [&](const HeaderList& signatures) {
    HeaderList headers = events;
    headers.insert(headers.end(), signatures.begin(), signatures.end());
    return desk.receiver.Answer(Post("gitea", body, headers)).status;
  };
  CHECK(ask({{"X-Gitea-Signature", good}}) == 200);
  CHECK(ask({{"X-Gitea-Signature", good}, {"X-Hub-Signature-256", "sha256=" + good}, {"X-Gogs-Signature", good}}) ==
        200);
  CHECK(ask({{"X-Forgejo-Signature", good}, {"X-Gitea-Signature", good}}) == 200);
  CHECK(ask({{"X-Hub-Signature-256", "sha256=" + good}}) == 200);
  CHECK(desk.pushes.size() == 4);
  CHECK(ask({}) == 403);
  CHECK(ask({{"X-Gitea-Signature", "sha256=" + good}}) == 403);
  CHECK(ask({{"X-Gitea-Signature", foreign}}) == 403);
  CHECK(ask({{"X-Gitea-Signature", zeros}, {"X-Hub-Signature-256", "sha256=" + good}}) == 403);
  CHECK(ask({{"X-Forgejo-Signature", zeros}, {"X-Gitea-Signature", good}}) == 403);
  CHECK(ask({{"X-Gitea-Signature", good}, {"X-Gitea-Signature", good}}) == 403);
  CHECK(ask({{"X-Gitea-Signature", ""}, {"X-Hub-Signature-256", "sha256=" + good}}) == 403);
  CHECK(ask({{"X-Gogs-Signature", good}}) == 403);
  // Neither is GitHub's endpoint opened by it.
  auto request = Post("github", body, events);
  request.headers.Add("X-Hub-Signature-256", "sha256=" + foreign);
  CHECK(desk.receiver.Answer(std::move(request)).status == 403);
  REQUIRE(desk.pushes.size() == 4);

  const Push& push = desk.pushes[0];
  service::WebhookInfo info;
  info.repo = "o/r";
  info.branch = "develop";
  info.compare = "https://git.example/o/r/compare/28e1879d...bffeb742";
  info.pusher = "tea";
  info.commit_id = "bffeb742";
  info.commit_msg = "Webhooks Yay!";
  info.commit_url = "https://git.example/o/r/commit/bffeb742";
  info.author = "Gitea";
  info.timestamp = "2017-03-13T13:52:11-04:00";
  CHECK(push.info == info);
  CHECK(push.repo_address == "https://git.example/o/r.git");
  CHECK(push.delivery_id == "d1");
  CHECK(push.files == std::vector<std::string>{"m"});
  CHECK(push.files_known);
}

TEST_CASE("gitea: only pushes; a deleted branch is one") {
  Desk desk(AllSecrets());
  const auto ask = [&](const std::string& event, const std::string& body) {
    return desk.receiver
        .Answer(Post("gitea", body,
                     {{"X-Forgejo-Event", event},
                      {"X-Gitea-Event", "push"},
                      {"X-Gitea-Signature", net::HmacSha256Hex("the secret for gitea alone", body)}}))
        .status;
  };
  CHECK(ask("create", GiteaPush()) == 200);
  CHECK(desk.pushes.empty());
  std::string body = GiteaPush();
  body.replace(body.find("\"after\":\"bffeb742\""), 18, "\"after\":\"" + std::string(64, '0') + "\"");
  CHECK(ask("push", body) == 200);
  REQUIRE(desk.pushes.size() == 1);
  CHECK(desk.pushes[0].deleted);
  CHECK(ask("push", "{}") == 400);
}

TEST_CASE("generic: our own small JSON") {
  Desk desk(AllSecrets());
  const auto ask = [&](const std::string& body, const std::string& event = "") {
    HeaderList headers = {{"X-Shipmate-Signature", "sha256=" + net::HmacSha256Hex("the secret of our own", body)}};
    if (!event.empty()) headers.emplace_back("X-Shipmate-Event", event);
    return desk.receiver.Answer(Post("generic", body, headers));
  };
  const std::string full =
      R"({"repo":"https://git.example/acme/app","ref":"refs/heads/main","commit":"c0ffee","message":"m","author":"a",
          "pusher":"p","url":"u","compare":"x","before":"b","timestamp":"t","forced":true,"files":["f","g"],"delivery":"d"})";
  CHECK(ask(full).status == 200);
  CHECK(ask(R"({"repo":"acme/app","branch":"release/1","deleted":true})").status == 200);
  REQUIRE(desk.pushes.size() == 2);
  const Push& push = desk.pushes[0];
  service::WebhookInfo info;
  info.repo = "https://git.example/acme/app";
  info.branch = "main";
  info.compare = "x";
  info.pusher = "p";
  info.commit_id = "c0ffee";
  info.commit_msg = "m";
  info.commit_url = "u";
  info.author = "a";
  info.timestamp = "t";
  CHECK(push.info == info);
  CHECK(push.before == "b");
  CHECK(push.delivery_id == "d");
  CHECK(push.forced);
  CHECK(push.files == std::vector<std::string>{"f", "g"});
  CHECK(push.files_known);
  CHECK(desk.pushes[1].ref == "refs/heads/release/1");
  CHECK(desk.pushes[1].deleted);
  CHECK_FALSE(desk.pushes[1].files_known);

  CHECK(ask("{}", "ping").body == "{\"event\":\"ping\",\"result\":\"pong\"}\n");
  CHECK(ask("{}").body == "repo: is missing\n");
  CHECK(ask(R"({"repo":"a/b"})").body == "ref: is missing\n");
  CHECK(ask(R"({"repo":"a/b","ref":"r","branch":"b"})").body == "branch: cannot stand beside ref\n");
  CHECK(ask(R"({"repo":"a/b","branch":"b","files":"x"})").body == "files: expected a list, found text\n");
  CHECK(ask(R"({"repo":"a/b","branch":"b","files":[1]})").body == "files[]: expected text, found a number\n");
  CHECK(desk.receiver.Answer(Post("generic", full, {})).status == 403);
  CHECK(
      desk.receiver
          .Answer(Post("generic", full, {{"X-Shipmate-Signature", net::HmacSha256Hex("the secret of our own", full)}}))
          .status == 403);
  CHECK(desk.pushes.size() == 2);
}

TEST_CASE("every value of every forge's push in every wrong type: nothing but a push or a 400 that names a field") {
  struct Sender {
    std::string forge;
    std::string body;
    std::function<HeaderList(const std::string&)> sign;
  };
  const std::vector<Sender> senders = {
      {"gitlab", GitlabPush(),
       [](const std::string&) {
         return HeaderList{{"X-Gitlab-Event", "Push Hook"}, {"X-Gitlab-Token", "a token in clear for gitlab"}};
       }},
      {"gitea", GiteaPush(),
       [](const std::string& body) {
         return HeaderList{{"X-Gitea-Event", "push"},
                           {"X-Gitea-Signature", net::HmacSha256Hex("the secret for gitea alone", body)}};
       }},
      {"github", GithubPush(), [](const std::string& body) {
         return HeaderList{{"X-GitHub-Event", "push"},
                           {"X-Hub-Signature-256", SignGithub(body, "the secret for github alone")}};
       }}};
  Desk desk(AllSecrets());
  int refused = 0;
  for (const Sender& sender : senders) {
    // Every value begins behind a colon, a bracket or a comma.
    for (std::size_t at = 0; at < sender.body.size(); ++at) {
      const char before = at == 0 ? ' ' : sender.body[at - 1];
      const char first = sender.body[at];
      if (before != ':' && before != '[' && before != ',') continue;
      if (first == '\n' || first == ' ') continue;
      for (const std::string& value :
           {std::string("7,"), std::string("[],"), std::string("null,"), std::string("{\"a\":1},")}) {
        const std::string body = sender.body.substr(0, at) + value.substr(0, value.size() - 1) +
                                 sender.body.substr(std::min(sender.body.size(), sender.body.find_first_of(",]}", at)));
        const auto response = desk.receiver.Answer(Post(sender.forge, body, sender.sign(body)));
        CHECK((response.status == 200 || response.status == 400));
        CHECK(desk.pushes.size() == (response.status == 200 ? 1 : 0));
        desk.pushes.clear();
        if (response.status == 400) ++refused;
      }
    }
  }
  CHECK(refused > 100);
}

TEST_CASE("which endpoints are open is said for every forge") {
  Desk all(AllSecrets());
  CHECK(all.notes == std::vector<std::string>{"/webhook/github is open", "/webhook/gitlab is open",
                                              "/webhook/gitea is open", "/webhook/generic is open"});
  config::Env env;
  env.gitlab_webhook_secret = base::Secret("whsec_not base64");
  Desk broken(env);
  CHECK_FALSE(broken.receiver.Open());
  CHECK(broken.notes[1] ==
        "GITLAB_WEBHOOK_SECRET has a secret that begins with whsec_ and goes on with what is no base64: it is not "
        "used; copy "
        "it again");
  CHECK(broken.notes[2] == "/webhook/gitlab is closed: GITLAB_WEBHOOK_SECRET holds no secret");
}
