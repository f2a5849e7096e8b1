#include "service/rename_new.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>

namespace shipmate::service {

int RenameNew(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // Some file systems (NFS, older FUSE) know no RENAME_NOREPLACE: look first. One process writes here (the state
  // directory is locked), so nothing of ours comes in between.
  struct stat existing{};
  if (::lstat(to.c_str(), &existing) == 0) return EEXIST;
  if (errno != ENOENT) return errno;
  return std::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

}  // namespace shipmate::service
