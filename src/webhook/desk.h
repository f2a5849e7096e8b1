#pragma once

// Desk: between what a forge told and the gate that decides about deploys. It finds the services of the pushed
// repository, says for each that does not deploy by this push why, and hands the others to the gate.

#include <vector>

#include "gate/deploy_gate.h"
#include "service/manager.h"
#include "webhook/push.h"
#include "webhook/receiver.h"

namespace shipmate::webhook {

class Desk {
 public:
  /// REQUIRES: both outlive it.
  Desk(const service::Manager& manager, gate::DeployGate& gate) : manager_(manager), gate_(gate) {}

  /// By name, sorted. An error means that nothing was decided.
  Result<std::vector<Decision>> Decide(const Push& push);

 private:
  const service::Manager& manager_;
  gate::DeployGate& gate_;
};

}  // namespace shipmate::webhook
