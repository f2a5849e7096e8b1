#include "os/users.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <vector>

#include "base/text.h"

namespace shipmate::os {

namespace {

// A group may have thousands of members, all of them in one buffer.
constexpr std::size_t kFirstBuffer = 4096;
constexpr std::size_t kLargestBuffer = std::size_t{1} << 22U;

std::optional<unsigned> Number(const std::string& text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// `look(entry, buffer, size, found)` is one of the get*_r functions with its key. The entry points into `buffer`.
template <class Entry, class Look>
Result<void> LookUp(const char* kind, const std::string& name, Entry& entry, std::vector<char>& buffer, Look look) {
  Entry* found = nullptr;
  int error = ERANGE;
  for (std::size_t size = kFirstBuffer; error == ERANGE && size <= kLargestBuffer; size *= 4) {
    buffer.resize(size);
    error = look(&entry, buffer.data(), buffer.size(), &found);
  }
  const std::string subject = std::string(kind) + " " + base::Quote(name);
  if (found != nullptr) return {};
  // getpwnam_r(3): several errors besides 0 mean "not found".
  if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM) {
    return Fail(Errc::kNotFound, subject + " does not exist");
  }
  return FailErrno(error, "looking up " + subject);
}

}  // namespace

Result<User> FindUser(const std::string& name) {
  passwd entry{};
  std::vector<char> buffer;
  const auto number = Number(name);
  const auto found =
      LookUp("user", name, entry, buffer, [&](passwd* into, char* space, std::size_t size, passwd** result) {
        return number ? ::getpwuid_r(*number, into, space, size, result)
                      : ::getpwnam_r(name.c_str(), into, space, size, result);
      });
  if (!found) return Fail(found.error());
  return User{
      .name = entry.pw_name, .uid = entry.pw_uid, .gid = entry.pw_gid, .home = entry.pw_dir, .shell = entry.pw_shell};
}

Result<gid_t> FindGroup(const std::string& name) {
  group entry{};
  std::vector<char> buffer;
  const auto number = Number(name);
  const auto found =
      LookUp("group", name, entry, buffer, [&](group* into, char* space, std::size_t size, group** result) {
        return number ? ::getgrgid_r(*number, into, space, size, result)
                      : ::getgrnam_r(name.c_str(), into, space, size, result);
      });
  if (!found) return Fail(found.error());
  return entry.gr_gid;
}

uid_t OwnUid() {
  return ::geteuid();
}

gid_t OwnGid() {
  return ::getegid();
}

}  // namespace shipmate::os
