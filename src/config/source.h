#pragma once

// Where the texts come from: settings files, read whole.

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"

namespace shipmate::config {

/// Larger files are refused: no settings grow to this.
inline constexpr std::size_t kMaxFileSize = 1024 * 1024;

/// The content of the regular file at `path` (or that it links to). Errors read "<path>: <reason>".
Result<std::string> ReadSource(const std::string& path);

struct SettingsFile {
  std::string file;
  /// Without the extension.
  std::string name;
};

/// The files *.yaml and *.yml of `dir` in name order, without its sub-directories; at most a thousand.
Result<std::vector<SettingsFile>> ListSettings(const std::string& dir);

/// Whether users other than its owner may read or write `path`; false when it cannot be told.
bool OpenToOthers(const std::string& path);

}  // namespace shipmate::config
