#pragma once

// What the program itself asks git: which commit a work tree is at, and which a branch of its remote. It only looks;
// steps do the work. Names that came from outside are checked first, and stand behind "--".

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "os/exec_settings.h"

namespace shipmate::deploy {

/// Where and as whom git runs.
struct GitPlace {
  std::string dir;
  /// The whole environment.
  std::vector<std::string> env;
  os::ExecSettings settings = {};
  std::string exec_helper = {};
};

/// 7 to 64 hexadecimal digits, in lower case.
bool IsCommit(std::string_view text);
/// Whether `text` can be a full ref ("refs/heads/main") by git-check-ref-format(1).
bool IsRef(std::string_view text);

/// The commit at HEAD of the work tree; an error when `place.dir` is in none, or has no commit yet.
Task<Result<std::string>> HeadCommit(GitPlace place);
/// What the remote "origin" has at `ref`: one commit, or the tag and its commit. Empty when it has no such ref.
Task<Result<std::vector<std::string>>> RemoteCommits(GitPlace place, std::string ref);
/// The full id of `commit` (or of a name that begins it) in the work tree.
Task<Result<std::string>> FullCommit(GitPlace place, std::string commit);
/// The first line of the commit's message; "" when it is not known here.
Task<std::string> SubjectOf(GitPlace place, std::string commit);

}  // namespace shipmate::deploy
