#include "service/state_writer.h"

#include <exception>
#include <utility>

#include "async/latch.h"
#include "async/spawn.h"

namespace shipmate::service {

struct StateWriter::Job {
  explicit Job(const Executor& executor) : done(executor) {}
  async::WorkerPool* pool = nullptr;
  std::string dir;
  std::string name;
  State state;
  os::Sync sync = os::Sync::kNone;
  std::shared_ptr<Job> previous;
  Result<void> result;
  async::Event done;
};

StateWriter::StateWriter(Executor executor, async::WorkerPool& pool, std::string dir, std::string name)
    : executor_(std::move(executor)), pool_(pool), dir_(std::move(dir)), name_(std::move(name)) {}

Task<void> StateWriter::Run(std::shared_ptr<Job> job) {
  if (job->previous) {
    co_await job->previous->done.Wait();
    job->previous.reset();
  }
  if (job->sync == os::Sync::kNone) {
    job->result = SaveState(job->dir, job->name, job->state, job->sync);
  } else {
    try {
      job->result = co_await job->pool->Run([job] { return SaveState(job->dir, job->name, job->state, job->sync); });
    } catch (const std::exception& error) {
      job->result = Fail(Errc::kIo, error.what());
    }
  }
  job->done.Set();
}

Task<Result<void>> StateWriter::Write(State state, os::Sync sync) {
  const bool free = !last_ || last_->done.IsSet();
  if (sync == os::Sync::kNone && free) co_return SaveState(dir_, name_, state, sync);
  const auto job = std::make_shared<Job>(executor_);
  job->pool = &pool_;
  job->dir = dir_;
  job->name = name_;
  job->state = std::move(state);
  job->sync = sync;
  job->previous = free ? nullptr : last_;
  last_ = job;
  async::Spawn(executor_, name_ + ": saving state", Run(job));
  co_await job->done.Wait();
  co_return job->result;
}

Task<void> StateWriter::Idle() {
  while (last_ && !last_->done.IsSet()) {
    const auto job = last_;
    co_await job->done.Wait();
  }
}

}  // namespace shipmate::service
