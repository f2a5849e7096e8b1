#include "app/backend_registry.h"

#include "service/backends/launchctl.h"
#include "service/backends/process.h"
#include "service/backends/systemctl.h"

namespace shipmate::app {

namespace {

std::unique_ptr<service::Backend> MakeBackend(service::BackendContext context) {
  using service::backends::UnitPrivilege;
  using service::backends::UnitScope;
  const config::ServiceConfig config = context.service;
  switch (config.kind) {
    case config::ServiceKind::kProcess:
      return std::make_unique<service::backends::ProcessBackend>(std::move(context));
    case config::ServiceKind::kSystemd:
      return std::make_unique<service::backends::SystemctlBackend>(
          service::backends::SystemctlOptions{.unit = config.service_name,
                                              .scope = config.user_service ? UnitScope::kUser : UnitScope::kSystem,
                                              .privilege = config.sudo ? UnitPrivilege::kSudo : UnitPrivilege::kOwn,
                                              .environment = std::move(context.environment),
                                              .clock = context.clock});
    case config::ServiceKind::kLaunchd:
      return std::make_unique<service::backends::LaunchctlBackend>(service::backends::LaunchctlOptions{
          .label = config.service_name, .environment = std::move(context.environment)});
    case config::ServiceKind::kNone:
      break;
  }
  return nullptr;
}

}  // namespace

service::BackendFactory Backends() {
  return &MakeBackend;
}

}  // namespace shipmate::app
