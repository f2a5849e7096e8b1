#pragma once

// GateStore: gate.db, what the gate must not forget: wishes, the deliveries that were acted upon, the newest push to
// each ref, how the last deploys ended, freezes, and what was decided lately. It keeps and finds; it decides nothing.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "gate/wish.h"
#include "store/database.h"

namespace shipmate::gate {

/// A delivery of a forge that led to something for one service.
struct Delivery {
  std::string forge;
  std::string delivery_id;
  std::string body_sha256;
  std::string service;
  std::uint64_t deploy_id = 0;
  base::WallTime at{};
};

/// The newest push to a ref that was taken for a service.
struct RefHead {
  std::string service;
  std::string ref;
  std::string before;
  std::string after;
};

/// How a deploy ended.
struct EndedDeploy {
  std::uint64_t id = 0;
  std::string service;
  std::string branch;
  std::string commit;
  std::string subject;
  bool success = false;
  base::WallTime at{};
};

/// No deploys until a person, or the time, says so.
struct Freeze {
  /// "" = every service.
  std::string service;
  std::string reason;
  /// Who froze, as shown, and "platform:id".
  std::string actor;
  std::string actor_id;
  base::WallTime since{};
  /// Zero = until somebody ends it.
  base::WallTime until{};
  bool operator==(const Freeze&) const = default;
};

/// What was decided about a service, and when.
struct Verdict {
  std::string service;
  std::string text;
  base::WallTime at{};
};

class GateStore {
 public:
  /// See store::Database::Open.
  static Result<std::unique_ptr<GateStore>> Open(const std::string& path);

  /// All of `body`, or nothing.
  Result<void> Transaction(const std::function<Result<void>()>& body) { return database_->Transaction(body); }

  Result<void> PutWish(const Wish& wish);
  Result<void> RemoveWish(std::uint64_t id);
  /// By id.
  Result<std::vector<Wish>> Wishes();

  Result<void> AddDelivery(const Delivery& delivery);
  /// The delivery of that body that was acted upon for `service`.
  Result<std::optional<Delivery>> FindDelivery(const std::string& forge, const std::string& body_sha256,
                                               const std::string& service);
  /// What led to that deploy may be delivered again.
  Result<void> ForgetDeliveries(std::uint64_t deploy_id);

  Result<void> PutRefHead(const RefHead& head);
  Result<std::optional<RefHead>> FindRefHead(const std::string& service, const std::string& ref);

  Result<void> AddEnded(const EndedDeploy& ended);
  /// The newest first.
  Result<std::vector<EndedDeploy>> Ended(const std::string& service);

  Result<void> PutFreeze(const Freeze& freeze);
  Result<void> RemoveFreeze(const std::string& service);
  Result<std::vector<Freeze>> Freezes();

  Result<void> AddVerdict(const Verdict& verdict);
  /// The newest first.
  Result<std::vector<Verdict>> Verdicts(const std::string& service);

 private:
  explicit GateStore(std::unique_ptr<store::Database> database) : database_(std::move(database)) {}

  std::unique_ptr<store::Database> database_;
};

}  // namespace shipmate::gate
