#include "os/ticks.h"

#include <unistd.h>

namespace shipmate::os {

std::uint64_t TicksPerSecond() {
  static const long ticks = ::sysconf(_SC_CLK_TCK);
  return ticks > 0 ? static_cast<std::uint64_t>(ticks) : 100;
}

}  // namespace shipmate::os
