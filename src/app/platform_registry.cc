#include "app/platform_registry.h"

#include "platforms/discord/discord.h"
#include "platforms/mattermost/mattermost.h"

namespace shipmate::app {

namespace {

std::unique_ptr<chat::Frontend> Discord(const PlatformContext& context, std::vector<std::string>& warnings) {
  const auto& section = context.config.discord;
  if (!section) {
    if (!context.env.discord_token.Empty()) {
      warnings.emplace_back("DISCORD_TOKEN is set but config.yaml has no `discord:` section: Discord is off");
    }
    return nullptr;
  }
  if (context.env.discord_token.Empty()) {
    warnings.emplace_back("config.yaml has a `discord:` section but DISCORD_TOKEN is empty: Discord is off");
    return nullptr;
  }
  return platforms::discord::CreateDiscord(context.executor, *section, context.env.discord_token,
                                           context.config.state_dir, context.clock, context.config.prefix);
}

std::unique_ptr<chat::Frontend> Mattermost(const PlatformContext& context, std::vector<std::string>& warnings) {
  const auto& section = context.config.mattermost;
  if (!section) {
    if (!context.env.mattermost_token.Empty()) {
      warnings.emplace_back("MATTERMOST_TOKEN is set but config.yaml has no `mattermost:` section: Mattermost is off");
    }
    return nullptr;
  }
  if (context.env.mattermost_token.Empty()) {
    warnings.emplace_back("config.yaml has a `mattermost:` section but MATTERMOST_TOKEN is empty: Mattermost is off");
    return nullptr;
  }
  return platforms::mattermost::CreateMattermost(context.executor, *section, context.env.mattermost_token,
                                                 context.clock);
}

using Factory = std::unique_ptr<chat::Frontend> (*)(const PlatformContext&, std::vector<std::string>&);

constexpr Factory kPlatforms[] = {&Discord, &Mattermost};

}  // namespace

std::vector<std::unique_ptr<chat::Frontend>> CreateFrontends(const PlatformContext& context,
                                                             std::vector<std::string>& warnings) {
  std::vector<std::unique_ptr<chat::Frontend>> frontends;
  for (const Factory factory : kPlatforms) {
    if (auto frontend = factory(context, warnings)) frontends.push_back(std::move(frontend));
  }
  if (context.config.dashboard) {
    warnings.emplace_back("config.yaml has a `dashboard:` section, which this version does not serve yet");
  }
  return frontends;
}

}  // namespace shipmate::app
