#include "os/owned_children.h"

#include <unordered_map>
#include <unordered_set>

namespace shipmate::os::internal {

namespace {

struct Table {
  std::unordered_set<pid_t> spawned;
  std::unordered_map<pid_t, int> claims;
};

// Never destroyed: claims may end while the process's static objects are torn down.
Table& TheTable() {
  static Table& table = *new Table;
  return table;
}

}  // namespace

void OwnChild(pid_t pid) {
  TheTable().spawned.insert(pid);
}
void DisownChild(pid_t pid) {
  TheTable().spawned.erase(pid);
}

ExitClaim::ExitClaim(pid_t pid) : pid_(pid) {
  ++TheTable().claims[pid_];
}
ExitClaim::~ExitClaim() {
  const auto claim = TheTable().claims.find(pid_);
  if (--claim->second == 0) TheTable().claims.erase(claim);
}

bool IsSpokenFor(pid_t pid) {
  return TheTable().spawned.contains(pid) || TheTable().claims.contains(pid);
}

}  // namespace shipmate::os::internal
