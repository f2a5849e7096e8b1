#include "doubles/discord/rest.h"

#include <fmt/format.h>

#include <algorithm>

#include "async/deadline.h"
#include "base/text.h"
#include "net/url.h"

namespace shipmate::doubles::discord {

namespace {

// Discord, Message Resource: code points, not bytes.
constexpr std::size_t kContentLimit = 2000;
constexpr auto kTokenLife = std::chrono::minutes(15);

// `Via` is what tells Discord's own 429 from one of the CDN before it.
net::HttpResponse Json(unsigned status, const json::value& body) {
  return {.status = status,
          .headers = {{"Content-Type", "application/json"}, {"Via", "1.1 google"}},
          .body = json::serialize(body)};
}

net::HttpResponse Failure(unsigned status, int code, const std::string& message) {
  return Json(status, {{"message", message}, {"code", code}});
}

net::HttpResponse InvalidForm(const std::string& field, const std::string& code, const std::string& message) {
  return Json(400, {{"message", "Invalid Form Body"},
                    {"code", 50035},
                    {"errors", {{field, {{"_errors", {{{"code", code}, {"message", message}}}}}}}}});
}

// 204 carries no Content-Type: discord.js tries to parse what claims to be JSON.
net::HttpResponse NoContent() {
  return {.status = 204, .headers = {{"Via", "1.1 google"}}};
}

std::optional<json::object> Body(const net::HttpRequest& request) {
  std::string text = request.body;
  if (std::string(request.headers.Get("Content-Type")).starts_with("multipart/form-data")) {
    const std::size_t name = text.find("name=\"payload_json\"");
    const std::size_t start = name == std::string::npos ? name : text.find("\r\n\r\n", name);
    if (start == std::string::npos) return std::nullopt;
    text = text.substr(start + 4, text.find("\r\n--", start) - start - 4);
  }
  boost::system::error_code error;
  json::value parsed = json::parse(text, error);
  if (error || !parsed.is_object()) return std::nullopt;
  return parsed.as_object();
}

std::string Text(const json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr) return "";
  if (value->is_string()) return std::string(value->get_string());
  if (value->is_int64()) return std::to_string(value->get_int64());
  return "";
}

// Discord refuses `parse: [users]` together with a list of users.
bool MentionsConflict(const json::object& body) {
  const auto* allowed = body.if_contains("allowed_mentions");
  if (allowed == nullptr || !allowed->is_object()) return false;
  const auto* parse = allowed->get_object().if_contains("parse");
  if (parse == nullptr || !parse->is_array()) return false;
  for (const auto& kind : parse->get_array()) {
    if (!kind.is_string()) continue;
    const auto* list = allowed->get_object().if_contains(kind.get_string());
    if (list != nullptr && list->is_array() && !list->get_array().empty()) return true;
  }
  return false;
}

std::vector<std::string> Segments(const std::string& path) {
  std::vector<std::string> segments;
  for (const std::string_view piece : base::Split(path, '/')) {
    if (piece.empty()) continue;
    const auto decoded = net::PercentDecode(piece);
    segments.push_back(decoded ? *decoded : std::string(piece));
  }
  return segments;
}

}  // namespace

Task<std::optional<net::HttpResponse>> Rest::Handle(net::HttpRequest request) {
  const std::size_t question = request.target.find('?');
  const std::string path = request.target.substr(0, question);
  json::object traced{{"kind", "rest"},
                      {"method", request.method},
                      {"path", path},
                      {"authorization", request.headers.Has("Authorization")},
                      {"user_agent", request.headers.Get("User-Agent")}};
  if (const auto body = Body(request)) traced["body"] = *body;
  for (auto fault = world_.faults.rest.begin(); fault != world_.faults.rest.end(); ++fault) {
    if (path.find(fault->path_contains) == std::string::npos) continue;
    World* world = &world_;
    const Faults::Rest taken = *fault;
    if (--fault->times <= 0) world->faults.rest.erase(fault);
    if (taken.after_acting) static_cast<void>(Route(request, path));
    if (taken.delay.count() > 0) co_await async::Sleep(taken.delay);
    traced["status"] = taken.status;
    world->Trace(std::move(traced));
    if (taken.status == 0) co_return std::nullopt;
    net::HttpResponse response{.status = taken.status, .body = taken.body};
    for (const auto& [name, value] : taken.headers) response.headers.Add(name, value);
    co_return response;
  }
  net::HttpResponse response = Route(request, path);
  traced["status"] = response.status;
  world_.Trace(std::move(traced));
  co_return response;
}

net::HttpResponse Rest::Route(const net::HttpRequest& request, const std::string& path) {
  // Requests without a proper User-Agent are stopped before the API.
  if (!request.headers.Get("User-Agent").starts_with("DiscordBot (")) {
    return Failure(403, 40333, "internal network error");
  }
  std::vector<std::string> at = Segments(path);
  if (at.size() < 3 || at[0] != "api" || at[1] != "v10") return Failure(404, 0, "404: Not Found");
  at.erase(at.begin(), at.begin() + 2);
  const std::string& method = request.method;

  if (at[0] == "interactions" && at.size() == 4 && at[3] == "callback" && method == "POST") {
    return AnswerInteraction(at[1], at[2], request);
  }
  if (at[0] == "webhooks" && at.size() >= 3) {
    return InteractionWebhook(at[2], at.size() >= 5 ? at[4] : "", request);
  }
  if (at[0] == "gateway" && at.size() == 1) return Json(200, {{"url", world_.GatewayUrl()}});
  if (request.headers.Get("Authorization") != "Bot " + world_.settings.token) {
    return Failure(401, 0, "401: Unauthorized");
  }
  if (at[0] == "gateway" && at.size() == 2 && at[1] == "bot") {
    return Json(200, {{"url", world_.GatewayUrl()},
                      {"shards", 1},
                      {"session_start_limit",
                       {{"total", 1000},
                        {"remaining", world_.settings.identifies_left},
                        {"reset_after", 14400000},
                        {"max_concurrency", 1}}}});
  }
  if (at[0] == "users" && at.size() == 2 && at[1] == "@me") return Json(200, world_.BotUser());
  if (at[0] == "applications" && at.size() == 2 && at[1] == "@me") {
    return Json(200, {{"id", world_.settings.application_id},
                      {"name", "opsbot"},
                      {"flags", world_.settings.message_content_allowed ? 1 << 19 : 0},
                      {"interactions_endpoint_url", nullptr}});
  }
  if (at[0] == "applications" && at.back() == "commands" && (method == "PUT" || method == "GET")) {
    if (method == "PUT") {
      boost::system::error_code error;
      const json::value list = json::parse(request.body, error);
      if (error || !list.is_array()) return Failure(400, 50035, "Invalid Form Body");
      world_.commands = list.as_array();
    }
    return Json(200, world_.commands);
  }
  if (at[0] == "channels" && at.size() >= 3 && at[2] == "messages") {
    if (std::ranges::find(world_.settings.channels, at[1]) == world_.settings.channels.end()) {
      return Failure(404, 10003, "Unknown Channel");
    }
    if (at.size() == 3 && method == "POST") return CreateMessage(at[1], request);
    if (at.size() == 3 && method == "GET") {
      const std::size_t question = request.target.find('?');
      return ListMessages(at[1], question == std::string::npos ? "" : request.target.substr(question + 1));
    }
    if (at.size() == 4 && method == "PATCH") return EditMessage(at[1], at[3], request);
    if (at.size() == 7 && at[4] == "reactions" && method == "PUT") {
      // A raw, unencoded emoji in the path is what the real API answers with Unknown Emoji.
      return path.find('%') == std::string::npos ? Failure(400, 10014, "Unknown Emoji") : NoContent();
    }
  }
  return Failure(404, 0, "404: Not Found");
}

net::HttpResponse Rest::CreateMessage(const std::string& channel, const net::HttpRequest& request) {
  auto& bucket = world_.buckets[channel];
  const auto now = std::chrono::steady_clock::now();
  const auto window = world_.settings.bucket_window;
  while (!bucket.empty() && now - bucket.front() >= window) bucket.pop_front();
  const auto limited = static_cast<int>(bucket.size()) >= world_.settings.bucket_limit;
  const auto reset = bucket.empty() ? std::chrono::duration<double>(window)
                                    : std::chrono::duration<double>(window - (now - bucket.front()));
  const auto add_bucket_headers = [&](net::HttpResponse& response, int remaining) {
    const auto epoch = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()) + reset;
    response.headers.Add("X-RateLimit-Bucket", "80c17d2f203122d936070c88c8d10f33");
    response.headers.Add("X-RateLimit-Limit", std::to_string(world_.settings.bucket_limit));
    response.headers.Add("X-RateLimit-Remaining", std::to_string(remaining));
    response.headers.Add("X-RateLimit-Reset", fmt::format("{:.3f}", epoch.count()));
    response.headers.Add("X-RateLimit-Reset-After", fmt::format("{:.3f}", reset.count()));
  };
  if (limited) {
    net::HttpResponse response =
        Json(429, {{"message", "You are being rate limited."}, {"retry_after", reset.count()}, {"global", false}});
    add_bucket_headers(response, 0);
    response.headers.Add("X-RateLimit-Scope", "user");
    response.headers.Add("Retry-After", fmt::format("{:.0f}", reset.count() + 0.5));
    return response;
  }
  const auto body = Body(request);
  if (!body) return Failure(400, 50109, "The request body contains invalid JSON.");
  bucket.push_back(now);
  const int remaining = world_.settings.bucket_limit - static_cast<int>(bucket.size());

  const std::string content = Text(*body, "content");
  net::HttpResponse refused;
  if (!base::IsValidUtf8(content)) {
    refused = Failure(400, 50109, "The request body contains invalid JSON.");
  } else if (base::RuneCount(content) > kContentLimit) {
    refused = InvalidForm("content", "BASE_TYPE_MAX_LENGTH", "Must be 2000 or fewer in length.");
  } else if (base::Trim(content).empty() && !body->contains("embeds") && !body->contains("attachments")) {
    refused = Failure(400, 50006, "Cannot send an empty message");
  } else if (MentionsConflict(*body)) {
    refused = InvalidForm("allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                          "parse:[\"users\"] and users: [ids...] are mutually exclusive.");
  } else if (Text(*body, "nonce").size() > 25) {
    refused = InvalidForm("nonce", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.");
  }
  if (refused.status != 0) {
    add_bucket_headers(refused, remaining);
    return refused;
  }

  const std::string nonce = Text(*body, "nonce");
  const auto* enforce = body->if_contains("enforce_nonce");
  if (!nonce.empty() && enforce != nullptr && enforce->is_bool() && enforce->get_bool()) {
    for (const Message& message : world_.messages) {
      if (message.channel == channel && message.nonce == nonce && message.author_id == world_.settings.bot_id &&
          now - message.created < world_.settings.nonce_window) {
        net::HttpResponse response = Json(200, message.body);
        add_bucket_headers(response, remaining);
        return response;
      }
    }
  }
  json::object message = world_.MakeMessage(channel, world_.BotUser(), content);
  if (!nonce.empty()) message["nonce"] = nonce;
  if (const auto* reference = body->if_contains("message_reference")) {
    message["type"] = 19;
    message["message_reference"] = *reference;
  }
  world_.messages.push_back({.id = std::string(message["id"].as_string()),
                             .channel = channel,
                             .body = message,
                             .author_id = world_.settings.bot_id,
                             .nonce = nonce,
                             .created = now});
  world_.Dispatch("MESSAGE_CREATE", message);
  net::HttpResponse response = Json(200, message);
  add_bucket_headers(response, remaining);
  return response;
}

net::HttpResponse Rest::EditMessage(const std::string& channel, const std::string& id,
                                    const net::HttpRequest& request) {
  const auto body = Body(request);
  if (!body) return Failure(400, 50109, "The request body contains invalid JSON.");
  for (Message& message : world_.messages) {
    if (message.id != id || message.channel != channel) continue;
    if (message.author_id != world_.settings.bot_id) {
      return Failure(403, 50005, "Cannot edit a message authored by another user");
    }
    if (body->contains("content")) {
      const std::string content = Text(*body, "content");
      if (base::RuneCount(content) > kContentLimit) {
        return InvalidForm("content", "BASE_TYPE_MAX_LENGTH", "Must be 2000 or fewer in length.");
      }
      message.body["content"] = content;
    }
    message.body["edited_timestamp"] = "2026-08-01T10:00:01.000000+00:00";
    world_.Dispatch("MESSAGE_UPDATE", message.body);
    return Json(200, message.body);
  }
  return Failure(404, 10008, "Unknown Message");
}

net::HttpResponse Rest::ListMessages(const std::string& channel, const std::string& query) {
  std::string after;
  std::size_t limit = 50;
  for (const std::string_view pair : base::Split(query, '&')) {
    if (pair.starts_with("after=")) after = pair.substr(6);
    if (pair.starts_with("limit=")) limit = std::stoul(std::string(pair.substr(6)));
  }
  // Newest first; after an id, those that follow it, newest first too. A nonce is not kept with the message.
  std::vector<const Message*> found;
  for (const Message& message : world_.messages) {
    const bool later =
        after.empty() || message.id.size() > after.size() || (message.id.size() == after.size() && message.id > after);
    if (message.channel == channel && later) found.push_back(&message);
  }
  if (found.size() > limit) {
    if (after.empty()) {
      found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(limit));
    } else {
      found.resize(limit);
    }
  }
  json::array list;
  for (auto message = found.rbegin(); message != found.rend(); ++message) {
    json::object body = (*message)->body;
    body.erase("nonce");
    // Lists tell neither the server nor the author's part in it (Discord, Get Channel Messages).
    body.erase("guild_id");
    body.erase("member");
    list.push_back(std::move(body));
  }
  return Json(200, list);
}

net::HttpResponse Rest::AnswerInteraction(const std::string& id, const std::string& token,
                                          const net::HttpRequest& request) {
  const auto found = world_.interactions.find(token);
  const auto now = std::chrono::steady_clock::now();
  if (found == world_.interactions.end() || found->second.id != id ||
      (!found->second.answered && now - found->second.created > world_.settings.interaction_limit)) {
    return Failure(404, 10062, "Unknown interaction");
  }
  if (found->second.answered) return Failure(400, 40060, "Interaction has already been acknowledged.");
  const auto body = Body(request);
  if (!body || !body->contains("type")) return Failure(400, 50035, "Invalid Form Body");
  found->second.answered = true;
  const auto* data = body->if_contains("data");
  json::object message =
      world_.MakeMessage(found->second.channel, world_.BotUser(),
                         data != nullptr && data->is_object() ? Text(data->get_object(), "content") : "");
  found->second.original_id = std::string(message["id"].as_string());
  world_.messages.push_back({.id = found->second.original_id,
                             .channel = found->second.channel,
                             .body = message,
                             .author_id = world_.settings.bot_id,
                             .created = now});
  if (request.target.find("with_response=true") != std::string::npos) {
    return Json(200, {{"interaction", {{"id", id}, {"type", 2}}}, {"resource", {{"type", 4}, {"message", message}}}});
  }
  return NoContent();
}

net::HttpResponse Rest::InteractionWebhook(const std::string& token, const std::string& message_id,
                                           const net::HttpRequest& request) {
  const auto found = world_.interactions.find(token);
  if (found == world_.interactions.end() || std::chrono::steady_clock::now() - found->second.created > kTokenLife) {
    return Failure(401, 50027, "Invalid Webhook Token");
  }
  if (!found->second.answered) return Failure(404, 10015, "Unknown Webhook");
  const auto body = Body(request);
  if (request.method == "POST" && body) {
    json::object message = world_.MakeMessage(found->second.channel, world_.BotUser(), Text(*body, "content"));
    world_.messages.push_back({.id = std::string(message["id"].as_string()),
                               .channel = found->second.channel,
                               .body = message,
                               .author_id = world_.settings.bot_id,
                               .created = std::chrono::steady_clock::now()});
    return Json(200, message);
  }
  const std::string id = message_id == "@original" ? found->second.original_id : message_id;
  for (Message& message : world_.messages) {
    if (message.id != id) continue;
    if (request.method == "PATCH" && body && body->contains("content")) {
      message.body["content"] = Text(*body, "content");
    }
    return Json(200, message.body);
  }
  return Failure(404, 10008, "Unknown Message");
}

}  // namespace shipmate::doubles::discord
