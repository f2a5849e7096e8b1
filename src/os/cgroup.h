#pragma once

// Control groups: one for each service, where this machine lets us make one. A process stays in its group whatever
// sessions, parents and environments it goes through, so the group finds the strays that nothing else finds; and it is
// what can bound the memory of many processes together. Nothing here is ever needed: without a group, services run all
// the same.
//
// Groups are made below our own (so what bounds us bounds them), as shipmate-<state id>/<service>, in the version 2
// hierarchy if there is one, else in one of version 1. Where systemd runs, a group is only ours to divide when it was
// delegated (systemd.resource-control(5), Delegate=). Files of small size are read and written: for the pool.

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace shipmate::os {

/// One mounted hierarchy and where we are in it.
struct Hierarchy {
  bool version2 = false;
  /// Version 1: what it controls. Version 2 tells in its files.
  std::vector<std::string> controllers;
  /// The directory of the group that we are in.
  std::string dir;
  bool operator==(const Hierarchy&) const = default;
};

/// What bounds a group; each is optional.
struct GroupLimits {
  std::optional<std::uint64_t> memory;
  std::optional<std::uint64_t> processes;
};

/// A group that is ready to be entered.
struct ServiceGroup {
  /// Where to enter: for ExecSettings::groups. Empty when no group could be made.
  std::vector<std::string> dirs;
  /// Why a limit that was asked for does not hold; "" when it does.
  std::string no_memory_limit;
  std::string no_process_limit;
  /// Somebody is in it.
  bool populated = false;
};

class Cgroups {
 public:
  /// Looks where we are, and clears away empty groups of ours that a run before left behind. REQUIRES: `state_id` is
  /// safe as a file name.
  static Cgroups Detect(const std::string& state_id);

  /// Whether processes can be followed by a group. If not, Prepare makes none either.
  bool Usable() const { return !track_.empty(); }
  /// Why not.
  const std::string& Why() const { return why_; }

  /// Makes the groups of `service`, or takes those that are there, and sets the limits.
  ServiceGroup Prepare(const std::string& service, const GroupLimits& limits) const;
  /// Whether anybody but us is in the service's group. Unlike a walk over /proc, this cannot miss those that are forked
  /// by others that end meanwhile.
  bool Populated(const std::string& service) const;
  /// Kills all in the service's group at once, whatever they fork (cgroup.kill); does nothing where the kernel cannot,
  /// or where the service made groups of its own below.
  void Kill(const std::string& service) const;
  /// Removes the service's groups where nobody is in them.
  void Remove(const std::string& service) const;
  /// The service of ours whose group `pid` is in; nullopt for none.
  std::optional<std::string> ServiceOf(pid_t pid) const;

 private:
  explicit Cgroups(std::string state_id) : name_("shipmate-" + std::move(state_id)) {}

  /// The hierarchy with `controller`; null, and `why`, when none may be used.
  const Hierarchy* Controlling(const std::string& controller, std::string& why) const;
  Result<std::string> MakeGroup(const Hierarchy& hierarchy, const std::string& service) const;

  std::string name_;
  std::vector<Hierarchy> hierarchies_;
  /// The directory, in the hierarchy for following, below which service groups are made; "" = none.
  std::string track_;
  std::string why_;
};

namespace internal {
/// The hierarchies of /proc/self/mountinfo (`mounts`), each with our place from /proc/self/cgroup (`places`).
std::vector<Hierarchy> ParseHierarchies(std::string_view mounts, std::string_view places);
/// The service that the text of /proc/PID/cgroup names a group of: the part behind `/<name>/` at the end of a line.
std::optional<std::string> ServiceIn(std::string_view places, std::string_view name);
}  // namespace internal

}  // namespace shipmate::os
