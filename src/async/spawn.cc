#include "async/spawn.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <vector>

#include "base/log.h"

namespace shipmate::async {

namespace {

// True when it was more than a cancellation.
bool LogFailure(const std::string& name, const std::exception_ptr& failure) {
  if (!failure) return false;
  try {
    std::rethrow_exception(failure);
  } catch (const boost::system::system_error& error) {
    if (error.code() == boost::asio::error::operation_aborted) return false;
    LogError(name + ": ended by an error: " + error.what());
  } catch (const std::exception& error) {
    LogError(name + ": ended by an error: " + error.what());
  } catch (...) {
    LogError(name + ": ended by an unknown error");
  }
  return true;
}

}  // namespace

void Spawn(const Executor& executor, std::string name, Task<void> task) {
  boost::asio::co_spawn(executor, std::move(task),
                        [name = std::move(name)](const std::exception_ptr& failure) { LogFailure(name, failure); });
}

TaskGroup::State& TaskGroup::Made() {
  if (!state_) state_ = std::make_shared<State>();
  return *state_;
}

void TaskGroup::Spawn(std::string name, Task<void> task) {
  Members& members = Made().members;
  const auto member = members.insert(members.end(), std::make_shared<Member>());
  (*member)->name = std::move(name);
  boost::asio::co_spawn(
      executor_, std::move(task),
      boost::asio::bind_cancellation_slot(
          (*member)->cancel.slot(), [this, member](std::exception_ptr failure) { Ended(member, std::move(failure)); }));
}

void TaskGroup::Ended(Members::iterator member, std::exception_ptr failure) {
  const std::string name = (*member)->name;
  // The group may end by what is called here.
  const auto state = state_;
  state->members.erase(member);
  const bool failed = LogFailure(name, failure);
  if (state->members.empty()) {
    if (state->emptied) state->emptied->Set();
    if (!state->on_failure) state_.reset();
  }
  if (failed && state->on_failure) state->on_failure(name);
}

void TaskGroup::Cancel() {
  // On the loop, where a cancellation reaches its member at once: from elsewhere it would be posted, and might find a
  // member that has ended meanwhile. One that ends may end others, and the group with them.
  if (!state_) return;
  boost::asio::dispatch(executor_, [group = std::weak_ptr(state_)] {
    const auto alive = group.lock();
    if (!alive) return;
    const std::vector<std::weak_ptr<Member>> current(alive->members.begin(), alive->members.end());
    for (const auto& weak : current) {
      if (const auto member = weak.lock()) member->cancel.emit(boost::asio::cancellation_type::terminal);
    }
  });
}

Task<bool> TaskGroup::Join(std::chrono::milliseconds limit) {
  if (Size() == 0) co_return true;
  if (!state_->emptied || state_->emptied->IsSet()) state_->emptied = std::make_shared<Event>(executor_);
  const auto emptied = state_->emptied;
  co_return co_await emptied->WaitFor(limit);
}

}  // namespace shipmate::async
