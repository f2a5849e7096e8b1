#pragma once

// What the backends that command a unit manager (systemd, launchd) share: running its program and turning its failure
// into one sentence with a cure, checking the name of a unit before it is put on a command line, and cutting a log to
// its end. Nothing here holds state; nothing goes through a shell.

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/result.h"

namespace shipmate::service::backends {

/// How long a question may take, and how long a job that starts or stops a unit: systemd itself gives a unit 90 seconds
/// for each of stop and start before it kills (systemd.service(5), TimeoutSec=), and a restart is both.
inline constexpr std::chrono::seconds kQuestionLimit{15};
inline constexpr std::chrono::seconds kJobLimit{200};

struct UnitCommand {
  std::vector<std::string> argv;
  /// The whole environment; the program is found on its PATH.
  std::vector<std::string> environment;
  /// Names the attempt in errors: "systemctl start api.service".
  std::string what;
  std::chrono::milliseconds limit = kQuestionLimit;
  std::size_t output_limit = std::size_t{256} * 1024;
};

/// What the command printed, both streams, when it exits with 0. Otherwise an error "<what>: exit status 5: <the end of
/// its output>", followed by "; <what to do>" where the cause is a known one. It runs with LC_ALL=C.UTF-8.
Task<Result<std::string>> RunUnitCommand(UnitCommand command);

/// kInvalid unless `name` is made of the characters of unit names (systemd.unit(5): letters, digits, ":-_.\@"), is not
/// too long and does not start with "-": no option, no glob pattern, no path can come in by it. `kind` names it in the
/// error ("unit", "label").
Result<void> CheckUnitName(std::string_view kind, std::string_view name);

/// The last `bytes` bytes of `text`, less the rest of a code point cut in two.
std::string TailOfLog(std::string_view text, std::size_t bytes);

}  // namespace shipmate::service::backends
