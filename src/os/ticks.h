#pragma once

// The unit in which the kernel counts the times of processes (ProcessStat::cpu_ticks, start_ticks).

#include <cstdint>

namespace shipmate::os {

/// So many ticks are a second. Positive.
std::uint64_t TicksPerSecond();

}  // namespace shipmate::os
