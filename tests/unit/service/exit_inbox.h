#pragma once

// ExitInbox: the ends that a backend tells of, for a test to wait for one by one.

#include <utility>

#include "async/mailbox.h"
#include "service/backend.h"

namespace shipmate::tests {

/// REQUIRES: outlives the backend that it listens to.
class ExitInbox {
 public:
  explicit ExitInbox(const Executor& executor) : exits_(executor) {}

  void Listen(service::Backend& backend) {
    backend.WatchExits([this](service::Exit exit) { exits_.Push(std::move(exit)); });
  }
  Task<Result<service::Exit>> Next() {
    // Never closed, so there is always a value.
    co_return *co_await exits_.Pop();
  }

 private:
  async::Mailbox<service::Exit> exits_;
};

}  // namespace shipmate::tests
