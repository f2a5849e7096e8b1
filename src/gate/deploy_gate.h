#pragma once

// DeployGate: the one place that decides whether a deploy runs now, or asks first. Only the gate calls
// Manager::RequestDeploy.

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "gate/confirmation.h"
#include "service/manager.h"
#include "service/notifier.h"

namespace shipmate::gate {

/// What became of a push for one service.
struct PushDecision {
  enum class Kind { kDeployed, kAwaitsConfirmation, kRefused };
  std::string service;
  Kind kind = Kind::kRefused;
  std::string why;  ///< for a person
};

class DeployGate {
 public:
  /// REQUIRES: everything referred to outlives the gate.
  DeployGate(service::Manager& manager, service::Notifier& notifier, ConfirmationTracker& confirmations)
      : manager_(manager), notifier_(notifier), confirmations_(confirmations) {}

  /// A verified push: each service of that repository and branch is announced, then deployed or asked for. Empty when
  /// no service fits.
  std::vector<PushDecision> HandlePush(const service::WebhookInfo& info);
  /// A person's deploy.
  Result<service::DeployTicket> RequestDeploy(const std::string& service, const std::string& actor);
  /// Answers the pending confirmation of `service` with yes. kNotFound when none is pending; the failure of the
  /// deploy request otherwise.
  Result<service::DeployTicket> Confirm(const std::string& service, const std::string& actor);
  std::vector<Pending> ListPending() { return confirmations_.List(); }

 private:
  service::Manager& manager_;
  service::Notifier& notifier_;
  ConfirmationTracker& confirmations_;
};

}  // namespace shipmate::gate
