#include "config/source.h"

#include <filesystem>
#include <string_view>
#include <utility>

#include "os/files.h"

namespace shipmate::config {

Result<std::string> ReadSource(const std::string& path) {
  auto content = os::ReadFile(path, kMaxFileSize);
  if (content) return content;
  // Ours stand behind "reading config: " and the like, so the verb is there already.
  constexpr std::string_view kVerb = "reading ";
  Error error = std::move(content.error());
  if (error.what.starts_with(kVerb)) error.what.erase(0, kVerb.size());
  return Fail(std::move(error));
}

bool OpenToOthers(const std::string& path) {
  using std::filesystem::perms;
  std::error_code error;
  const perms mode = std::filesystem::status(path, error).permissions();
  return !error && (mode & (perms::group_all | perms::others_all)) != perms::none;
}

}  // namespace shipmate::config
