#pragma once

// Small helpers around system calls for the bodies of this floor. Not for other floors.

#include <cerrno>
#include <string>

#include "base/result.h"

namespace shipmate::os::internal {

/// Calls `call` again for as long as a signal interrupts it. Not for close(2), whose descriptor is gone even so.
template <class Call>
auto RetryInterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

/// FailErrno with a code of our own choice instead of the one that fits the errno value.
inline std::unexpected<Error> FailErrnoAs(Errc code, int error_number, std::string what) {
  Error error = FailErrno(error_number, std::move(what)).error();
  error.code = code;
  return Fail(std::move(error));
}

}  // namespace shipmate::os::internal
