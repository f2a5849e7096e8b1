#include "service/log_retention.h"

#include <algorithm>
#include <tuple>

#include "os/sparse_file.h"

namespace shipmate::service {

LogPlan PlanLogs(std::vector<LogUse> files, std::uint64_t bound, std::size_t files_kept) {
  using os::kFreeUnit;
  std::ranges::sort(files, {}, [](const LogUse& use) { return std::tie(use.current, use.modified, use.file); });
  std::uint64_t total = 0;
  for (const LogUse& use : files) total += use.used;
  std::size_t left = files.size();
  LogPlan plan;
  for (const LogUse& use : files) {
    const std::uint64_t excess = total > bound ? total - bound : 0;
    const std::uint64_t spare = excess / kFreeUnit * kFreeUnit;
    if (!use.current && (left > files_kept || (use.used > 0 && spare >= use.used))) {
      plan.remove.push_back(use.file);
      total -= use.used;
      --left;
      continue;
    }
    if (spare == 0) continue;
    const std::uint64_t begin = std::min(kFreeUnit, use.size);
    const std::uint64_t from = std::max(begin, use.retained_from) / kFreeUnit * kFreeUnit;
    const std::uint64_t last = use.size > 0 ? (use.size - 1) / kFreeUnit * kFreeUnit : 0;
    const std::uint64_t end = std::min(from + spare, last);
    if (end <= from) continue;
    plan.free.push_back({.file = use.file, .begin = begin, .end = end});
    total -= std::min(end - from, use.used);
  }
  return plan;
}

std::chrono::milliseconds LookPace::Next(std::uint64_t grown, std::chrono::nanoseconds elapsed, std::uint64_t room,
                                         std::uint64_t bound) {
  using std::chrono::milliseconds;
  constexpr milliseconds kShortest{50};
  constexpr milliseconds kLongest{1000};
  const milliseconds step = step_;
  step_ = std::min(step_ * 2, kLongest);
  if (grown == 0) return step;
  const double seconds = std::max(std::chrono::duration<double>(elapsed).count(), 0.001);
  const double rate = static_cast<double>(grown) / seconds;
  const std::uint64_t slack = room + bound / 8;
  const double until = static_cast<double>(slack) / rate;
  const auto by_rate = milliseconds(static_cast<std::int64_t>(std::min(until, 1.0) * 1000.0));
  return std::clamp(by_rate, kShortest, std::max(step, kShortest));
}

void SizeHistory::Add(base::WallTime time, std::uint64_t size) {
  constexpr std::size_t kMost = 1024;
  constexpr std::chrono::seconds kResolution{1};
  const std::size_t count = samples_.size();
  // The newest is always there, so that a quiet time afterwards begins at the right size.
  if (count >= 2 && time - samples_[count - 2].time < kResolution) {
    samples_.back() = {.time = time, .size = size};
    return;
  }
  samples_.push_back({.time = time, .size = size});
  if (samples_.size() <= kMost) return;
  // The older, the coarser: a sample goes whose neighbours lie close together for its age.
  constexpr int kPart = 32;
  std::vector<Sample> thinned = {samples_.front()};
  for (std::size_t i = 1; i + 1 < samples_.size(); ++i) {
    const auto gap = samples_[i + 1].time - thinned.back().time;
    if (gap >= (time - samples_[i].time) / kPart) thinned.push_back(samples_[i]);
  }
  thinned.push_back(samples_.back());
  samples_ = std::move(thinned);
  if (samples_.size() > kMost) samples_.erase(samples_.begin());
}

std::optional<std::uint64_t> SizeHistory::SizeAt(base::WallTime time) const {
  const auto after = std::ranges::upper_bound(samples_, time, {}, &Sample::time);
  if (after == samples_.begin()) return std::nullopt;
  return std::prev(after)->size;
}

void SizeHistory::Shift(std::int64_t bytes) {
  for (Sample& sample : samples_) {
    const std::int64_t moved = static_cast<std::int64_t>(sample.size) - bytes;
    sample.size = static_cast<std::uint64_t>(std::max<std::int64_t>(moved, 0));
  }
}

}  // namespace shipmate::service
