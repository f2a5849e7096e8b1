#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <utility>

#include "base/result.h"
#include "config/fields.h"
#include "config/load.h"
#include "config/load_access.h"
#include "config/load_platforms.h"
#include "config/load_webhook.h"
#include "config/names.h"
#include "config/parse.h"
#include "config/read_keys.h"
#include "config/source.h"

namespace shipmate::config {

namespace {

constexpr std::uint64_t kMaxPort = std::numeric_limits<std::uint16_t>::max();
constexpr std::size_t kMaxPrefix = 8;

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
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
  config.mattermost = ReadMattermost(fields, base, config.access);
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
