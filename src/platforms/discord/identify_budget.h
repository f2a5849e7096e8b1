#pragma once

// IdentifyBudget: how many sessions this bot has begun in the last 24 hours. Discord resets the token of a bot that
// begins more than 1000 in a day (Discord, Gateway, "Session Start Limit Object"), so the count is kept on disk: a
// program that crashes and is restarted all day spends the same budget. Pure but for Load and Save.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace shipmate::platforms::discord {

class IdentifyBudget {
 public:
  /// Sessions a day that Discord grants, and how many of them we never touch.
  static constexpr std::size_t kDaily = 1000;
  static constexpr std::size_t kReserve = 50;
  /// Discord lets one identify through each five seconds (max_concurrency 1).
  static constexpr std::chrono::seconds kSpacing{5};

  /// The budget kept at `path`. A missing file is an empty budget; an unreadable one is too, with the reason in
  /// `*warning` (it must not stop the bot).
  static IdentifyBudget Load(const std::string& path, std::string* warning);

  IdentifyBudget() = default;

  /// How long the next identify has to wait; zero when it may go now. Identifies in the future (the clock was set back)
  /// count as made now.
  std::chrono::milliseconds Wait(base::WallTime now);
  /// Counts one identify.
  void Record(base::WallTime now);
  std::size_t Used(base::WallTime now);
  /// Writes the budget to the path it was loaded from, whole or not at all. Nothing when it has no path.
  Result<void> Save() const;

 private:
  void Settle(base::WallTime now);

  std::string path_;
  /// Oldest first.
  std::vector<base::WallTime> identifies_;
};

}  // namespace shipmate::platforms::discord
