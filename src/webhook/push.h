#pragma once

// What a forge's webhook told, as plain values: the same for every forge.

#include <string>
#include <string_view>
#include <vector>

#include "service/webhook_info.h"

namespace shipmate::webhook {

/// A push to one branch or tag.
struct Push {
  enum class Kind {
    kBranch,
    kTag,
    kOther,  ///< `refs/notes/...` and the like
  };
  /// For people and for the deploy; `branch` is the name of the branch or tag, without "refs/...".
  service::WebhookInfo info;
  /// The repository with its host where the forge tells it, for comparing with a service's `repo`.
  std::string repo_address;
  /// As sent: "refs/heads/main".
  std::string ref;
  /// The commit that the ref named before; empty or zeros = none.
  std::string before;
  Kind kind = Kind::kBranch;
  bool created = false;
  bool deleted = false;
  bool forced = false;
  /// Files touched by the commits of the push, from the top of the repository.
  std::vector<std::string> files;
  /// False when the forge did not list every commit of the push, or it cannot be told: `files` may lack some.
  bool files_known = false;
  /// "github".
  std::string forge;
  /// The forge's name for this delivery, the same when it is sent again; may be empty. Only where `bodies_repeat` is it
  /// more than a word for the log.
  std::string delivery_id;
  /// Two pushes may come with equal bodies (back and forth between two commits); the delivery's name tells them apart.
  bool bodies_repeat = false;
  /// What was signed, as it came. Valid while the push is decided about.
  std::string_view signed_body;
};

/// What a request is about.
enum class EventKind {
  kPush,
  kPing,   ///< the forge tries whether we are there
  kOther,  ///< nothing that deploys
};

/// Sets `ref`, `kind` and `info.branch` by a full ref: "refs/heads/main" is the branch "main".
void SetRef(Push& push, std::string ref);

}  // namespace shipmate::webhook
