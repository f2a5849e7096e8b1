#pragma once

// The user database of the machine (getpwnam(3), getgrnam(3)). May ask a directory service and so block: for start-up,
// the pool, and processes of their own; never for the loop.

#include <sys/types.h>

#include <string>

#include "base/result.h"

namespace shipmate::os {

struct User {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string home;
  std::string shell;
};

/// The user of this name, or of this number. kNotFound `user "www" does not exist`.
Result<User> FindUser(const std::string& name);
/// The number of the group of this name or number. kNotFound `group "www" does not exist`.
Result<gid_t> FindGroup(const std::string& name);

/// The user that we are, by effective id.
uid_t OwnUid();
gid_t OwnGid();

}  // namespace shipmate::os
