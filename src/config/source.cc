#include "config/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>

#include "os/files.h"

namespace shipmate::config {

namespace {

constexpr std::size_t kMaxFiles = 1000;

}  // namespace

Result<std::string> ReadSource(const std::string& path) {
  auto content = os::ReadFile(path, kMaxFileSize);
  if (content) return content;
  // Ours stand behind "reading config: " and the like, so the verb is there already.
  constexpr std::string_view kVerb = "reading ";
  Error error = std::move(content.error());
  if (error.what.starts_with(kVerb)) error.what.erase(0, kVerb.size());
  return Fail(std::move(error));
}

Result<std::vector<SettingsFile>> ListSettings(const std::string& dir) {
  std::vector<SettingsFile> files;
  std::error_code error;
  std::filesystem::directory_iterator entry(dir, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string file = entry->path().filename().string();
    std::string_view name = file;
    if (name.ends_with(".yaml")) {
      name.remove_suffix(5);
    } else if (name.ends_with(".yml")) {
      name.remove_suffix(4);
    } else {
      continue;
    }
    // ".#x" is the lock that Emacs lays beside a file being edited.
    if (name.starts_with(".#")) continue;
    std::error_code ignored;
    if (entry->is_directory(ignored)) continue;
    if (files.size() == kMaxFiles) {
      return Fail(Errc::kTooLarge, fmt::format("{}: more than {} files of settings", dir, kMaxFiles));
    }
    files.push_back({file, std::string(name)});
  }
  if (error) return FailErrno(error.value(), dir);
  std::ranges::sort(files, {}, &SettingsFile::file);
  return files;
}

bool OpenToOthers(const std::string& path) {
  using std::filesystem::perms;
  std::error_code error;
  const perms mode = std::filesystem::status(path, error).permissions();
  return !error && (mode & (perms::group_all | perms::others_all)) != perms::none;
}

}  // namespace shipmate::config
