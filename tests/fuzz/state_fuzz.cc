#include <cstddef>
#include <cstdint>
#include <string_view>

#include "check.h"
#include "service/state.h"

using namespace shipmate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto state = service::ParseState(text);
  if (!state) {
    fuzz::Demand(base::EscapeControls(state.error().what) == state.error().what, "an error is one line");
    return 0;
  }
  fuzz::Demand(!state->backend || (state->backend->pid >= 0 && state->backend->pgid >= 0), "no negative process ids");
  const auto again = service::ParseState(service::ToJson(*state));
  fuzz::Demand(again.has_value(), "what is written can be read");
  fuzz::Demand(service::ToJson(*again) == service::ToJson(*state), "and is the same");
  return 0;
}
