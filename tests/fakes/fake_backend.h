#pragma once

// FakeBackend: a service that exists in a script only. The test holds the script, sets what the next calls do, lets the
// process end when it likes, and reads which calls came.

#include <boost/asio/post.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "async/latch.h"
#include "service/backend.h"

namespace shipmate::tests {

/// What one FakeBackend does and was asked; outlives it. Survives a change of the service's settings.
struct FakeScript {
  explicit FakeScript(const Executor& loop) : executor(loop), never(loop) {}

  Executor executor;
  int pid = 0;
  int next_pid = 1000;
  std::uint64_t generation = 0;
  std::string log = "";
  /// The next changing calls fail with this until it is reset.
  std::optional<Error> failure;
  /// Changing calls wait for this before they do anything.
  std::shared_ptr<async::Event> hold;
  /// Status fails, or never answers.
  std::optional<Error> status_failure;
  bool status_hangs = false;
  service::Adoption adoption{.text = "no state to adopt"};
  /// "start", "stop", "restart", "configure", "close", in order.
  std::vector<std::string> calls;
  std::vector<std::string> environment;
  service::ExitSink seen;
  async::Event never;

  /// The process ends by itself.
  void Die(os::ExitStatus status) {
    pid = 0;
    boost::asio::post(executor, [this, status] {
      seen({.generation = generation, .status = status, .uptime = std::chrono::seconds(5)});
    });
  }
};

class FakeBackend final : public service::Backend {
 public:
  FakeBackend(std::shared_ptr<FakeScript> script, service::BackendContext context)
      : script_(std::move(script)), context_(std::move(context)) {
    script_->environment = *context_.environment;
  }

  Task<Result<service::Change>> Start() override {
    script_->calls.emplace_back("start");
    co_return co_await Up();
  }
  Task<Result<service::Change>> Stop() override {
    script_->calls.emplace_back("stop");
    co_return co_await Down();
  }
  Task<Result<void>> Restart() override {
    script_->calls.emplace_back("restart");
    if (auto down = co_await Down(); !down) co_return Fail(down.error());
    if (auto up = co_await Up(); !up) co_return Fail(up.error());
    co_return Result<void>();
  }
  Task<Result<std::string>> Status() override {
    if (script_->status_hangs) co_await script_->never.Wait();
    if (script_->status_failure) co_return Fail(*script_->status_failure);
    co_return script_->pid != 0 ? "running" : "stopped";
  }
  Task<Result<std::string>> Logs(std::size_t bytes) override {
    const std::string& log = script_->log;
    co_return log.substr(log.size() - std::min(log.size(), bytes));
  }
  service::Adoption TryAdopt(const service::State& saved) override {
    script_->generation = std::max(script_->generation, saved.generation);
    return script_->adoption;
  }
  void WatchExits(service::ExitSink seen) override { script_->seen = std::move(seen); }
  std::optional<os::ProcessState> SaveBackendState() override {
    if (script_->pid == 0) return std::nullopt;
    return os::ProcessState{.pid = script_->pid, .pgid = script_->pid};
  }
  int Pid() const override { return script_->pid; }
  std::chrono::milliseconds Uptime() const override { return std::chrono::hours(3); }
  std::string LogFile() const override { return ""; }
  void Configure(std::shared_ptr<const config::ServiceConfig>) override { script_->calls.emplace_back("configure"); }
  Task<void> Close() override {
    script_->calls.emplace_back("close");
    co_return;
  }

 private:
  Task<Result<service::Change>> Up() {
    if (script_->hold) co_await Held();
    if (script_->failure) co_return Fail(*script_->failure);
    if (script_->pid != 0) co_return service::Change::kAlready;
    ++script_->generation;
    if (auto begun = co_await context_.begin_start(script_->generation); !begun) co_return Fail(begun.error());
    script_->pid = script_->next_pid++;
    co_return service::Change::kDone;
  }
  Task<Result<service::Change>> Down() {
    if (script_->hold) co_await Held();
    if (script_->failure) co_return Fail(*script_->failure);
    if (script_->pid == 0) co_return service::Change::kAlready;
    script_->pid = 0;
    co_return service::Change::kDone;
  }
  Task<void> Held() {
    const auto hold = script_->hold;
    co_await hold->Wait();
  }

  std::shared_ptr<FakeScript> script_;
  service::BackendContext context_;
};

}  // namespace shipmate::tests
