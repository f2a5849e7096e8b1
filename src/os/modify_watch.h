#pragma once

// ModifyWatch: tells when files are written to, once for each time it is asked, however fast they grow: between being
// asked a file costs nothing. One inotify(7) descriptor for all files, since a user may have but few of them.

#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "async/spawn.h"
#include "base/result.h"

namespace shipmate::os {

class ModifyWatch {
 public:
  /// Fails where the user's limit of inotify instances is reached.
  static Result<std::unique_ptr<ModifyWatch>> Create(const Executor& executor);
  /// REQUIRES: Close has completed, or nothing was ever armed.
  ~ModifyWatch() = default;
  ModifyWatch(const ModifyWatch&) = delete;
  ModifyWatch& operator=(const ModifyWatch&) = delete;

  /// Calls `changed` once, from the loop, when the file at `path` is written to or truncated after this call; may call
  /// it without need. Gives a number for Disarm. Links are not followed.
  Result<int> Arm(const std::string& path, std::function<void()> changed);
  /// After this `changed` is not called. A number that has fired is ignored.
  void Disarm(int number);
  /// Ends the reading of events; nothing fires any more.
  Task<void> Close();

 private:
  explicit ModifyWatch(const Executor& executor) : descriptor_(executor), reader_(executor) {}
  Task<void> Read();
  void Fire(int number);

  boost::asio::posix::stream_descriptor descriptor_;
  std::map<int, std::function<void()>> armed_;
  bool reading_ = false;
  async::TaskGroup reader_;
};

}  // namespace shipmate::os
