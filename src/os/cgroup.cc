#include "os/cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "os/proc_info.h"
#include "os/unique_fd.h"

namespace shipmate::os {

namespace {

constexpr unsigned kGroupMode = 0755;
// Groups of another run that are younger may be just about to be entered.
constexpr std::chrono::hours kLeftBehind{1};

// Files of cgroupfs show no size, so they are read until they end.
std::string ReadControl(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> piece{};
  constexpr std::size_t kMost = std::size_t{1} << 20U;
  while (file && text.size() < kMost) {
    const ssize_t got = ::read(file.Get(), piece.data(), piece.size());
    if (got <= 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  return text;
}

Result<void> WriteControl(const std::string& path, const std::string& value) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.Get(), value.data(), value.size()) < 0) {
    return FailErrno(errno, "writing " + value + " to " + path);
  }
  return {};
}

bool Exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

// The directories right below `dir`.
std::vector<std::string> Below(const std::string& dir) {
  std::vector<std::string> names;
  std::error_code failed;
  std::filesystem::directory_iterator entry(dir, failed);
  for (const std::filesystem::directory_iterator end; !failed && entry != end; entry.increment(failed)) {
    std::error_code ignored;
    if (entry->is_directory(ignored)) names.push_back(entry->path().filename().string());
  }
  return names;
}

bool HasWord(std::string_view text, std::string_view word) {
  return std::ranges::any_of(base::Split(text, ' '),
                             [word](std::string_view other) { return base::Trim(other) == word; });
}

bool SystemdRuns() {
  // sd_booted(3).
  return Exists("/run/systemd/system");
}

// systemd marks what it has delegated (Control Group APIs and Delegation, systemd.io).
bool IsDelegated(const std::string& dir) {
  return std::ranges::any_of(std::array{"trusted.delegate", "user.delegate"}, [&dir](const char* name) {
    std::array<char, 8> value{};
    return ::getxattr(dir.c_str(), name, value.data(), value.size()) == 1 && value[0] == '1';
  });
}

// The directory below which groups may be made: our own, or the one above when we were put into a group of our own
// below a delegated one (DelegateSubgroup=). "" when none is ours to divide.
std::string DivisibleDir(const std::string& own) {
  if (!SystemdRuns() || IsDelegated(own)) return own;
  std::string above = std::filesystem::path(own).parent_path().string();
  return IsDelegated(above) ? above : "";
}

void RemoveEmpty(const std::string& dir, std::time_t before) {
  struct stat info{};
  if (::stat(dir.c_str(), &info) != 0 || info.st_mtime > before) return;
  for (const std::string& name : Below(dir)) ::rmdir((dir + "/" + name).c_str());
  ::rmdir(dir.c_str());
}

// Groups of runs that are over: of this state directory all, of others those that are old. One that is in use cannot be
// removed.
void ClearAway(const std::string& dir, const std::string& own) {
  const std::time_t now = std::time(nullptr);
  for (const std::string& name : Below(dir)) {
    if (!name.starts_with("shipmate-")) continue;
    RemoveEmpty(dir + "/" + name, name == own ? now : now - std::chrono::seconds(kLeftBehind).count());
  }
}

}  // namespace

namespace internal {

// Lines of mountinfo, proc(5): id parent major:minor root mount-point options [optional...] - type source options.
std::vector<Hierarchy> ParseHierarchies(std::string_view mounts, std::string_view places) {
  std::vector<Hierarchy> hierarchies;
  for (const std::string_view mount : base::Split(mounts, '\n')) {
    const std::vector<std::string_view> fields = base::Split(mount, ' ');
    const auto dash = std::ranges::find(fields, "-");
    if (fields.size() < 10 || fields.end() - dash < 4) continue;
    const bool version2 = dash[1] == "cgroup2";
    // A blank or backslash in a path is escaped there; no system mounts its groups on one.
    if ((!version2 && dash[1] != "cgroup") || mount.contains('\\')) continue;
    const std::vector<std::string_view> options = base::Split(dash[3], ',');
    const std::string_view root = fields[3] == "/" ? "" : fields[3];

    // Lines of cgroup, cgroups(7): number:controllers:path.
    for (const std::string_view place : base::Split(places, '\n')) {
      const std::size_t first = place.find(':');
      const std::size_t second = first == std::string_view::npos ? first : place.find(':', first + 1);
      if (second == std::string_view::npos) continue;
      const std::string_view names = place.substr(first + 1, second - first - 1);
      std::string_view path = place.substr(second + 1);
      const std::vector<std::string_view> controllers = base::Split(names, ',');
      const bool same =
          version2 ? names.empty() : !names.empty() && std::ranges::find(options, controllers[0]) != options.end();
      if (!same || !path.starts_with(root)) continue;
      path.remove_prefix(root.size());
      // Outside of what our name space shows.
      if (path.starts_with("/..") || (!path.empty() && path[0] != '/')) continue;
      Hierarchy hierarchy{.version2 = version2, .controllers = {}, .dir = std::string(fields[4])};
      if (!version2) hierarchy.controllers.assign(controllers.begin(), controllers.end());
      if (path != "/") hierarchy.dir += path;
      const bool known = std::ranges::any_of(hierarchies, [&](const Hierarchy& other) {
        return other.version2 == version2 && other.controllers == hierarchy.controllers;
      });
      if (!known) hierarchies.push_back(std::move(hierarchy));
      break;
    }
  }
  return hierarchies;
}

std::optional<std::string> ServiceIn(std::string_view places, std::string_view name) {
  const std::string middle = "/" + std::string(name) + "/";
  for (const std::string_view line : base::Split(places, '\n')) {
    const std::size_t at = line.rfind(middle);
    if (at == std::string_view::npos) continue;
    const std::string_view service = line.substr(at + middle.size());
    if (!service.empty() && !service.contains('/')) return std::string(service);
  }
  return std::nullopt;
}

}  // namespace internal

Cgroups Cgroups::Detect(const std::string& state_id) {
  Cgroups groups(state_id);
  auto hierarchies = internal::ParseHierarchies(ReadControl("/proc/self/mountinfo"), ReadControl("/proc/self/cgroup"));
  groups.why_ = hierarchies.empty() ? "no control groups are mounted" : "";
  for (Hierarchy& hierarchy : hierarchies) {
    // Without a controller of its own, systemd's.
    if (!hierarchy.version2 &&
        std::ranges::find(hierarchy.controllers, "name=systemd") != hierarchy.controllers.end()) {
      continue;
    }
    hierarchy.dir = DivisibleDir(hierarchy.dir);
    if (hierarchy.dir.empty()) {
      groups.why_ = "systemd has not delegated our control group (Delegate=yes in the unit)";
      continue;
    }
    ClearAway(hierarchy.dir, groups.name_);
    auto& known = groups.hierarchies_;
    known.insert(hierarchy.version2 ? known.begin() : known.end(), std::move(hierarchy));
  }
  for (const Hierarchy& hierarchy : groups.hierarchies_) {
    const auto any = {"pids", "memory", "freezer"};
    const bool follows = hierarchy.version2 || std::ranges::any_of(any, [&](const char* controller) {
                           return std::ranges::find(hierarchy.controllers, controller) != hierarchy.controllers.end();
                         });
    if (!follows) continue;
    const std::string dir = hierarchy.dir + "/" + groups.name_;
    if (::mkdir(dir.c_str(), kGroupMode) == 0 || errno == EEXIST) {
      ::rmdir(dir.c_str());
      groups.track_ = hierarchy.dir;
      groups.why_.clear();
      break;
    }
    groups.why_ = FailErrno(errno, "making control group " + dir).error().what;
  }
  return groups;
}

Result<std::string> Cgroups::MakeGroup(const Hierarchy& hierarchy, const std::string& service) const {
  const std::string parent = hierarchy.dir + "/" + name_;
  std::string dir = parent + "/" + service;
  // Twice: another service's end may remove the parent in between.
  for (int attempt = 0; attempt < 2; ++attempt) {
    ::mkdir(parent.c_str(), kGroupMode);
    if (::mkdir(dir.c_str(), kGroupMode) == 0) return dir;
    if (errno == EEXIST && Exists(dir + "/cgroup.procs")) return dir;
  }
  return FailErrno(errno, "making control group " + dir);
}

const Hierarchy* Cgroups::Controlling(const std::string& controller, std::string& why) const {
  why = "no " + controller + " controller of this machine is open to us";
  for (const Hierarchy& hierarchy : hierarchies_) {
    if (!hierarchy.version2) {
      if (std::ranges::find(hierarchy.controllers, controller) != hierarchy.controllers.end()) return &hierarchy;
      continue;
    }
    if (!HasWord(ReadControl(hierarchy.dir + "/cgroup.controllers"), controller)) continue;
    // A controller works for the groups below a directory once it is switched on there, which the kernel refuses where
    // processes are in the directory itself (cgroups(7), "no internal processes").
    const std::string parent = hierarchy.dir + "/" + name_;
    ::mkdir(parent.c_str(), kGroupMode);
    Result<void> on;
    for (const std::string& dir : {hierarchy.dir, parent}) {
      const std::string file = dir + "/cgroup.subtree_control";
      if (on && !HasWord(ReadControl(file), controller)) on = WriteControl(file, "+" + controller);
    }
    if (on) return &hierarchy;
    why = on.error().what;
  }
  return nullptr;
}

ServiceGroup Cgroups::Prepare(const std::string& service, const GroupLimits& limits) const {
  ServiceGroup group;
  const auto limit = [&](const char* controller, const char* file, const char* file1,
                         const std::optional<std::uint64_t>& value) -> std::string {
    if (!value) return "";
    std::string why;
    const Hierarchy* hierarchy = Controlling(controller, why);
    if (hierarchy == nullptr) return why;
    const auto dir = MakeGroup(*hierarchy, service);
    if (!dir) return dir.error().what;
    const auto set = WriteControl(*dir + "/" + (hierarchy->version2 ? file : file1), std::to_string(*value));
    if (!set) return set.error().what;
    if (std::ranges::find(group.dirs, *dir) == group.dirs.end()) group.dirs.push_back(*dir);
    return "";
  };
  group.no_memory_limit = limit("memory", "memory.max", "memory.limit_in_bytes", limits.memory);
  group.no_process_limit = limit("pids", "pids.max", "pids.max", limits.processes);

  const auto tracking = std::ranges::find(hierarchies_, track_, &Hierarchy::dir);
  if (!Usable() || tracking == hierarchies_.end()) return group;
  const auto dir = MakeGroup(*tracking, service);
  if (!dir) return group;
  // What an earlier start asked for, and this one does not.
  for (const auto& [file, value] : {std::pair("memory.max", limits.memory), std::pair("pids.max", limits.processes)}) {
    const std::string path = *dir + "/" + file;
    if (!value && tracking->version2 && Exists(path)) static_cast<void>(WriteControl(path, "max"));
  }
  if (std::ranges::find(group.dirs, *dir) == group.dirs.end()) group.dirs.push_back(*dir);
  group.populated = Populated(service);
  return group;
}

bool Cgroups::Populated(const std::string& service) const {
  if (!Usable()) return false;
  const std::string members = ReadControl(track_ + "/" + name_ + "/" + service + "/cgroup.procs");
  const std::string own = std::to_string(OwnPid());
  // 0 is a process outside of our name space, which nothing here could signal.
  return std::ranges::any_of(base::Split(members, '\n'),
                             [&own](std::string_view pid) { return !pid.empty() && pid != "0" && pid != own; });
}

void Cgroups::Kill(const std::string& service) const {
  if (!Usable()) return;
  const std::string dir = track_ + "/" + name_ + "/" + service;
  // It reaches groups below as well: those of a Shipmate that this service is, and whose services shall outlive it.
  if (!Below(dir).empty()) return;
  if (Exists(dir + "/cgroup.kill")) static_cast<void>(WriteControl(dir + "/cgroup.kill", "1"));
}

void Cgroups::Remove(const std::string& service) const {
  for (const Hierarchy& hierarchy : hierarchies_) {
    const std::string parent = hierarchy.dir + "/" + name_;
    ::rmdir((parent + "/" + service).c_str());
    ::rmdir(parent.c_str());
  }
}

std::optional<std::string> Cgroups::ServiceOf(pid_t pid) const {
  return internal::ServiceIn(ReadControl("/proc/" + std::to_string(pid) + "/cgroup"), name_);
}

}  // namespace shipmate::os
