#include "doubles/discord/control.h"

namespace shipmate::doubles::discord {

namespace {

net::HttpResponse Answer(const json::value& body) {
  return {.status = 200, .headers = {{"Content-Type", "application/json"}}, .body = json::serialize(body)};
}

std::string Text(const json::object& object, const char* name, const std::string& otherwise) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : otherwise;
}

bool Flag(const json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

template <class Number>
void Take(const json::object& object, const char* name, Number& target) {
  if (const auto* value = object.if_contains(name)) target = value->to_number<Number>();
}

void Take(const json::object& object, const char* name, std::chrono::milliseconds& target) {
  if (const auto* value = object.if_contains(name))
    target = std::chrono::milliseconds(value->to_number<std::int64_t>());
}

net::HttpResponse Say(World& world, const json::object& body) {
  json::object author = World::PersonUser(Text(body, "author", "220000000000000002"), Text(body, "name", "alice"));
  if (Flag(body, "bot")) author["bot"] = true;
  if (Flag(body, "own")) author = world.BotUser();
  const std::string channel = Text(body, "channel", world.settings.channels.front());
  std::int64_t ago = 0;
  Take(body, "ago", ago);
  json::object message = world.MakeMessage(channel, author, Text(body, "content", ""), std::chrono::seconds(ago));
  if (Flag(body, "webhook")) message["webhook_id"] = "990000000000000009";
  if (const auto* extra = body.if_contains("extra")) {
    for (const auto& [name, value] : extra->as_object()) message[name] = value;
  }
  world.messages.push_back({.id = std::string(message["id"].as_string()),
                            .channel = channel,
                            .body = message,
                            .author_id = std::string(author["id"].as_string()),
                            .created = std::chrono::steady_clock::now()});
  world.Dispatch("MESSAGE_CREATE", message);
  return Answer({{"id", message["id"]}});
}

net::HttpResponse Repeat(World& world, const json::object& body) {
  for (const Message& message : world.messages) {
    if (message.id == Text(body, "id", "")) world.Dispatch("MESSAGE_CREATE", message.body);
  }
  return Answer(json::object());
}

net::HttpResponse Interact(World& world, const json::object& body) {
  World::Interaction interaction;
  interaction.id = world.NextId();
  interaction.token = "token-" + world.NextId();
  interaction.created = std::chrono::steady_clock::now();
  interaction.channel = Text(body, "channel", world.settings.channels.front());
  world.interactions[interaction.token] = interaction;
  const auto* options = body.if_contains("options");
  json::object data{{"id", "660000000000000006"},
                    {"name", Text(body, "name", "status")},
                    {"type", 1},
                    {"options", options != nullptr ? *options : json::array()}};
  world.Dispatch("INTERACTION_CREATE", {{"id", interaction.id},
                                        {"application_id", world.settings.application_id},
                                        {"type", 2},
                                        {"data", data},
                                        {"guild_id", world.settings.guild_id},
                                        {"channel_id", interaction.channel},
                                        {"channel", {{"id", interaction.channel}, {"type", 0}}},
                                        {"member",
                                         {{"user", World::PersonUser("220000000000000002", "alice")},
                                          {"roles", json::array()},
                                          {"joined_at", "2024-01-02T03:04:05.000000+00:00"},
                                          {"deaf", false},
                                          {"mute", false},
                                          {"flags", 0},
                                          {"permissions", "2147483647"}}},
                                        {"token", interaction.token},
                                        {"version", 1},
                                        {"app_permissions", "309237763136"},
                                        {"locale", "en-US"},
                                        {"guild_locale", "en-US"},
                                        {"entitlements", json::array()},
                                        {"authorizing_integration_owners", json::object()},
                                        {"context", 0},
                                        {"attachment_size_limit", 10485760}});
  return Answer({{"id", interaction.id}, {"token", interaction.token}});
}

net::HttpResponse SetSettings(World& world, const json::object& body) {
  Settings& settings = world.settings;
  settings.token = Text(body, "token", settings.token);
  Take(body, "heartbeat_interval", settings.heartbeat_interval);
  Take(body, "identify_interval", settings.identify_interval);
  Take(body, "identifies_left", settings.identifies_left);
  Take(body, "bucket_limit", settings.bucket_limit);
  Take(body, "bucket_window", settings.bucket_window);
  Take(body, "replay_limit", settings.replay_limit);
  Take(body, "interaction_limit", settings.interaction_limit);
  Take(body, "nonce_window", settings.nonce_window);
  if (body.contains("message_content_allowed")) {
    settings.message_content_allowed = Flag(body, "message_content_allowed");
  }
  return Answer(json::object());
}

net::HttpResponse AddFault(World& world, const json::object& body) {
  Faults& faults = world.faults;
  if (body.contains("mute_acks")) faults.mute_acks = Flag(body, "mute_acks");
  if (body.contains("mute_hello")) faults.mute_hello = Flag(body, "mute_hello");
  if (const auto* code = body.if_contains("close_on_identify")) {
    faults.close_on_identify.push_back(code->to_number<std::uint16_t>());
  }
  if (const auto* answer = body.if_contains("answer_resume")) faults.answer_resume.push_back(*answer);
  if (const auto* rest = body.if_contains("rest")) {
    const json::object& asked = rest->as_object();
    Faults::Rest fault;
    fault.path_contains = Text(asked, "path", "/messages");
    Take(asked, "status", fault.status);
    Take(asked, "times", fault.times);
    Take(asked, "delay", fault.delay);
    fault.body = Text(asked, "body", "");
    fault.after_acting = Flag(asked, "after_acting");
    if (const auto* headers = asked.if_contains("headers")) {
      for (const auto& [name, value] : headers->as_object()) {
        fault.headers.emplace_back(std::string(name), std::string(value.as_string()));
      }
    }
    faults.rest.push_back(std::move(fault));
  }
  return Answer(json::object());
}

net::HttpResponse Read(World& world, const std::string& what) {
  if (what == "trace") return Answer(world.trace);
  if (what == "commands") return Answer(world.commands);
  json::array list;
  if (what == "messages") {
    for (const Message& message : world.messages) list.push_back(message.body);
  } else if (what == "sessions") {
    for (const auto& [id, session] : world.sessions) {
      list.push_back({{"id", id},
                      {"valid", session->valid},
                      {"attached", session->send != nullptr},
                      {"sequence", session->sequence},
                      {"intents", session->intents}});
    }
  } else {
    return {.status = 404, .body = "no such thing: " + what};
  }
  return Answer(list);
}

}  // namespace

net::HttpResponse Control(World& world, const net::HttpRequest& request) {
  const std::string what = request.target.substr(std::string_view("/control/").size());
  if (request.method == "GET") return Read(world, what);
  boost::system::error_code error;
  const json::value parsed = json::parse(request.body.empty() ? "{}" : request.body, error);
  if (error || !parsed.is_object()) return {.status = 400, .body = "a JSON object is wanted"};
  const json::object& body = parsed.as_object();
  if (what == "say") return Say(world, body);
  if (what == "repeat") return Repeat(world, body);
  if (what == "interact") return Interact(world, body);
  if (what == "settings") return SetSettings(world, body);
  if (what == "fault") return AddFault(world, body);
  if (what == "dispatch") {
    world.Dispatch(Text(body, "t", ""), body.contains("d") ? body.at("d").as_object() : json::object());
  } else if (what == "raw") {
    world.send_raw(body);
  } else if (what == "no-faults") {
    world.faults = Faults();
  } else if (what == "cut") {
    world.cut_sockets();
  } else if (what == "close") {
    world.close_sockets(body.at("code").to_number<std::uint16_t>());
  } else {
    return {.status = 404, .body = "no such thing: " + what};
  }
  return Answer(json::object());
}

}  // namespace shipmate::doubles::discord
