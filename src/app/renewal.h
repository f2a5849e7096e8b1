#pragma once

// Renewal: the restart of the program itself, after a deploy of it or at a person's word. It waits until no deploy
// runs, checks the program that now stands at the path this one was started by, and then has systemd restart the unit
// that this is, or the app become the new program (handover.h). Whatever fails on the way changes nothing: it is said,
// and the running version goes on.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "async/spawn.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "service/backends/own_unit.h"

namespace shipmate::app {

/// How this program was started, and so how to start its successor.
struct Program {
  std::string path;
  std::vector<std::string> argv;
};

struct RenewalSetup {
  Executor executor;
  Program program;
  std::string version;
  std::string state_dir;
  /// For helpers: without secrets.
  std::vector<std::string> environment;
  const base::Clock& clock;
  /// A deploy runs or waits.
  std::function<bool()> deploying;
  /// For a person, in every channel.
  std::function<void(std::string)> say;
  /// Ends the app, which then becomes the new program.
  std::function<void()> become;
};

class Renewal {
 public:
  explicit Renewal(RenewalSetup setup);

  void SetUnit(std::optional<service::backends::OwnUnit> unit) { unit_ = std::move(unit); }
  /// Begins, unless one is under way. `why` for the log: "deploy of shipmate".
  void Begin(std::string why);
  /// systemd was asked to restart us: the signal that comes now is no wish to end.
  bool AwaitsUnit() const { return awaits_unit_; }

  void Cancel() { work_.Cancel(); }
  Task<bool> Join(std::chrono::milliseconds limit) { return work_.Join(limit); }

 private:
  Task<void> Renew();
  Task<void> WaitForDeploys();
  Task<Result<void>> CheckProgram();
  Task<Result<std::string>> Ask(std::string argument);
  /// True when systemd has taken the restart over.
  Task<bool> AskSystemd(service::backends::OwnUnit unit);

  // Constant after construction.
  const RenewalSetup setup_;

  std::optional<service::backends::OwnUnit> unit_;
  bool under_way_ = false;
  bool awaits_unit_ = false;
  async::TaskGroup work_;
};

/// The note to the next program that it continues this one; in state_dir, for a restart by systemd starts afresh.
struct RenewalMark {
  std::string version;
  base::WallTime at{};
};
Result<void> WriteRenewalMark(const std::string& state_dir, const RenewalMark& mark);
/// Reads and removes it; nullopt when there is none, or none of the last ten minutes.
std::optional<RenewalMark> TakeRenewalMark(const std::string& state_dir, base::WallTime now);

}  // namespace shipmate::app
