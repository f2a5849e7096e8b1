#pragma once

// Doing one thing for many services: side by side, but not all at once.

#include <cstddef>
#include <functional>
#include <string>

#include "async/task.h"

namespace shipmate::service {

/// Runs work(0) ... work(count - 1), at most `bound` at a time, and returns when all have ended. An exception of one is
/// logged under `name` and ends that one. REQUIRES: `work` owns what it uses; when the waiting coroutine is cancelled
/// the rest still runs to its end.
Task<void> RunBounded(std::string name, std::size_t count, std::size_t bound,
                      std::function<Task<void>(std::size_t)> work);

}  // namespace shipmate::service
