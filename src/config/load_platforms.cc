#include "config/load_platforms.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "base/text.h"
#include "config/names.h"
#include "config/read_keys.h"

namespace shipmate::config {

namespace {

using Answers = MattermostConfig::Answers;

const std::vector<std::string> kNotices = {"service", "deploy", "webhook"};

constexpr std::array<std::pair<std::string_view, Answers>, 2> kAnswers = {
    {{"thread", Answers::kThread}, {"channel", Answers::kChannel}}};

std::string ReadSnowflake(Fields& fields, std::string_view key) {
  const auto id = fields.Text(key);
  if (!id || id->text.empty()) return "";
  if (!IsSnowflake(id->text)) {
    fields.Problem(key, id->mark,
                   fmt::format("a Discord id has 17 to 20 digits, found {}; turn on Developer Mode in Discord, then "
                               "right-click and choose \"Copy ID\"",
                               Shown(id->text)));
  }
  return id->text;
}

std::vector<std::string> ReadNotices(Fields& fields) {
  std::vector<std::string> notices;
  for (const Placed& notice : fields.Texts("notices")) {
    if (std::ranges::find(kNotices, notice.text) == kNotices.end()) {
      fields.Problem("notices", notice.mark,
                     fmt::format("expected one of {}, found {}", base::Join(kNotices, ", "), Shown(notice.text)));
    }
    notices.push_back(notice.text);
  }
  return notices;
}

// The list below `channels`, each entry's id as `read_id` finds it, added to `only`, the channel that a key of its own
// names; "" = none.
std::vector<ChannelConfig> ReadChannels(Fields& fields, std::string_view section, const std::string& only,
                                        const std::function<std::string(Fields&, Mark)>& read_id) {
  std::vector<ChannelConfig> channels;
  if (!only.empty()) channels.push_back({.id = only, .services = {}, .notices = {}});
  const Node* list = fields.Find("channels");
  if (list == nullptr) return channels;
  if (list->kind != Node::Kind::kList) {
    fields.Problem("channels", list->mark, fmt::format("expected a list of channels, found {}", list->KindName()));
    return channels;
  }
  std::map<std::string, int> lines;
  for (std::size_t i = 0; i < list->children.size(); ++i) {
    const Node& item = list->children[i];
    Fields entry(item, fmt::format("{}.channels[{}]", section, i + 1), fields.report());
    if (item.kind != Node::Kind::kMap) continue;
    ChannelConfig channel;
    channel.id = read_id(entry, item.mark);
    channel.services = ReadServiceNames(entry);
    channel.notices = ReadNotices(entry);
    entry.Finish();
    const auto [first, added] = lines.emplace(channel.id, item.mark.line);
    if (!added && !channel.id.empty()) {
      entry.Problem("id", item.mark, fmt::format("{} is given twice, first on line {}", channel.id, first->second));
    }
    // The same as `only`: the entry says more about it.
    const auto known = std::ranges::find(channels, channel.id, &ChannelConfig::id);
    if (known != channels.end()) {
      *known = std::move(channel);
    } else {
      channels.push_back(std::move(channel));
    }
  }
  return channels;
}

std::string ReadDiscordChannel(Fields& entry, Mark mark) {
  std::string id = ReadSnowflake(entry, "id");
  if (id.empty()) entry.Problem("id", mark, "is missing");
  return id;
}

std::string ReadMattermostOnly(Fields& fields) {
  const auto channel = fields.Text("channel");
  if (!channel) return "";
  if (!IsTeamAndChannel(channel->text) && !IsMattermostId(channel->text)) {
    fields.Problem("channel", channel->mark,
                   fmt::format("invalid channel {}: use \"team/channel-name\" or the channel's id of 26 characters",
                               Shown(channel->text)));
  }
  return channel->text;
}

// The id of a channel, or its team and name as "team/name"; `team` is that of the section.
std::string ReadMattermostChannel(Fields& entry, Mark mark, const std::string& team) {
  const auto id = entry.Text("id");
  const auto name = entry.Text("name");
  const auto own_team = entry.Text("team");
  if (id) {
    if (name) entry.Problem("name", name->mark, "cannot stand beside id; remove one of them");
    if (!IsMattermostId(id->text)) {
      entry.Problem("id", id->mark,
                    fmt::format("a Mattermost id has 26 small letters and digits, found {}; the channel's menu, View "
                                "Info, shows it",
                                Shown(id->text)));
    }
    return id->text;
  }
  if (!name) {
    entry.Problem("id", mark, "is missing; give the channel's id, or its name and team");
    return "";
  }
  if (!IsMattermostName(name->text)) {
    entry.Problem("name", name->mark, "must be the channel's name as in its address in the browser");
  }
  const std::string& where = own_team ? own_team->text : team;
  if (where.empty()) entry.Problem("team", mark, "is missing: a channel's name is one of its team");
  if (own_team && !IsMattermostName(own_team->text)) {
    entry.Problem("team", own_team->mark, "must be the team's name as in its address in the browser");
  }
  return where + "/" + name->text;
}

}  // namespace

std::optional<DiscordConfig> ReadDiscord(Fields& root, const std::string& base) {
  auto fields = root.Section("discord");
  if (!fields) return std::nullopt;
  DiscordConfig discord;
  discord.guild_id = ReadSnowflake(*fields, "guild_id");
  discord.channels = ReadChannels(*fields, "discord", ReadSnowflake(*fields, "channel_id"), ReadDiscordChannel);
  discord.message_content = fields->Switch("message_content").value_or(discord.message_content);
  discord.api_url = ReadUrl(*fields, "api_url", "http", discord.api_url);
  discord.gateway_url = ReadUrl(*fields, "gateway_url", "ws", "");
  discord.ca_file = ReadPath(*fields, "ca_file", base, "");
  RefuseToken(*fields, "DISCORD_TOKEN");
  fields->Finish();
  if (discord.channels.empty()) {
    root.Warn("discord", fields->mark(), "no channel_id and no channels: notices only go to the log");
  }
  return discord;
}

std::optional<MattermostConfig> ReadMattermost(Fields& root, const std::string& base,
                                               const std::optional<AccessConfig>& access) {
  auto fields = root.Section("mattermost");
  if (!fields) return std::nullopt;
  MattermostConfig mattermost;
  mattermost.url = ReadUrl(*fields, "url", "http", "");
  if (fields->Find("url") == nullptr) fields->Problem("url", fields->mark(), "is missing");
  std::string team;
  if (const auto given = fields->Text("team")) {
    team = given->text;
    if (!IsMattermostName(team)) {
      fields->Problem("team", given->mark, "must be the team's name as in its address in the browser");
    }
  }
  mattermost.channels =
      ReadChannels(*fields, "mattermost", ReadMattermostOnly(*fields),
                   [&team](Fields& entry, Mark mark) { return ReadMattermostChannel(entry, mark, team); });
  mattermost.answers = fields->Word("answers", kAnswers).value_or(mattermost.answers);
  mattermost.direct_messages = fields->Switch("direct_messages").value_or(mattermost.direct_messages);
  mattermost.ca_file = ReadPath(*fields, "ca_file", base, "");
  RefuseToken(*fields, "MATTERMOST_TOKEN");
  fields->Finish();
  if (mattermost.direct_messages && !access) {
    fields->Problem("direct_messages", fields->Find("direct_messages")->mark,
                    "needs a section access, since whoever is on the server can write to the bot");
  }
  const bool given = fields->Find("channel") != nullptr || fields->Find("channels") != nullptr;
  if (mattermost.channels.empty() && !given && !mattermost.direct_messages) {
    fields->Problem("channel", fields->mark(), "is missing");
  }
  return mattermost;
}

}  // namespace shipmate::config
