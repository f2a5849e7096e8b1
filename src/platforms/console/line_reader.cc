#include "platforms/console/line_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <utility>

namespace shipmate::platforms::console {

LineReader::LineReader(const Executor& executor, int fd) : stream_(executor) {
  struct stat info{};
  if (fstat(fd, &info) != 0) {
    ended_ = true;
    return;
  }
  if (S_ISREG(info.st_mode) || (S_ISCHR(info.st_mode) && isatty(fd) == 0)) {
    file_.Reset(fcntl(fd, F_DUPFD_CLOEXEC, 3));
    return;
  }
  int own = ::open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (own < 0) own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (own < 0) {
    ended_ = true;
    return;
  }
  stream_.assign(own);
}

std::optional<std::string> LineReader::Take() {
  for (;;) {
    const std::size_t end = buffer_.find('\n');
    if (end == std::string::npos && !ended_ && (skipping_ || buffer_.size() <= kLineLimit)) {
      if (skipping_) buffer_.clear();
      return std::nullopt;
    }
    if (end == std::string::npos && buffer_.empty()) return std::nullopt;
    std::string line = buffer_.substr(0, std::min(end, kLineLimit));
    buffer_.erase(0, end == std::string::npos ? buffer_.size() : end + 1);
    const bool was_rest = std::exchange(skipping_, end == std::string::npos && !ended_);
    if (was_rest) continue;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    return line;
  }
}

Task<std::optional<std::string>> LineReader::Next() {
  std::array<char, 4096> piece{};
  for (;;) {
    if (auto line = Take()) co_return line;
    if (ended_) co_return std::nullopt;
    std::size_t count = 0;
    if (file_) {
      const ssize_t got = ::read(file_.Get(), piece.data(), piece.size());
      count = got > 0 ? static_cast<std::size_t>(got) : 0;
      if (got <= 0) ended_ = true;
    } else {
      const auto [error, got] = co_await stream_.async_read_some(boost::asio::buffer(piece),
                                                                 boost::asio::as_tuple(boost::asio::use_awaitable));
      if (error == boost::asio::error::operation_aborted) {
        throw boost::system::system_error(error);
      }
      count = got;
      if (error) ended_ = true;
    }
    buffer_.append(piece.data(), count);
  }
}

}  // namespace shipmate::platforms::console
