#include "webhook/push.h"

#include <string_view>
#include <utility>

namespace shipmate::webhook {

void SetRef(Push& push, std::string ref) {
  constexpr std::string_view kHeads = "refs/heads/";
  constexpr std::string_view kTags = "refs/tags/";
  push.ref = std::move(ref);
  if (push.ref.starts_with(kHeads)) {
    push.kind = Push::Kind::kBranch;
    push.info.branch = push.ref.substr(kHeads.size());
  } else if (push.ref.starts_with(kTags)) {
    push.kind = Push::Kind::kTag;
    push.info.branch = push.ref.substr(kTags.size());
  } else {
    push.kind = Push::Kind::kOther;
    push.info.branch = push.ref;
  }
}

}  // namespace shipmate::webhook
