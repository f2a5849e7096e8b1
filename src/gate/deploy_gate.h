#pragma once

// DeployGate: the one place that decides whether a deploy runs now, or asks first. Only the gate calls
// Manager::RequestDeploy.

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "gate/confirmation.h"
#include "gate/push.h"
#include "service/manager.h"
#include "service/notifier.h"

namespace shipmate::gate {

class DeployGate {
 public:
  /// REQUIRES: everything referred to outlives the gate.
  DeployGate(service::Manager& manager, service::Notifier& notifier, ConfirmationTracker& confirmations)
      : manager_(manager), notifier_(notifier), confirmations_(confirmations) {}

  /// A verified push: for each target that does not ignore it, it is announced, then deployed or asked for. Returns at
  /// once, with a decision a target. One service's refusal does not keep the others from their deploy. An error means
  /// that nothing was decided: the forge must send it again.
  Result<std::vector<PushDecision>> HandlePush(const PushRequest& push);
  /// A person's deploy: never asks.
  Result<service::DeployTicket> RequestDeploy(const std::string& service, const std::string& actor);
  /// Answers the pending confirmation of `service` with yes. kNotFound when none is pending; the failure of the
  /// deploy request otherwise. The deploy carries the push that was announced.
  Result<service::DeployTicket> Confirm(const std::string& service, const std::string& actor);
  std::vector<Pending> ListPending() { return confirmations_.List(); }

 private:
  PushDecision DecidePush(const PushTarget& target, const PushRequest& push);

  service::Manager& manager_;
  service::Notifier& notifier_;
  ConfirmationTracker& confirmations_;
};

}  // namespace shipmate::gate
