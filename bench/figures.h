#pragma once

// Figures: what a benchmark found, one JSON line each on standard output; and what a process uses, as the kernel counts
// it. Times come from the steady clock, which all processes of a machine share.

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace shipmate::bench {

struct Figure {
  std::string bench;
  std::string what;
  std::string variant;
  /// How many of whatever is counted: services, events, commands.
  std::size_t n = 0;
  std::string unit;
};

/// Prints the median of `values` as the value, with their number, least and greatest. REQUIRES: values not empty.
void Print(const Figure& figure, std::vector<double> values);

/// The `percent`-th percentile, by nearest rank. REQUIRES: values not empty.
double Percentile(std::vector<double> values, double percent);

/// Of this process, in MiB.
struct Memory {
  double proportional = 0;
  double resident = 0;
  double anonymous = 0;
};
Memory ReadMemory();

/// User and system time of this process so far, all threads.
std::chrono::microseconds CpuTime();

inline double Milliseconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

}  // namespace shipmate::bench
