#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "check.h"
#include "config/load.h"

using namespace shipmate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::map<std::string, std::string> kEnvironment = {{"HOME", "/root"}, {"A", "$A"}};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto result = config::ParseEnvText(".env", text, kEnvironment);
  fuzz::DemandOutcome(result, ".env");
  if (!result) return 0;
  for (const auto& [name, value] : result->value) {
    fuzz::Demand(!name.empty() && base::EscapeNonAscii(name) == name, "a name is ASCII");
    // What was read can be written and read again: single quotes are literal.
    if (value.find_first_of("'\\\r") != std::string::npos) continue;
    const auto again = config::ParseEnvText(".env", name + "='" + value + "'", {});
    fuzz::Demand(again.has_value() && again->value.at(name) == value, "a quoted value reads as it is");
  }
  return 0;
}
