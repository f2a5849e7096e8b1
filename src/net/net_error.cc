#include "net/net_error.h"

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

namespace shipmate::net {

namespace asio = boost::asio;

bool IsConnectionEnd(const boost::system::error_code& code) {
  // Servers commonly close TCP without the TLS closing alert; what is complete by its own framing is complete.
  return code == asio::error::eof || code == asio::ssl::error::stream_truncated ||
         code == asio::error::connection_reset || code == asio::error::broken_pipe ||
         code == asio::error::connection_aborted || code == asio::error::not_connected ||
         code == asio::error::shut_down;
}

Task<void> ThrowIfCancelled() {
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
}

Error ToError(const boost::system::error_code& code, const std::string& what) {
  if (IsConnectionEnd(code)) return {Errc::kClosed, what + ": the other side closed the connection"};
  if (code == asio::error::operation_aborted || code == asio::error::bad_descriptor) {
    return {Errc::kClosed, what + ": the connection was closed here"};
  }
  if (code == asio::error::connection_refused) {
    return {Errc::kRefused, what + ": connection refused; check the address, and that the server is running"};
  }
  if (code == asio::error::timed_out) return {Errc::kTimeout, what + ": the network gave no answer"};
  if (code == asio::error::host_unreachable || code == asio::error::network_unreachable) {
    return {Errc::kIo, what + ": " + code.message() + "; check this machine's network"};
  }
  if (code.category() == asio::error::get_ssl_category()) return {Errc::kTls, what + ": TLS failed: " + code.message()};
  return {Errc::kIo, what + ": " + code.message()};
}

}  // namespace shipmate::net
