#include "service/state.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "os/unique_fd.h"
#include "service/rename_new.h"

namespace shipmate::service {

namespace {

constexpr unsigned kStateMode = 0640;
constexpr int kMaxCorruptCopies = 100;

// What a state file says decides whom we signal: so it is read only when nobody but our user (or root) can have
// written it, and through one descriptor, so that what was checked is what is read.
Result<std::string> ReadOwnFile(const std::string& path) {
  const std::string what = "reading state file " + path;
  const os::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!file) {
    if (errno == ELOOP) return Fail(Errc::kRefused, what + ": it is a symbolic link");
    return FailErrno(errno, what);
  }
  struct stat info{};
  if (::fstat(file.Get(), &info) != 0) return FailErrno(errno, what);
  if (!S_ISREG(info.st_mode)) return Fail(Errc::kRefused, what + ": not a regular file");
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return Fail(Errc::kRefused, what + ": it belongs to another user (uid " + std::to_string(info.st_uid) + ")");
  }
  if ((info.st_mode & S_IWOTH) != 0) return Fail(Errc::kRefused, what + ": every user may write it");
  const auto too_large = [&what] {
    return Fail(Errc::kInvalid, what + ": larger than " + std::to_string(kStateFileLimit >> 20U) + " MiB");
  };
  if (static_cast<std::uint64_t>(info.st_size) > kStateFileLimit) return too_large();
  std::string content(static_cast<std::size_t>(info.st_size) + 1, '\0');
  std::size_t length = 0;
  for (;;) {
    const ssize_t got = ::read(file.Get(), content.data() + length, content.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailErrno(errno, what);
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
    if (length > kStateFileLimit) return too_large();
    if (length == content.size()) content.resize(content.size() * 2);
  }
  content.resize(length);
  return content;
}

}  // namespace

std::string StatePath(const std::string& dir, const std::string& name) {
  return dir + "/" + name + ".json";
}

Result<void> SaveState(const std::string& dir, const std::string& name, const State& state, os::Sync sync) {
  auto written = os::WriteFileAtomically(StatePath(dir, name), ToJson(state), kStateMode, sync);
  if (!written) return Fail(written.error().code, "saving state of " + base::Quote(name) + ": " + written.error().what);
  return {};
}

Result<LoadedState> LoadState(const std::string& dir, const std::string& name) {
  const std::string path = StatePath(dir, name);
  auto raw = ReadOwnFile(path);
  if (!raw) return Fail(std::move(raw).error());
  auto state = ParseState(*raw);
  if (!state) return Fail(state.error().code, "state file " + path + ": " + state.error().what);
  return LoadedState{.state = *std::move(state), .raw = *std::move(raw)};
}

void RemoveState(const std::string& dir, const std::string& name) {
  ::unlink(StatePath(dir, name).c_str());
}

Result<std::string> SetAsideCorruptState(const std::string& dir, const std::string& name) {
  const std::string path = StatePath(dir, name);
  for (int copy = 1; copy <= kMaxCorruptCopies; ++copy) {
    const std::string aside = path + (copy == 1 ? ".corrupt" : ".corrupt." + std::to_string(copy));
    const int error = RenameNew(path, aside);
    if (error == 0) return aside;
    if (error != EEXIST) return FailErrno(error, "moving " + path + " to " + aside);
  }
  return Fail(Errc::kRefused, "moving " + path + " aside: " + std::to_string(kMaxCorruptCopies) +
                                  " corrupt copies are there already; remove some");
}

}  // namespace shipmate::service
