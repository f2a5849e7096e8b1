#pragma once

// Starting coroutines in the background. Every one has a name, and no exception of one is ever swallowed: Spawn logs it
// under that name. TaskGroup also keeps count, so that a shutdown can cancel its members and wait until all have ended.

#include <boost/asio/cancellation_signal.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "async/latch.h"
#include "async/task.h"

namespace shipmate::async {

/// Runs `task` on `executor`. Nothing awaits it; for work that ends by itself, and soon.
void Spawn(const Executor& executor, std::string name, Task<void> task);

/// A set of running coroutines with one owner. REQUIRES: Join has completed, or nothing was spawned, or the loop has
/// ended, before the group is destroyed. Members may spawn further members.
class TaskGroup {
 public:
  explicit TaskGroup(Executor executor) : executor_(std::move(executor)) {}
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  void Spawn(std::string name, Task<void> task);
  /// Called with the member's name when a member ends by an exception other than cancellation, after it was logged.
  void OnFailure(std::function<void(const std::string&)> callback) { Made().on_failure = std::move(callback); }
  /// Asks every member to end (terminal cancellation). Does not wait.
  void Cancel();
  /// Waits until no member is left; true, or false when `limit` ran out first.
  Task<bool> Join(std::chrono::milliseconds limit);
  std::size_t Size() const { return state_ ? state_->members.size() : 0; }

 private:
  struct Member {
    std::string name;
    boost::asio::cancellation_signal cancel;
  };

  using Members = std::list<std::shared_ptr<Member>>;
  struct State {
    Members members;
    std::function<void(const std::string&)> on_failure;
    std::shared_ptr<Event> emptied;
  };

  State& Made();
  void Ended(Members::iterator member, std::exception_ptr failure);

  Executor executor_;
  // Only while there are members, or somebody is to be told: a program has thousands of groups, most of them empty.
  std::shared_ptr<State> state_;
};

}  // namespace shipmate::async
