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
  enum class Kind {
    kDeployed,            ///< a deploy is queued
    kAwaitsConfirmation,  ///< nothing happens until a person says yes
    kRefused,             ///< nothing happens; `why` says the reason
  };
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
  /// no service fits. One service's refusal does not keep the others from their deploy.
  std::vector<PushDecision> HandlePush(const service::WebhookInfo& info);
  /// A person's deploy: never asks.
  Result<service::DeployTicket> RequestDeploy(const std::string& service, const std::string& actor);
  /// Answers the pending confirmation of `service` with yes. kNotFound when none is pending; the failure of the
  /// deploy request otherwise. The deploy carries the push that was announced.
  Result<service::DeployTicket> Confirm(const std::string& service, const std::string& actor);
  std::vector<Pending> ListPending() { return confirmations_.List(); }

 private:
  PushDecision DecidePush(const std::string& name, const service::WebhookInfo& info);

  service::Manager& manager_;
  service::Notifier& notifier_;
  ConfirmationTracker& confirmations_;
};

}  // namespace shipmate::gate
