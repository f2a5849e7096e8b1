#pragma once

// LineReader: lines from standard input when it is a pipe, a socket or a file, without ever blocking the loop.

#include <memory>
#include <optional>
#include <string>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "async/task.h"
#include "os/unique_fd.h"

namespace shipmate::platforms::console {

class LineReader {
 public:
  /// A longer line is handed over cut to this many bytes, its rest is skipped; the command parser refuses it.
  static constexpr std::size_t kLineLimit = 64 * 1024;

  /// Reads from descriptor `fd` (a pipe is opened anew, so that its other users keep it blocking).
  LineReader(const Executor& executor, int fd);

  /// The next line without its end; the last one may lack the end; nullopt at end of input or on a read error.
  Task<std::optional<std::string>> Next();

 private:
  std::optional<std::string> Take();

  os::UniqueFd file_;  // a regular file, which no poll can wait on and no read can block
  boost::asio::posix::stream_descriptor stream_;
  std::string buffer_;
  bool skipping_ = false;  // the rest of a line that was too long
  bool ended_ = false;
};

}  // namespace shipmate::platforms::console
