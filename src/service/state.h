#pragma once

// What is kept of a service on disk, and what is shown of it: `<state_dir>/<name>.json`, in the reference program's
// readable shape, with members of ours behind. Desired state, observed status and last deploy result are three things.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "os/files.h"
#include "os/proc_info.h"

namespace shipmate::service {

/// Whether the service should run. Kept through restarts of the bot, crashes and failed deploys.
enum class Desired { kUnset, kUp, kDown };

/// The state file. Member order and omission follow the reference: `status` always; times when set; strings when not
/// empty; `backend` when there is a process. Times are RFC 3339 with up to nine fractional digits.
struct State {
  /// Observed: running, stopped, failed, backoff, starting, stopping, deploying (files of the reference only), a
  /// systemd word, or "unknown".
  std::string status;
  base::WallTime last_deploy{};
  base::WallTime last_restart{};
  std::string last_result;  ///< "success", "failed" or ""
  std::string last_output;  ///< at most 64 KiB, its end
  std::string failed_step;
  /// The process, for a process service that has one. Read from the `backend` object, or from the top level of a file
  /// of the legacy format.
  std::optional<os::ProcessState> backend;

  // Members that the reference does not know.
  Desired desired = Desired::kUnset;
  /// Counts starts; saved before each spawn (a file with a generation and no backend means: a start was begun).
  std::uint64_t generation = 0;
  /// A start of `generation` was begun and its process is not recorded yet.
  bool starting = false;
  /// Log file of the current or the last process, absolute.
  std::string log_path;
  /// The deploy under way, while `status` is deploying; its step counts from 1.
  std::uint64_t deploy_id = 0;
  std::uint64_t deploy_step = 0;
  std::uint64_t deploy_steps = 0;
  /// The process of the step under way, which leads a session of its own.
  std::optional<os::ProcessState> step_process;
  /// Why a service that is wanted is not started again by itself until the next boot: "failed" or "finished"; else "".
  std::string halt;
  std::string halt_reason;
  /// The boot that `halt` is of.
  std::string halt_boot;
  /// How the last process that ended by itself ended, "killed by SIGSEGV (core dumped) after 3h", and when that was
  /// seen.
  std::string last_exit;
  base::WallTime last_exit_time{};
  /// Starts of it that nobody asked for, since a person's last word.
  std::uint64_t restarts = 0;
  /// For a service with a schedule: what was due up to here was started, or given up.
  base::WallTime scheduled{};

  bool operator==(const State&) const = default;
};

/// State without `backend`: what APIs and pages show.
struct ServiceState {
  std::string status = "unknown";
  base::WallTime last_deploy{};
  base::WallTime last_restart{};
  std::string last_result;
  std::string last_output;
  std::string failed_step;

  bool operator==(const ServiceState&) const = default;
};

struct LoadedState {
  State state;
  std::string raw;
};

/// How much of a deploy's output a state holds.
inline constexpr std::size_t kKeptOutputBytes = std::size_t{64} * 1024;
/// The end of `output` that is kept: at most kKeptOutputBytes, from the start of a code point.
std::string_view KeptOutput(std::string_view output);

/// Beyond this a file is not read. The reference keeps the whole output of the last deploy in it, hence so much.
inline constexpr std::size_t kStateFileLimit = std::size_t{16} * 1024 * 1024;

/// The compact JSON of the file, without a newline; `<`, `>`, `&` and U+2028/9 escaped as \uXXXX, invalid UTF-8
/// replaced.
std::string ToJson(const State& state);
std::string ToJson(const ServiceState& state);
/// kInvalid for anything but a JSON object with members of the right types. Unknown members are ignored.
Result<State> ParseState(std::string_view json);

std::string StatePath(const std::string& dir, const std::string& name);
/// Writes the file atomically, mode 0640.
Result<void> SaveState(const std::string& dir, const std::string& name, const State& state, os::Sync sync);
/// kNotFound when there is no file; kInvalid when it cannot be understood or is larger than kStateFileLimit; kRefused
/// for a symbolic link, anything but a regular file, one of another user (root's are fine) or one that all may write.
Result<LoadedState> LoadState(const std::string& dir, const std::string& name);
/// Deletes the file; a missing one is fine.
void RemoveState(const std::string& dir, const std::string& name);
/// Moves a file that cannot be understood to `<name>.json.corrupt` (`.corrupt.2`, ... when taken); its new path.
Result<std::string> SetAsideCorruptState(const std::string& dir, const std::string& name);

}  // namespace shipmate::service
