#include "doubles/discord/gateway.h"

#include <algorithm>

#include "async/mailbox.h"
#include "async/spawn.h"

namespace shipmate::doubles::discord {

namespace {

using namespace std::chrono_literals;

// Discord, Gateway, "Sending Events": 4096 bytes a payload, 120 events in 60 seconds.
constexpr std::size_t kPayloadLimit = 4096;
constexpr std::size_t kEventLimit = 120;
constexpr auto kEventWindow = 60s;
constexpr auto kCloseLimit = 1s;

constexpr std::uint64_t kKnownIntents = (1ULL << 26) - 1;
constexpr std::uint64_t kPrivileged = (1ULL << 1) | (1ULL << 8) | (1ULL << 15);
constexpr std::uint64_t kMessageContent = 1ULL << 15;

std::uint64_t Number(const json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr) return 0;
  if (value->is_uint64()) return value->get_uint64();
  return value->is_int64() && value->get_int64() > 0 ? static_cast<std::uint64_t>(value->get_int64()) : 0;
}

std::string String(const json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

}  // namespace

struct Gateway::Connection {
  Connection(const Executor& executor, std::shared_ptr<net::WebSocket> socket_in)
      : socket(std::move(socket_in)), outgoing(executor) {}

  std::shared_ptr<net::WebSocket> socket;
  async::Mailbox<json::object> outgoing;
  std::shared_ptr<Session> session;
  std::unique_ptr<net::ZlibStreamDeflater> deflater;
  std::deque<SteadyTime> received;
  bool closed_by_server = false;
};

Gateway::Gateway(Executor executor, World& world) : executor_(std::move(executor)), world_(world) {
  world_.cut_sockets = [this] {
    for (const auto& weak : connections_) {
      if (const auto connection = weak.lock()) connection->socket->Abort();
    }
  };
  world_.close_sockets = [this](std::uint16_t code) {
    for (const auto& weak : connections_) {
      if (const auto connection = weak.lock()) async::Spawn(executor_, "close", CloseNow(connection, code));
    }
  };
  world_.send_raw = [this](const json::object& payload) {
    for (const auto& weak : connections_) {
      if (const auto connection = weak.lock()) connection->outgoing.Push(payload);
    }
  };
}

Task<void> Gateway::CloseNow(std::shared_ptr<Connection> connection, std::uint16_t code) {
  connection->closed_by_server = true;
  co_await connection->socket->Close(code, "", kCloseLimit);
}

// One writer a socket: a message's compressed bytes must not mix with another's.
Task<void> Gateway::Writer(std::shared_ptr<Connection> connection) {
  while (auto payload = co_await connection->outgoing.Pop()) {
    std::string text = json::serialize(*payload);
    const auto sent = connection->deflater
                          ? co_await connection->socket->SendBinary(connection->deflater->Deflate(text))
                          : co_await connection->socket->Send(std::move(text));
    if (!sent) co_return;
  }
}

Task<void> Gateway::Serve(net::HttpRequest request, std::shared_ptr<net::WebSocket> socket) {
  auto connection = std::make_shared<Connection>(executor_, socket);
  connections_.push_back(connection);
  world_.Trace({{"kind", "open"}, {"target", request.target}});
  if (request.target.find("compress=zlib-stream") != std::string::npos) {
    connection->deflater = std::make_unique<net::ZlibStreamDeflater>();
  }
  async::Spawn(executor_, "gateway writer", Writer(connection));
  if (request.target.find("v=10") == std::string::npos) {
    co_await CloseWith(connection, 4012, "Invalid API version");
  } else if (!world_.faults.mute_hello) {
    connection->outgoing.Push({{"t", nullptr},
                               {"s", nullptr},
                               {"op", 10},
                               {"d", {{"heartbeat_interval", world_.settings.heartbeat_interval.count()}}}});
  }
  for (;;) {
    const auto frame = co_await socket->Read();
    if (!frame) break;
    if (!co_await Handle(connection, std::string(*frame))) break;
  }
  const auto code = socket->CloseCode();
  world_.Trace({{"kind", "close"}, {"code", code ? json::value(*code) : json::value(nullptr)}});
  if (connection->session) {
    if (connection->session->attached == connection.get()) connection->session->send = nullptr;
    // Discord, Gateway, "Disconnecting": a client's 1000 or 1001 ends the session.
    if (!connection->closed_by_server && (code == 1000 || code == 1001)) connection->session->valid = false;
  }
  connection->outgoing.Close();
  std::erase_if(connections_, [&](const auto& weak) { return weak.expired() || weak.lock() == connection; });
}

Task<bool> Gateway::CloseWith(std::shared_ptr<Connection> connection, std::uint16_t code, std::string reason) {
  world_.Trace({{"kind", "server-close"}, {"code", code}});
  connection->closed_by_server = true;
  co_await connection->socket->Close(code, std::move(reason), kCloseLimit);
  co_return false;
}

Task<bool> Gateway::Handle(std::shared_ptr<Connection> connection, std::string frame) {
  const auto now = std::chrono::steady_clock::now();
  auto& received = connection->received;
  received.push_back(now);
  while (now - received.front() > kEventWindow) received.pop_front();
  if (received.size() > kEventLimit) co_return co_await CloseWith(connection, 4008, "Rate limited");
  if (frame.size() > kPayloadLimit) co_return co_await CloseWith(connection, 4002, "Payload too large");

  boost::system::error_code error;
  const json::value parsed = json::parse(frame, error);
  if (error || !parsed.is_object() || !parsed.as_object().contains("op")) {
    co_return co_await CloseWith(connection, 4002, "Decode error");
  }
  const json::object& payload = parsed.as_object();
  const std::uint64_t op = Number(payload, "op");
  json::object traced{{"kind", "frame"}, {"op", op}};
  const json::value* data = payload.if_contains("d");
  if (data != nullptr) traced["d"] = *data;
  if (op == 2 || op == 6) traced["d"].as_object().erase("token");
  world_.Trace(std::move(traced));

  if (op == 1) {
    if (!world_.faults.mute_acks) {
      connection->outgoing.Push({{"t", nullptr}, {"s", nullptr}, {"op", 11}, {"d", nullptr}});
    }
    co_return true;
  }
  const json::object body = data != nullptr && data->is_object() ? data->as_object() : json::object();
  if (op == 2) co_return co_await Identify(connection, body);
  if (op == 6) co_return co_await Resume(connection, body);
  if (!connection->session) co_return co_await CloseWith(connection, 4003, "Not authenticated");
  if (op == 3 || op == 4 || op == 8) co_return true;
  co_return co_await CloseWith(connection, 4001, "Unknown opcode");
}

void Gateway::Attach(const std::shared_ptr<Connection>& connection, const std::shared_ptr<Session>& session) {
  connection->session = session;
  session->attached = connection.get();
  session->send = [weak = std::weak_ptr(connection)](const json::object& payload) {
    if (const auto current = weak.lock()) current->outgoing.Push(payload);
  };
}

Task<bool> Gateway::Identify(std::shared_ptr<Connection> connection, json::object data) {
  if (connection->session) co_return co_await CloseWith(connection, 4005, "Already authenticated");
  if (!world_.faults.close_on_identify.empty()) {
    const std::uint16_t code = world_.faults.close_on_identify.front();
    world_.faults.close_on_identify.pop_front();
    co_return co_await CloseWith(connection, code, "asked for by the test");
  }
  if (String(data, "token") != world_.settings.token) {
    co_return co_await CloseWith(connection, 4004, "Authentication failed");
  }
  const auto* properties = data.if_contains("properties");
  if (properties == nullptr || !properties->is_object() || !data.contains("intents")) {
    co_return co_await CloseWith(connection, 4002, "Decode error");
  }
  const std::uint64_t intents = Number(data, "intents");
  if ((intents & ~kKnownIntents) != 0) co_return co_await CloseWith(connection, 4013, "Invalid intents");
  const std::uint64_t allowed = world_.settings.message_content_allowed ? kMessageContent : 0;
  if ((intents & kPrivileged & ~allowed) != 0) co_return co_await CloseWith(connection, 4014, "Disallowed intents");

  const auto now = std::chrono::steady_clock::now();
  const bool too_soon = world_.last_identify && now - *world_.last_identify < world_.settings.identify_interval;
  world_.last_identify = now;
  --world_.settings.identifies_left;
  if (too_soon) {
    connection->outgoing.Push({{"t", nullptr}, {"s", nullptr}, {"op", 9}, {"d", false}});
    co_return true;
  }

  auto session = std::make_shared<Session>();
  session->id = "session-" + world_.NextId();
  session->intents = intents;
  world_.sessions[session->id] = session;
  Attach(connection, session);
  json::object ready{{"v", 10},
                     {"user", world_.BotUser()},
                     {"session_type", "normal"},
                     {"session_id", session->id},
                     {"resume_gateway_url", world_.GatewayUrl()},
                     {"relationships", json::array()},
                     {"private_channels", json::array()},
                     {"presences", json::array()},
                     {"guilds", {{{"id", world_.settings.guild_id}, {"unavailable", true}}}},
                     {"application", {{"id", world_.settings.application_id}, {"flags", 1 << 19}}}};
  if (const auto* shard = data.if_contains("shard")) ready["shard"] = *shard;
  // READY is no subject of intents.
  session->sequence = 1;
  json::object payload{{"t", "READY"}, {"s", 1}, {"op", 0}, {"d", ready}};
  session->replay.emplace_back(1, payload);
  session->send(payload);

  json::array channels;
  for (const std::string& id : world_.settings.channels) {
    channels.push_back({{"id", id},
                        {"type", 0},
                        {"name", "ops"},
                        {"position", 0},
                        {"permission_overwrites", json::array()},
                        {"nsfw", false},
                        {"topic", nullptr},
                        {"last_message_id", nullptr},
                        {"rate_limit_per_user", 0},
                        {"parent_id", nullptr},
                        {"flags", 0}});
  }
  json::object everyone{{"id", world_.settings.guild_id},
                        {"name", "@everyone"},
                        {"color", 0},
                        {"hoist", false},
                        {"icon", nullptr},
                        {"unicode_emoji", nullptr},
                        {"position", 0},
                        {"permissions", "2248473465835073"},
                        {"managed", false},
                        {"mentionable", false},
                        {"flags", 0}};
  json::object guild{{"id", world_.settings.guild_id},
                     {"name", "ops"},
                     {"icon", nullptr},
                     {"splash", nullptr},
                     {"discovery_splash", nullptr},
                     {"owner_id", "220000000000000002"},
                     {"afk_channel_id", nullptr},
                     {"afk_timeout", 300},
                     {"verification_level", 0},
                     {"default_message_notifications", 0},
                     {"explicit_content_filter", 0},
                     {"roles", json::array{everyone}},
                     {"emojis", json::array()},
                     {"features", json::array()},
                     {"mfa_level", 0},
                     {"application_id", nullptr},
                     {"system_channel_id", nullptr},
                     {"system_channel_flags", 0},
                     {"rules_channel_id", nullptr},
                     {"vanity_url_code", nullptr},
                     {"description", nullptr},
                     {"banner", nullptr},
                     {"premium_tier", 0},
                     {"preferred_locale", "en-US"},
                     {"public_updates_channel_id", nullptr},
                     {"nsfw_level", 0},
                     {"stickers", json::array()},
                     {"premium_progress_bar_enabled", false},
                     {"safety_alerts_channel_id", nullptr},
                     {"joined_at", "2024-01-02T03:04:05.000000+00:00"},
                     {"large", false},
                     {"unavailable", false},
                     {"member_count", 2},
                     {"voice_states", json::array()},
                     {"members", json::array()},
                     {"channels", channels},
                     {"threads", json::array()},
                     {"presences", json::array()},
                     {"stage_instances", json::array()},
                     {"guild_scheduled_events", json::array()},
                     {"soundboard_sounds", json::array()}};
  world_.Dispatch("GUILD_CREATE", guild);
  co_return true;
}

Task<bool> Gateway::Resume(std::shared_ptr<Connection> connection, json::object data) {
  if (connection->session) co_return co_await CloseWith(connection, 4005, "Already authenticated");
  if (!world_.faults.answer_resume.empty()) {
    const json::value answer = world_.faults.answer_resume.front();
    world_.faults.answer_resume.pop_front();
    if (answer.is_bool()) {
      connection->outgoing.Push({{"t", nullptr}, {"s", nullptr}, {"op", 9}, {"d", answer.get_bool()}});
      co_return true;
    }
    co_return co_await CloseWith(connection, answer.to_number<std::uint16_t>(), "asked for by the test");
  }
  if (String(data, "token") != world_.settings.token) {
    co_return co_await CloseWith(connection, 4004, "Authentication failed");
  }
  const auto found = world_.sessions.find(String(data, "session_id"));
  if (found == world_.sessions.end() || !found->second->valid) {
    connection->outgoing.Push({{"t", nullptr}, {"s", nullptr}, {"op", 9}, {"d", false}});
    co_return true;
  }
  const auto session = found->second;
  const std::uint64_t sequence = Number(data, "seq");
  if (sequence > session->sequence) co_return co_await CloseWith(connection, 4007, "Invalid seq");
  const bool gap = !session->replay.empty() && session->replay.front().first > sequence + 1;
  if (gap) {
    session->valid = false;
    connection->outgoing.Push({{"t", nullptr}, {"s", nullptr}, {"op", 9}, {"d", false}});
    co_return true;
  }
  Attach(connection, session);
  for (const auto& [number, payload] : session->replay) {
    if (number > sequence) session->send(payload);
  }
  json::object resumed{{"t", "RESUMED"}, {"s", ++session->sequence}, {"op", 0}, {"d", json::object()}};
  session->replay.emplace_back(session->sequence, resumed);
  session->send(resumed);
  co_return true;
}

}  // namespace shipmate::doubles::discord
