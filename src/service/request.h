#pragma once

// One operation in a service's mailbox. Private to Service.

#include <utility>

#include "async/latch.h"
#include "service/service.h"

namespace shipmate::service {

struct Service::Request {
  Request(const Executor& executor, Op what) : op(what), done(executor) {}

  Op op;
  Saving saving = Saving::kSynced;
  /// For kReconfigure.
  config::ServiceConfig config;
  OpResult result;
  async::Event done;
};

}  // namespace shipmate::service
