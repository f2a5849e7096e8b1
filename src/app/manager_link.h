#pragma once

// ManagerLink: keeps the service manager (systemd) informed while the program runs: ready, alive as often as it wants
// to hear it, and a line of status for `systemctl status`. That the loop turns is what it means by alive.

#include <functional>
#include <string>

#include "async/spawn.h"
#include "async/task.h"
#include "os/sd_notify.h"

namespace shipmate::app {

class ManagerLink {
 public:
  /// Describes the state in one line; may look at services.
  using Describe = std::function<Task<std::string>()>;

  ManagerLink() : link_(os::ServiceLink::FromEnvironment()) {}

  /// Says "ready", and from then on, as members of `group`, that it lives and how it is. Without a manager nothing.
  void Ready(async::TaskGroup& group, Describe describe);
  /// Says that it ends, with `status` to tell how.
  void Stopping(const std::string& status);
  /// Says `status` alone: the end of this program is not the end of the process.
  void Changing(const std::string& status);

 private:
  void Send(const std::string& assignments);
  Task<void> KeepAlive(std::chrono::milliseconds interval);
  Task<void> ShowStatus(Describe describe);

  const os::ServiceLink link_;
  bool failed_ = false;
};

}  // namespace shipmate::app
