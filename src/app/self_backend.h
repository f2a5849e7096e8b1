#pragma once

// SelfBackend: the unit that this program itself runs as, put under its own command: looked at as any unit, never
// stopped, and restarted by a way of the app's own.

#include <functional>
#include <memory>
#include <string>

#include "service/backend.h"

namespace shipmate::app {

class SelfBackend final : public service::Backend {
 public:
  /// `unit` commands the unit named `id`; `restart` begins a restart of the program and returns at once.
  SelfBackend(std::unique_ptr<service::Backend> unit, std::string id, std::function<void()> restart);

  Task<Result<service::Change>> Start() override;
  Task<Result<service::Change>> Stop() override;
  Task<Result<void>> Restart() override;
  Task<Result<std::string>> Status() override;
  Task<Result<std::string>> Logs(std::size_t bytes) override;
  service::Adoption TryAdopt(const service::State& saved) override { return unit_->TryAdopt(saved); }
  std::optional<os::ProcessState> SaveBackendState() override { return std::nullopt; }
  int Pid() const override { return unit_->Pid(); }
  std::chrono::milliseconds Uptime() const override { return unit_->Uptime(); }
  std::string LogFile() const override { return unit_->LogFile(); }
  bool IsOurselves() const override { return true; }
  Task<void> Close() override;

 private:
  const std::unique_ptr<service::Backend> unit_;
  const std::string id_;
  const std::function<void()> restart_;
};

}  // namespace shipmate::app
