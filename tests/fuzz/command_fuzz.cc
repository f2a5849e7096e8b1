#include <cstddef>
#include <cstdint>
#include <string_view>

#include "check.h"
#include "config/load.h"

using namespace shipmate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto result = config::ParseCommand("x.yaml", text);
  fuzz::DemandOutcome(result, "x.yaml");
  if (result) fuzz::Demand(result->value.Usage().starts_with(result->value.name), "the usage begins with the name");
  return 0;
}
