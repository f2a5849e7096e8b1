#pragma once

// Name look-ups. getaddrinfo blocks for as long as a silent name server pleases and cannot be interrupted, so each
// look-up has a thread of its own, which a cancelled caller abandons and which the end of the process does not wait
// for. Internal to net.

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/result.h"

namespace shipmate::net {

/// The addresses of `host`, in the order to try them; never empty. Numeric addresses and "localhost" need no thread.
/// Errors: kNotFound when there is no such name, kIo. REQUIRES: the caller sets a time limit.
Task<Result<std::vector<boost::asio::ip::tcp::endpoint>>> Resolve(std::string host, std::uint16_t port,
                                                                  std::string what);

}  // namespace shipmate::net
