#pragma once

// The name of a repository, freed from the ways of spelling it: what a service file, a forge's payload and `git remote`
// write differently is one repository here.

#include <string>
#include <string_view>

namespace shipmate::service {

/// A repository as compared: lower case, without scheme, user, port, `.git` and slashes at the ends.
struct RepoName {
  std::string host;  ///< "" where the spelling names none ("org/name")
  std::string path;  ///< "org/name"; "" when there is none
};

/// Understands `https://host/o/r.git`, `ssh://git@host:22/o/r`, `git@host:o/r.git`, `host/o/r` and `o/r`. A first part
/// with a dot in it is a host when two more parts follow.
RepoName ParseRepoName(std::string_view text);

/// Whether both name one repository. The host decides only where both sides name one. An empty name is like nothing.
bool SameRepo(std::string_view a, std::string_view b);

}  // namespace shipmate::service
