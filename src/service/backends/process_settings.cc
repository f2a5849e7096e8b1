#include "service/backends/process_settings.h"

#include "os/users.h"
#include "service/environment.h"

namespace shipmate::service::backends {

namespace {

bool RunsAsRoot(const config::ServiceConfig& service) {
  return service.user.empty() ? os::OwnUid() == 0 : service.user == "root" || service.user == "0";
}

}  // namespace

std::vector<std::string> EnvironmentOf(const BackendContext& context, const std::string& mark, const std::string& dir) {
  auto variables = context.service->env;
  if (!dir.empty()) variables["PWD"] = dir;
  variables[std::string(kInstanceMark)] = mark;
  if (context.service->user.empty()) return WithVariables(*context.environment, variables);
  // The last three are doors to what our user has open.
  static const std::vector<std::string> kOurs = {
      "HOME", "USER", "LOGNAME", "SHELL", "MAIL", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK"};
  return WithVariables(WithoutVariables(*context.environment, kOurs), variables);
}

os::ExecSettings SettingsOf(const config::ServiceConfig& service, const os::ServiceGroup& group,
                            std::vector<std::string>& warnings) {
  os::ExecSettings settings{.user = service.user,
                            .group = service.group,
                            .umask = service.umask,
                            .nice = service.nice,
                            .oom_score_adj = service.oom_score_adj,
                            .open_files = service.limits.open_files,
                            .core = service.limits.core,
                            .groups = group.dirs};
  // No RLIMIT_AS in its place: it bounds addresses, not memory, and breaks programs that reserve much and use little.
  if (!group.no_memory_limit.empty()) {
    warnings.push_back("limits.memory cannot be enforced here: " + group.no_memory_limit);
  }
  if (!group.no_process_limit.empty() && RunsAsRoot(service)) {
    warnings.push_back("limits.processes cannot be enforced here: " + group.no_process_limit);
  } else if (!group.no_process_limit.empty()) {
    // setrlimit(2): RLIMIT_NPROC counts by user, and does not bind root.
    settings.processes = service.limits.processes;
    warnings.push_back("limits.processes counts all processes of its user here: " + group.no_process_limit);
  }
  return settings;
}

}  // namespace shipmate::service::backends
