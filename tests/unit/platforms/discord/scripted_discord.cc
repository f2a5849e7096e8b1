#include "unit/platforms/discord/scripted_discord.h"

#include <algorithm>
#include <boost/json.hpp>

#include "async/spawn.h"
#include "base/clock.h"
#include "unit/platforms/discord/wire.h"
#include "unit/run_task.h"

namespace shipmate::tests {

Step Say(std::string text) {
  return {.kind = Step::Kind::kSay, .text = std::move(text)};
}
Step Await(int opcode) {
  return {.kind = Step::Kind::kAwait, .number = opcode};
}
Step CloseWith(int code) {
  return {.kind = Step::Kind::kClose, .number = code};
}
Step Cut() {
  return {.kind = Step::Kind::kCut};
}
Step Listen() {
  return {.kind = Step::Kind::kListen};
}

ScriptedDiscord::ScriptedDiscord(boost::asio::io_context& loop) : loop_(loop) {
  server_ = std::move(net::HttpServer::Listen(loop.get_executor(), {}).value());
  server_->OnRequest([this](net::HttpRequest request) { return Answer(std::move(request)); });
  server_->OnSocket([this](net::HttpRequest request, std::shared_ptr<net::WebSocket> socket) {
    return Talk(std::move(request), std::move(socket));
  });
  async::Spawn(loop.get_executor(), "scripted discord", server_->Run());
}

ScriptedDiscord::~ScriptedDiscord() {
  RunTask(loop_, server_->Shutdown(std::chrono::milliseconds(0)));
}

std::string ScriptedDiscord::ApiUrl() const {
  return "http://127.0.0.1:" + std::to_string(server_->Port()) + "/api/v10";
}
std::string ScriptedDiscord::GatewayUrl() const {
  return "ws://127.0.0.1:" + std::to_string(server_->Port()) + "/gw";
}

std::string ScriptedDiscord::Hello(int interval_ms) const {
  return "{\"op\":10,\"s\":null,\"t\":null,\"d\":{\"heartbeat_interval\":" + std::to_string(interval_ms) + "}}";
}

std::string ScriptedDiscord::Ready(int sequence) const {
  boost::json::value ready = boost::json::parse(Wire("READY"));
  ready.as_object()["s"] = sequence;
  ready.at("d").as_object()["resume_gateway_url"] = "ws://127.0.0.1:" + std::to_string(server_->Port()) + "/resume";
  return boost::json::serialize(ready);
}

bool ScriptedDiscord::Until(const std::function<bool()>& condition) {
  const base::SystemClock clock;
  const auto limit = clock.Now() + kTestLimit;
  loop_.restart();
  while (!condition()) {
    if (clock.Now() > limit) return false;
    loop_.run_one_for(std::chrono::milliseconds(50));
    if (loop_.stopped()) loop_.restart();
  }
  return true;
}

std::size_t ScriptedDiscord::Posts() const {
  return post_times.size();
}

Task<net::HttpResponse> ScriptedDiscord::Answer(net::HttpRequest request) {
  const std::string method = request.method;
  const std::string target = request.target;
  requests.push_back(std::move(request));
  net::HttpResponse response;
  response.status = 200;
  response.headers.Add("Content-Type", "application/json");
  response.headers.Add("Via", "1.1 google");
  if (method == "POST" || method == "PATCH") {
    const std::size_t number = post_times.size();
    post_times.push_back(base::SystemClock().Now());
    if (number < posts.size()) co_return posts[number];
    response.body = "{\"id\":\"1\"}";
  } else if (target.contains("/messages?") && next_read_ < reads.size()) {
    co_return reads[next_read_++];
  } else if (target.ends_with("/gateway/bot")) {
    response.status = gateway_status;
    response.body =
        "{\"url\":\"" + GatewayUrl() + "\",\"session_start_limit\":{\"remaining\":999,\"reset_after\":1000}}";
  } else if (target.ends_with("/applications/@me")) {
    response.body = "{\"id\":\"1\",\"flags\":" + std::to_string(application_flags) + "}";
  } else {
    response.status = 404;
    response.body = "{\"code\":0}";
  }
  co_return response;
}

Task<void> ScriptedDiscord::Talk(net::HttpRequest request, std::shared_ptr<net::WebSocket> socket) {
  gateway_targets.push_back(request.target);
  const int number = static_cast<int>(gateway_targets.size());
  std::vector<Step> script;
  if (gateway_targets.size() <= scripts.size()) script = scripts[gateway_targets.size() - 1];
  script.push_back(Listen());
  for (const Step& step : script) {
    bool done = step.kind != Step::Kind::kAwait && step.kind != Step::Kind::kListen;
    if (step.kind == Step::Kind::kSay) {
      const auto sent = co_await socket->Send(step.text);
      if (!sent) co_return;
    }
    if (step.kind == Step::Kind::kClose) {
      co_await socket->Close(static_cast<std::uint16_t>(step.number), "", std::chrono::seconds(5));
      co_return;
    }
    if (step.kind == Step::Kind::kCut) {
      socket->Abort();
      co_return;
    }
    while (!done) {
      const auto text = co_await socket->Read();
      if (!text) {
        closes.emplace_back(number, socket->CloseCode().value_or(0));
        co_return;
      }
      heard.push_back(std::to_string(number) + " " + std::string(*text));
      const auto op = boost::json::parse(*text).at("op").to_number<int>();
      done = step.kind == Step::Kind::kAwait && op == step.number;
    }
  }
}

}  // namespace shipmate::tests
