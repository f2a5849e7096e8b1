#include "bench/figures.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>

namespace shipmate::bench {

double Percentile(std::vector<double> values, double percent) {
  std::ranges::sort(values);
  const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(values.size())));
  return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
}

void Print(const Figure& figure, std::vector<double> values) {
  const auto [least, greatest] = std::ranges::minmax(values);
  const std::string variant =
      figure.variant.empty() ? std::string() : fmt::format(R"(,"variant":"{}")", figure.variant);
  const std::string line = fmt::format(
      R"({{"bench":"{}","what":"{}"{},"n":{},"value":{:.4g},"unit":"{}","runs":{},"min":{:.4g},"max":{:.4g}}})",
      figure.bench, figure.what, variant, figure.n, Percentile(values, 50), figure.unit, values.size(), least,
      greatest);
  std::puts(line.c_str());
  std::fflush(stdout);
}

Memory ReadMemory() {
  constexpr double kKibInMib = 1024;
  Memory memory;
  std::ifstream rollup("/proc/self/smaps_rollup");
  std::string word;
  while (rollup >> word) {
    double* field = nullptr;
    if (word == "Pss:") field = &memory.proportional;
    if (word == "Rss:") field = &memory.resident;
    if (word == "Anonymous:") field = &memory.anonymous;
    if (field != nullptr && rollup >> *field) *field /= kKibInMib;
  }
  return memory;
}

std::chrono::microseconds CpuTime() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = std::chrono::seconds(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
  return seconds + std::chrono::microseconds(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

}  // namespace shipmate::bench
