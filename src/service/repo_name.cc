#include "service/repo_name.h"

#include <algorithm>

#include "base/text.h"

namespace shipmate::service {

namespace {

std::string_view WithoutSlashes(std::string_view text) {
  while (text.starts_with('/')) text.remove_prefix(1);
  while (text.ends_with('/')) text.remove_suffix(1);
  return text;
}

// "git@host:22" -> "host".
std::string_view BareHost(std::string_view authority) {
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  return authority.substr(0, authority.find(':'));
}

}  // namespace

RepoName ParseRepoName(std::string_view text) {
  const std::string lower = base::ToLowerAscii(base::Trim(text));
  std::string_view rest = lower;
  RepoName name;
  if (const std::size_t scheme = rest.find("://"); scheme != std::string_view::npos) {
    rest.remove_prefix(scheme + 3);
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    name.host = std::string(BareHost(rest.substr(0, slash)));
    rest.remove_prefix(slash);
  } else if (const std::size_t colon = rest.find(':'); colon != std::string_view::npos && colon < rest.find('/')) {
    // The scp-like form of git-clone(1): a colon before the first slash ends the host.
    name.host = std::string(BareHost(rest.substr(0, colon)));
    rest.remove_prefix(colon + 1);
  }
  rest = WithoutSlashes(rest);
  if (rest.ends_with(".git")) rest.remove_suffix(4);
  rest = WithoutSlashes(rest);
  if (name.host.empty() && std::ranges::count(rest, '/') >= 2) {
    const std::size_t slash = rest.find('/');
    if (const std::string_view first = rest.substr(0, slash); first.contains('.')) {
      name.host = std::string(BareHost(first));
      rest.remove_prefix(slash + 1);
    }
  }
  if (name.host.starts_with("www.")) name.host.erase(0, 4);
  name.path = std::string(rest);
  return name;
}

bool SameRepo(std::string_view a, std::string_view b) {
  const RepoName left = ParseRepoName(a);
  const RepoName right = ParseRepoName(b);
  if (left.path.empty() || left.path != right.path) return false;
  return left.host.empty() || right.host.empty() || left.host == right.host;
}

}  // namespace shipmate::service
