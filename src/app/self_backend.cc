#include "app/self_backend.h"

#include <utility>

namespace shipmate::app {

SelfBackend::SelfBackend(std::unique_ptr<service::Backend> unit, std::string id, std::function<void()> restart)
    : unit_(std::move(unit)), id_(std::move(id)), restart_(std::move(restart)) {}

Task<Result<service::Change>> SelfBackend::Start() {
  co_return service::Change::kAlready;
}

Task<Result<service::Change>> SelfBackend::Stop() {
  co_return Fail(
      Errc::kRefused,
      "this is Shipmate itself: nobody would be left to start it again; to end it, on its machine: systemctl "
      "stop " +
          id_);
}

Task<Result<void>> SelfBackend::Restart() {
  restart_();
  co_return Result<void>{};
}

Task<Result<std::string>> SelfBackend::Status() {
  return unit_->Status();
}

Task<Result<std::string>> SelfBackend::Logs(std::size_t bytes) {
  return unit_->Logs(bytes);
}

Task<void> SelfBackend::Close() {
  return unit_->Close();
}

}  // namespace shipmate::app
