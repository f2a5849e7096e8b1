#include "doubles/discord/world.h"

#include <algorithm>

namespace shipmate::doubles::discord {

namespace {

// Discord, Gateway, "Gateway Intents".
constexpr std::uint64_t kGuilds = 1U << 0;
constexpr std::uint64_t kGuildMessages = 1U << 9;
constexpr std::uint64_t kReactions = 1U << 10;
constexpr std::uint64_t kDirectMessages = 1U << 12;
constexpr std::uint64_t kMessageContent = 1U << 15;

bool Wants(const Session& session, const std::string& type, const json::object& data) {
  if (type.starts_with("MESSAGE_REACTION")) return (session.intents & kReactions) != 0;
  if (type.starts_with("MESSAGE_")) {
    return (session.intents & (data.contains("guild_id") ? kGuildMessages : kDirectMessages)) != 0;
  }
  if (type.starts_with("GUILD_") || type.starts_with("CHANNEL_")) return (session.intents & kGuilds) != 0;
  return true;
}

bool Mentions(const json::object& data, const std::string& user) {
  const auto* mentions = data.if_contains("mentions");
  if (mentions == nullptr || !mentions->is_array()) return false;
  for (const auto& mention : mentions->get_array()) {
    if (mention.at("id").as_string() == user) return true;
  }
  return false;
}

}  // namespace

json::object World::BotUser() const {
  return {{"id", settings.bot_id}, {"username", "opsbot"}, {"discriminator", "0000"}, {"global_name", nullptr},
          {"avatar", nullptr},     {"bot", true},          {"public_flags", 0}};
}

json::object World::PersonUser(const std::string& id, const std::string& name) {
  return {{"id", id},          {"username", name}, {"discriminator", "0"}, {"global_name", name},
          {"avatar", nullptr}, {"public_flags", 0}};
}

void World::Dispatch(const std::string& type, const json::object& data) {
  for (auto& [id, session] : sessions) {
    if (!session->valid || !Wants(*session, type, data)) continue;
    json::object seen = data;
    const bool own = data.contains("author") && data.at("author").at("id").as_string() == settings.bot_id;
    if (type.starts_with("MESSAGE_CREATE") && data.contains("guild_id") && !own &&
        (session->intents & kMessageContent) == 0 && !Mentions(data, settings.bot_id)) {
      seen["content"] = "";
      seen["embeds"] = json::array();
      seen["attachments"] = json::array();
      seen["components"] = json::array();
    }
    json::object payload{{"t", type}, {"s", ++session->sequence}, {"op", 0}, {"d", seen}};
    session->replay.emplace_back(session->sequence, payload);
    while (session->replay.size() > settings.replay_limit) session->replay.pop_front();
    if (session->send) session->send(payload);
  }
}

std::string World::NextId(std::chrono::seconds ago) {
  constexpr std::chrono::milliseconds kEpoch(1420070400000);
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  // The lower bits count, so that two ids of one millisecond are in their order.
  const auto time = static_cast<std::uint64_t>((now - kEpoch - ago).count());
  return std::to_string((time << 22U) + (++ids_ & 0x3FFFFFU));
}

json::object World::MakeMessage(const std::string& channel, const json::object& author, const std::string& content,
                                std::chrono::seconds ago) {
  json::object message{{"id", NextId(ago)},
                       {"type", 0},
                       {"channel_id", channel},
                       {"author", author},
                       {"content", content},
                       {"timestamp", "2026-08-01T10:00:00.123000+00:00"},
                       {"edited_timestamp", nullptr},
                       {"tts", false},
                       {"mention_everyone", false},
                       {"mentions", json::array()},
                       {"mention_roles", json::array()},
                       {"attachments", json::array()},
                       {"embeds", json::array()},
                       {"pinned", false},
                       {"flags", 0},
                       {"components", json::array()}};
  if (std::ranges::find(settings.channels, channel) != settings.channels.end()) {
    message["guild_id"] = settings.guild_id;
    message["channel_type"] = 0;
    message["member"] = json::object{{"nick", nullptr},
                                     {"avatar", nullptr},
                                     {"roles", json::array()},
                                     {"joined_at", "2024-01-02T03:04:05.000000+00:00"},
                                     {"premium_since", nullptr},
                                     {"deaf", false},
                                     {"mute", false},
                                     {"flags", 0},
                                     {"pending", false},
                                     {"communication_disabled_until", nullptr}};
  } else {
    message["channel_type"] = 1;
  }
  const std::string mention = "<@" + settings.bot_id + ">";
  if (content.find(mention) != std::string::npos) message["mentions"] = json::array{BotUser()};
  return message;
}

void World::Trace(json::object entry) {
  entry["at_ms"] =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count();
  trace.push_back(std::move(entry));
}

}  // namespace shipmate::doubles::discord
