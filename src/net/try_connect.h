#pragma once

// TryConnect: whether somebody takes connections at an address, for those who need no more than that.

#include <chrono>
#include <cstdint>
#include <string>

#include "async/task.h"
#include "base/result.h"

namespace shipmate::net {

/// Connects by TCP, each address of `host` in turn, and closes at once. Errors: kNotFound, kRefused, kIo, kTimeout.
Task<Result<void>> TryConnect(Executor executor, std::string host, std::uint16_t port, std::chrono::milliseconds limit);

}  // namespace shipmate::net
