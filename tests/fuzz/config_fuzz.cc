#include <cstddef>
#include <cstdint>
#include <string_view>

#include "check.h"
#include "config/parse.h"

using namespace shipmate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto result = config::ParseConfig("config.yaml", text, "/srv");
  fuzz::DemandOutcome(result, "config.yaml");
  if (!result) return 0;
  const config::Config& config = result->value;
  for (const std::string& path : {config.services_dir, config.log_dir, config.state_dir}) {
    fuzz::Demand(path.starts_with('/'), "a path is absolute");
  }
  fuzz::Demand(!config.prefix.empty() && config.prefix.size() <= 8, "a prefix is short and there");
  fuzz::Demand(!config.webhook || config.webhook->port != 0, "a port is set");
  if (config.discord) {
    for (const auto& channel : config.discord->channels) {
      fuzz::Demand(channel.id.size() >= 17 && channel.id.size() <= 20, "an id has 17 to 20 digits");
    }
  }
  return 0;
}
