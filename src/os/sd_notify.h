#pragma once

// ServiceLink: what this program tells the service manager that started it (systemd): ready, stopping, alive, and one
// line of status. It speaks the datagrams of sd_notify(3) by itself, and needs no library. Without such a manager every
// call is a success without effect. Nothing here blocks, and nothing is kept open.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace shipmate::os {

class ServiceLink {
 public:
  /// From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. They are left as they are, for the program that may replace
  /// this one in the same process.
  static ServiceLink FromEnvironment();
  /// Those variables: they speak of this process, and no child should have them.
  static const std::vector<std::string>& Variables();

  bool Listening() const { return !socket_.empty(); }
  /// How often, at the least, the manager wants to hear WATCHDOG=1; nullopt when it does not watch.
  std::optional<std::chrono::microseconds> Watchdog() const { return watchdog_; }

  /// Sends assignments, one a line: "READY=1\nSTATUS=3 services run". kIo when they cannot be delivered.
  Result<void> Send(std::string_view assignments) const;

 private:
  /// A path, or "@name" in the abstract namespace (unix(7)); empty without a manager.
  std::string socket_;
  std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace shipmate::os
