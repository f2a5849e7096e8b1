#include "service/no_backend.h"

#include <utility>

namespace shipmate::service {

namespace {

class NoBackend final : public Backend {
 public:
  explicit NoBackend(std::string name) : name_(std::move(name)) {}

  Task<Result<Change>> Start() override { co_return Refusal(); }
  Task<Result<Change>> Stop() override { co_return Refusal(); }
  Task<Result<void>> Restart() override { co_return Refusal(); }
  Task<Result<std::string>> Status() override { co_return "none"; }
  Task<Result<std::string>> Logs(std::size_t) override { co_return ""; }
  Adoption TryAdopt(const State&) override { return {.text = "no state to adopt"}; }
  std::optional<os::ProcessState> SaveBackendState() override { return std::nullopt; }
  int Pid() const override { return 0; }
  std::chrono::milliseconds Uptime() const override { return std::chrono::milliseconds(0); }
  std::string LogFile() const override { return ""; }

 private:
  std::unexpected<Error> Refusal() const {
    return Fail(Errc::kInvalid, name_ + " has nothing to run (`type: none`): it can be deployed and pulled");
  }

  std::string name_;
};

}  // namespace

std::unique_ptr<Backend> MakeNoBackend(std::string name) {
  return std::make_unique<NoBackend>(std::move(name));
}

}  // namespace shipmate::service
