#include "app/platform_registry.h"
#include <array>

namespace shipmate::app {

namespace {

using Factory = std::unique_ptr<chat::Frontend> (*)(const PlatformContext&, std::vector<std::string>&);

constexpr std::array<Factory, 0> kPlatforms = {};

}  // namespace

std::vector<std::unique_ptr<chat::Frontend>> CreateFrontends(const PlatformContext& context,
                                                             std::vector<std::string>& warnings) {
  std::vector<std::unique_ptr<chat::Frontend>> frontends;
  for (const Factory factory : kPlatforms) {
    if (auto frontend = factory(context, warnings)) frontends.push_back(std::move(frontend));
  }
  if (context.config.mattermost) {
    warnings.emplace_back("config.yaml has a `mattermost:` section, which this version does not serve yet");
  }
  if (context.config.webhook) {
    warnings.emplace_back("config.yaml has a `webhook:` section, which this version does not serve yet");
  }
  if (context.config.dashboard) {
    warnings.emplace_back("config.yaml has a `dashboard:` section, which this version does not serve yet");
  }
  return frontends;
}

}  // namespace shipmate::app
