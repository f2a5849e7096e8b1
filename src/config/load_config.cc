#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <map>
#include <utility>

#include "base/result.h"
#include "base/text.h"
#include "config/fields.h"
#include "config/load.h"
#include "config/load_access.h"
#include "config/load_webhook.h"
#include "config/names.h"
#include "config/parse.h"
#include "config/source.h"

namespace shipmate::config {

namespace {

constexpr std::uint64_t kMaxPort = std::numeric_limits<std::uint16_t>::max();
constexpr std::size_t kMaxPrefix = 8;
// Mattermost's ids: 26 letters and digits (model.NewId).
constexpr std::size_t kMattermostId = 26;

const std::vector<std::string> kNotices = {"service", "deploy", "webhook"};

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string ReadPath(Fields& fields, std::string_view key, const std::string& base, const std::string& fallback) {
  const auto path = fields.Text(key);
  if (!path) return fallback.empty() ? "" : ResolvePath(base, fallback);
  if (path->text.empty()) {
    fields.Problem(key, path->mark, "is empty; leave the key out for the default");
  } else if (path->text[0] == '~') {
    fields.Problem(key, path->mark, "\"~\" is not expanded; write the whole path");
  }
  return ResolvePath(base, path->text);
}

// The value is not shown in problems: a URL may hold a password.
std::string ReadUrl(Fields& fields, std::string_view key, std::string_view scheme, std::string fallback) {
  const auto url = fields.Text(key);
  if (!url) return fallback;
  std::string_view rest = url->text;
  const std::string plain = fmt::format("{}://", scheme);
  const std::string secure = fmt::format("{}s://", scheme);
  if (rest.starts_with(plain)) {
    rest.remove_prefix(plain.size());
  } else if (rest.starts_with(secure)) {
    rest.remove_prefix(secure.size());
  } else {
    fields.Problem(key, url->mark, fmt::format("must start with {} or {}", secure, plain));
    return "";
  }
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos) {
    fields.Problem(key, url->mark, "must not hold a user name or password; tokens belong into .env");
  } else if (authority.empty() || authority[0] == ':' || rest.find_first_of(" \"<>\\") != std::string_view::npos) {
    fields.Problem(key, url->mark, "is no URL");
  }
  std::string clean = url->text;
  while (clean.ends_with('/')) clean.pop_back();
  return clean;
}

std::string ReadPrefix(Fields& fields) {
  const auto prefix = fields.Text("prefix");
  if (!prefix) return Config().prefix;
  const std::string& text = prefix->text;
  const bool printable = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F; });
  if (text.empty() || text.size() > kMaxPrefix || !printable || IsAlphanumeric(text[0])) {
    fields.Problem(
        "prefix", prefix->mark,
        fmt::format("must be 1 to {} visible ASCII characters, the first neither letter nor digit", kMaxPrefix));
  }
  return text;
}

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

std::vector<std::string> ReadServiceNames(Fields& fields) {
  std::vector<std::string> services;
  for (const Placed& service : fields.Texts("services")) {
    if (!IsServiceName(service.text)) {
      fields.Problem("services", service.mark, fmt::format("{} is no service name", Shown(service.text)));
    }
    services.push_back(service.text);
  }
  return services;
}

std::vector<ChannelConfig> ReadChannels(Fields& fields) {
  std::vector<ChannelConfig> channels;
  const std::string only = ReadSnowflake(fields, "channel_id");
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
    Fields entry(item, fmt::format("discord.channels[{}]", i + 1), fields.report());
    if (item.kind != Node::Kind::kMap) continue;
    ChannelConfig channel;
    channel.id = ReadSnowflake(entry, "id");
    if (channel.id.empty()) entry.Problem("id", item.mark, "is missing");
    channel.services = ReadServiceNames(entry);
    channel.notices = ReadNotices(entry);
    entry.Finish();
    const auto [first, added] = lines.emplace(channel.id, item.mark.line);
    if (!added && !channel.id.empty()) {
      entry.Problem("id", item.mark, fmt::format("{} is given twice, first on line {}", channel.id, first->second));
    }
    // The same id in `channel_id`: the entry says more about it.
    const auto known = std::ranges::find(channels, channel.id, &ChannelConfig::id);
    if (known != channels.end()) {
      *known = std::move(channel);
    } else {
      channels.push_back(std::move(channel));
    }
  }
  return channels;
}

// The commonest wrong place for a token; the value is not shown.
void RefuseToken(Fields& fields, std::string_view variable) {
  if (const Node* token = fields.Find("token")) {
    fields.Problem(
        "token", token->key_mark,
        fmt::format("tokens do not belong here: move it to .env as {}, and replace it if others saw this file",
                    variable));
  }
}

std::optional<DiscordConfig> ReadDiscord(Fields& root, const std::string& base) {
  auto fields = root.Section("discord");
  if (!fields) return std::nullopt;
  DiscordConfig discord;
  discord.guild_id = ReadSnowflake(*fields, "guild_id");
  discord.channels = ReadChannels(*fields);
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

std::optional<MattermostConfig> ReadMattermost(Fields& root, const std::string& base) {
  auto fields = root.Section("mattermost");
  if (!fields) return std::nullopt;
  MattermostConfig mattermost;
  mattermost.url = ReadUrl(*fields, "url", "http", "");
  if (fields->Find("url") == nullptr) fields->Problem("url", fields->mark(), "is missing");
  const auto channel = fields->Text("channel");
  if (!channel) {
    if (fields->Find("channel") == nullptr) fields->Problem("channel", fields->mark(), "is missing");
  } else {
    const std::string& text = channel->text;
    const std::size_t slash = text.find('/');
    const bool pair = slash != std::string::npos && slash > 0 && slash + 1 < text.size() &&
                      text.find_first_of("/ \t", slash + 1) == std::string::npos && text.find(' ') == std::string::npos;
    const bool id = text.size() == kMattermostId && std::ranges::all_of(text, IsAlphanumeric);
    if (!pair && !id) {
      fields->Problem("channel", channel->mark,
                      fmt::format("invalid channel {}: use \"team/channel-name\" or the channel's id of {} characters",
                                  Shown(text), kMattermostId));
    }
    mattermost.channel = text;
  }
  mattermost.ca_file = ReadPath(*fields, "ca_file", base, "");
  RefuseToken(*fields, "MATTERMOST_TOKEN");
  fields->Finish();
  return mattermost;
}

std::optional<DashboardConfig> ReadDashboard(Fields& root) {
  auto fields = root.Section("dashboard");
  if (!fields) return std::nullopt;
  DashboardConfig section;
  if (const auto port = fields->Number("port", 1, kMaxPort)) {
    section.port = static_cast<std::uint16_t>(*port);
  } else if (fields->Find("port") == nullptr) {
    fields->Problem("port", fields->mark(), fmt::format("is missing; a number from 1 to {}", kMaxPort));
  }
  fields->Finish();
  return section;
}

Config ReadConfig(const Node& root, const std::string& base, Report& report) {
  Fields fields(root, "", report);
  Config config;
  config.base_dir = base;
  config.services_dir = ReadPath(fields, "services_dir", base, "services");
  config.log_dir = ReadPath(fields, "log_dir", base, "logs");
  config.state_dir = ReadPath(fields, "state_dir", base, "state");
  config.commands_dir = ReadPath(fields, "commands_dir", base, "");
  config.prefix = ReadPrefix(fields);
  config.log_max_size = fields.Size("log_max_size", kMinLogSize, kMaxLogSize).value_or(config.log_max_size);
  config.max_parallel_deploys = static_cast<unsigned>(
      fields.Number("max_parallel_deploys", 1, kMostParallelDeploys).value_or(config.max_parallel_deploys));
  config.stop_on_exit = fields.Switch("stop_on_exit").value_or(config.stop_on_exit);
  config.access = ReadAccess(fields);
  config.discord = ReadDiscord(fields, base);
  config.mattermost = ReadMattermost(fields, base);
  config.webhook = ReadWebhook(fields, base);
  config.dashboard = ReadDashboard(fields);
  if (const Node* matrix = fields.Find("matrix")) {
    fields.Warn("matrix", matrix->key_mark, "Matrix is not supported; the section is ignored");
  }
  fields.Finish();
  return config;
}

}  // namespace

LoadResult<Config> ParseConfig(const std::string& path, std::string_view text, const std::string& base_dir) {
  Report report(path, "parsing config: ");
  Config config;
  if (const auto root = ReadMapping(text, report)) config = ReadConfig(*root, base_dir, report);
  if (report.Failed()) return std::unexpected(report.TakeProblems());
  return Loaded<Config>{std::move(config), report.TakeWarnings()};
}

LoadResult<Config> LoadConfig(const std::string& path) {
  const auto text = ReadSource(path);
  if (!text) return std::unexpected(Problems{"reading config: " + text.error().what});
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error) return std::unexpected(Problems{"reading config: " + FailErrno(error.value(), path).error().what});
  return ParseConfig(path, *text, ResolvePath(absolute.parent_path().string(), "."));
}

}  // namespace shipmate::config
