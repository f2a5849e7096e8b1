#include "app/backend_registry.h"

#include "service/backends/launchctl.h"
#include "service/backends/process.h"
#include "service/backends/systemctl.h"

namespace shipmate::app {

namespace {

std::unique_ptr<service::Backend> MakeBackend(service::BackendContext context) {
  switch (context.service.kind) {
    case config::ServiceKind::kProcess:
      return std::make_unique<service::backends::ProcessBackend>(std::move(context));
    case config::ServiceKind::kSystemd:
      return service::backends::MakeSystemctlBackend(context);
    case config::ServiceKind::kLaunchd:
      return service::backends::MakeLaunchctlBackend(context);
    case config::ServiceKind::kNone:
      break;  // nothing runs: the manager knows what to say
  }
  return nullptr;
}

}  // namespace

service::BackendFactory Backends() {
  return &MakeBackend;
}

}  // namespace shipmate::app
