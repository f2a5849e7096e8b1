#include "service/no_backend.h"

#include <utility>

#include "async/latch.h"

namespace shipmate::service {

namespace {

class NoBackend final : public Backend {
 public:
  NoBackend(const Executor& executor, std::string name) : name_(std::move(name)), never_(executor) {}

  Task<Result<Change>> Start() override { co_return Refusal(); }
  Task<Result<Change>> Stop() override { co_return Refusal(); }
  Task<Result<void>> Restart() override { co_return Refusal(); }
  Task<Result<std::string>> Status() override { co_return "none"; }
  Task<Result<std::string>> Logs(std::size_t) override { co_return ""; }
  Adoption TryAdopt(const State&) override { return {.text = "no state to adopt"}; }
  Task<Exit> WaitForExit() override {
    co_await never_.Wait();
    co_return Exit();
  }
  std::optional<os::ProcessState> SaveBackendState() override { return std::nullopt; }
  int Pid() const override { return 0; }
  std::chrono::milliseconds Uptime() const override { return std::chrono::milliseconds(0); }
  std::string LogFile() const override { return ""; }

 private:
  std::unexpected<Error> Refusal() const {
    return Fail(Errc::kInvalid, name_ + " has nothing to run (`type: none`): it can be deployed and pulled");
  }

  std::string name_;
  async::Event never_;
};

}  // namespace

std::unique_ptr<Backend> MakeNoBackend(const Executor& executor, std::string name) {
  return std::make_unique<NoBackend>(executor, std::move(name));
}

}  // namespace shipmate::service
