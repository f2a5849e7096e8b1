#pragma once

// What a program is started with beyond its arguments, directory, environment and output. Anything set here is applied
// by our own program in its helper mode (os/exec_helper.h), in the new process and before the program's own code.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace shipmate::os {

struct ExecSettings {
  /// Name or number of the user to become, with all its groups; "" = ours. HOME, USER, LOGNAME and SHELL come from the
  /// user database where the given environment lacks them.
  std::string user;
  /// Name or number of the primary group; "" = the user's, or ours.
  std::string group;
  std::optional<unsigned> umask;
  std::optional<int> nice;
  std::optional<int> oom_score_adj;
  /// Resource limits, soft and hard (setrlimit(2)): RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_CORE in bytes.
  std::optional<std::uint64_t> open_files;
  std::optional<std::uint64_t> processes;
  std::optional<std::uint64_t> core;
  /// Directories of control groups to enter; one that cannot be entered is a warning, no failure.
  std::vector<std::string> groups;

  bool operator==(const ExecSettings&) const = default;
  /// Whether anything is set.
  bool Any() const { return *this != ExecSettings(); }
};

}  // namespace shipmate::os
