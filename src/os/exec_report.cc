// The waiting side of the exec helper's report.

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <cstddef>

#include "async/deadline.h"
#include "base/text.h"
#include "os/exec_helper.h"

namespace shipmate::os {

namespace {

// A directory service may take its time; what takes longer is no start any more.
constexpr std::chrono::seconds kLimit{30};
constexpr std::size_t kMostText = 65536;

using Lines = std::vector<std::string>;

Task<Result<std::string>> ReadReport(UniqueFd report) {
  boost::asio::posix::stream_descriptor pipe(co_await boost::asio::this_coro::executor);
  boost::system::error_code failed;
  pipe.assign(report.Get(), failed);
  if (failed) co_return FailErrno(failed.value(), "watching the start");
  report.Release();
  std::string text;
  std::array<char, 4096> piece{};
  while (text.size() < kMostText) {
    const auto [error, got] =
        co_await pipe.async_read_some(boost::asio::buffer(piece), boost::asio::as_tuple(boost::asio::use_awaitable));
    text.append(piece.data(), got);
    if (error == boost::asio::error::operation_aborted) throw boost::system::system_error(error);
    if (error) break;
  }
  co_return text;
}

}  // namespace

Task<Result<Lines>> WaitExec(UniqueFd report) {
  auto text = co_await async::WithDeadline(ReadReport(std::move(report)), kLimit, "applying the settings");
  if (!text) co_return Fail(text.error());
  // The line of a plain beginning is ".".
  if (!text->starts_with(".\n")) co_return Fail(Errc::kSpawn, "the process that applies the settings did not come up");
  Lines warnings;
  for (const std::string_view line : base::Split(*text, '\n')) {
    if (line.starts_with('e')) co_return Fail(Errc::kSpawn, std::string(line.substr(1)));
    if (line.starts_with('w')) warnings.emplace_back(line.substr(1));
  }
  co_return warnings;
}

}  // namespace shipmate::os
