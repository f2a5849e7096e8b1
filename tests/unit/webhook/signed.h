#pragma once

// Requests as a forge would make them, and a receiver that remembers what it was asked to decide.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fakes/fake_clock.h"
#include "net/hmac.h"
#include "net/http_types.h"
#include "webhook/receiver.h"

namespace shipmate::tests {

inline constexpr const char* kWebhookSecret = "it is a secret to everybody";

inline std::string SignGithub(std::string_view body, std::string_view secret = kWebhookSecret) {
  return "sha256=" + net::HmacSha256Hex(secret, body);
}

inline net::HttpRequest GithubRequest(std::string event, std::string body, std::string signature) {
  net::HttpRequest request;
  request.method = "POST";
  request.target = "/webhook/github";
  request.headers.Add("Content-Type", "application/json");
  request.headers.Add("X-GitHub-Event", std::move(event));
  if (!signature.empty()) request.headers.Add("X-Hub-Signature-256", std::move(signature));
  request.body = std::move(body);
  return request;
}

inline net::HttpRequest GithubRequest(const std::string& event, const std::string& body) {
  return GithubRequest(event, body, SignGithub(body));
}

/// A push as GitHub tells it, with what our codec reads and a little more.
inline std::string GithubPush(const std::string& ref = "refs/heads/main") {
  return R"({"ref":")" + ref +
         R"(","before":"1111","after":"deadbeefcafe","created":false,"deleted":false,"forced":false,
    "compare":"https://github.com/acme/myapp/compare/1111...deadbeef",
    "commits":[{"id":"1","added":["a.txt"],"modified":["src/b.cc"],"removed":[]},{"id":"2","modified":["c"]}],
    "head_commit":{"id":"deadbeefcafe","message":"feat: add a thing\n\nmore","timestamp":"2026-01-02T03:04:05Z",
      "url":"https://github.com/acme/myapp/commit/deadbeefcafe","author":{"name":"Alice","email":"a@b"}},
    "repository":{"id":1,"full_name":"acme/myapp","clone_url":"https://github.com/acme/myapp.git","private":true},
    "pusher":{"name":"bob","email":null}})";
}

class Desk {
 public:
  explicit Desk(config::Env env = DefaultEnv())
      : receiver(
            env,
            [this](const webhook::Push& push) {
              pushes.push_back(push);
              bodies.emplace_back(push.signed_body);
              return answer;
            },
            clock, notes) {}

  static config::Env DefaultEnv() {
    config::Env env;
    env.github_webhook_secret = base::Secret(kWebhookSecret);
    return env;
  }

  FakeClock clock;
  std::vector<std::string> notes;
  std::vector<webhook::Push> pushes;
  std::vector<std::string> bodies;  // what was signed, for each of `pushes`
  Result<std::vector<webhook::Decision>> answer;
  webhook::Receiver receiver;
};

}  // namespace shipmate::tests
