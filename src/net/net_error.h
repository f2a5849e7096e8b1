#pragma once

// Turning error codes of the system, Asio and OpenSSL into Errors, and telling failure from cancellation. Internal to
// net.

#include <boost/system/error_code.hpp>
#include <string>

#include "async/task.h"
#include "base/result.h"

namespace shipmate::net {

/// "<what>: <reason>", with the code that fits: kClosed when the other side ended the connection, kRefused, kTimeout,
/// kTls, kIo for the rest.
Error ToError(const boost::system::error_code& code, const std::string& what);

/// Whether `code` is one of the ways in which a connection ends, a TLS stream without its closing alert included.
bool IsConnectionEnd(const boost::system::error_code& code);

/// Throws operation_aborted when the awaiting coroutine was cancelled: an operation that failed for that reason is no
/// failure to report.
Task<void> ThrowIfCancelled();

}  // namespace shipmate::net
