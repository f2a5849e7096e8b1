#pragma once

// The schema of history.db in the state directory: what was commanded and what came of it. Opened by the app, after the
// lock of the state directory, with these migrations.

#include <string>
#include <vector>

namespace shipmate::history {

/// In order. Only ever appended to: files of users have the earlier ones behind them.
const std::vector<std::string>& Migrations();

}  // namespace shipmate::history
