#pragma once

// SharedLook<T>: something that costs time to look at, looked at on a worker. Whoever asks while one look is being
// taken shares the next, so that five hundred who ask at once cost two looks.

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "async/latch.h"
#include "async/offload.h"
#include "async/spawn.h"
#include "async/task.h"

namespace shipmate::async {

template <class T>
class SharedLook {
 public:
  /// `look` runs on a worker, one call at a time. REQUIRES: `pool` outlives every look.
  SharedLook(Executor executor, WorkerPool& pool, std::string name, std::function<T()> look)
      : state_(std::make_shared<State>(
            State{std::move(executor), &pool, std::move(name), std::move(look), nullptr, nullptr})) {}

  /// What a look that began after this call saw. What the look throws comes to everybody who shares it.
  Task<std::shared_ptr<const T>> Look() {
    std::shared_ptr<Round>& slot = state_->running ? state_->next : state_->running;
    const bool idle = !state_->running;
    if (!slot) slot = std::make_shared<Round>(state_->executor);
    const std::shared_ptr<Round> round = slot;
    if (idle) Spawn(state_->executor, state_->name, Run(state_));
    co_await round->done.Wait();
    if (round->failure) std::rethrow_exception(round->failure);
    co_return round->seen;
  }

 private:
  struct Round {
    explicit Round(const Executor& executor) : done(executor) {}
    std::shared_ptr<const T> seen;
    std::exception_ptr failure;
    Event done;
  };
  struct State {
    Executor executor;
    WorkerPool* pool;
    std::string name;
    std::function<T()> look;
    std::shared_ptr<Round> running;
    std::shared_ptr<Round> next;
  };

  static Task<void> Run(std::shared_ptr<State> state) {
    while (state->running) {
      try {
        state->running->seen = std::make_shared<const T>(co_await state->pool->Run(state->look));
      } catch (...) {
        state->running->failure = std::current_exception();
      }
      state->running->done.Set();
      state->running = std::exchange(state->next, nullptr);
    }
  }

  std::shared_ptr<State> state_;
};

}  // namespace shipmate::async
