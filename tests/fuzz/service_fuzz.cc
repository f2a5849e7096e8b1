#include <cstddef>
#include <cstdint>
#include <string_view>

#include "check.h"
#include "config/parse.h"

using namespace shipmate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto result = config::ParseService("x.yaml", "x", text, "/srv");
  fuzz::DemandOutcome(result, "x.yaml");
  if (!result) return 0;
  const config::ServiceConfig& service = result->value;
  fuzz::Demand(service == service && service.RunsAlike(service), "a service equals itself");
  fuzz::Demand(service.dir.empty() || service.dir.starts_with('/'), "a directory is absolute");
  fuzz::Demand(service.entrypoint.empty() || !service.entrypoint[0].empty(), "a program has a name");
  fuzz::Demand(
      (service.kind == config::ServiceKind::kProcess) == (!service.entrypoint.empty() || !service.process_cmd.empty()),
      "the kind is told by what runs");
  fuzz::Demand(!(service.self_deploy && !service.ShouldAdopt()), "the bot does not restart itself at every start");
  return 0;
}
