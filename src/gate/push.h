#pragma once

// A verified push as it comes from a forge's webhook, and what the gate decided about it for each service: the contract
// between the webhook server and the DeployGate. The webhook server reads and judges (branch, tags, paths, skipped
// commits); the gate decides what runs, and remembers.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "service/webhook_info.h"

namespace shipmate::gate {

/// A service whose repository the push went to.
struct PushTarget {
  std::string service;
  /// Why the push is nothing for this service ("branch dev, service deploys main"); empty = it is to be deployed. What
  /// is ignored is remembered too, for a person who asks why nothing happened.
  std::string ignored;
};

struct PushRequest {
  std::string forge;
  /// The forge's own name for this delivery; it is no part of what is signed. May be empty.
  std::string delivery_id;
  /// SHA-256 of the signed body, in hex. With the delivery's id it tells a replay.
  std::string body_sha256;
  /// Repository, branch (or tag), pusher, the commit after the push and its message.
  service::WebhookInfo info;
  /// "refs/heads/main"
  std::string ref;
  /// The commit that the ref pointed to before; empty or zeros = none.
  std::string before;
  bool created = false;
  bool deleted = false;
  bool forced = false;
  std::vector<PushTarget> targets;
};

/// What became of a push for one service.
struct PushDecision {
  enum class Kind {
    kQueued,              ///< it is deployed, at once or in its turn
    kSuperseded,          ///< a newer push is there already
    kAwaitsConfirmation,  ///< nothing happens until a person says yes
    kHeld,                ///< deploys are frozen, or it is no time for them; it is remembered
    kIgnored,             ///< it is none for this service
    kRefused,             ///< it cannot be done
    kReplay,              ///< this very delivery has been acted upon before
  };
  std::string service;
  Kind kind = Kind::kRefused;
  std::string why;  ///< for a person
  /// Of kQueued.
  std::uint64_t deploy_id = 0;
};

/// "queued", "superseded", "awaits confirmation", "held", "ignored", "refused", "replay".
std::string_view ToString(PushDecision::Kind kind);

}  // namespace shipmate::gate
