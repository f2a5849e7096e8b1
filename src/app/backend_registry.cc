#include "app/backend_registry.h"

#include <utility>

#include "app/self_backend.h"
#include "service/backends/launchctl.h"
#include "service/backends/process.h"
#include "service/backends/systemctl.h"
#include "service/backends/unit_cache.h"

namespace shipmate::app {

namespace {

using service::backends::UnitScope;

std::unique_ptr<service::Backend> MakeUnit(const Ourselves& ourselves, service::backends::UnitCaches& caches,
                                           const service::BackendContext& context) {
  auto unit = service::backends::MakeSystemctlBackend(context, caches);
  const UnitScope scope = context.service->user_service ? UnitScope::kUser : UnitScope::kSystem;
  if (!ourselves.unit || !ourselves.unit->Is(context.service->service_name, scope)) return unit;
  return std::make_unique<SelfBackend>(std::move(unit), ourselves.unit->id, ourselves.restart);
}

}  // namespace

service::BackendFactory Backends(Ourselves ourselves) {
  const auto caches = std::make_shared<service::backends::UnitCaches>();
  return
      [ourselves = std::move(ourselves), caches](service::BackendContext context) -> std::unique_ptr<service::Backend> {
        switch (context.service->kind) {
          case config::ServiceKind::kProcess:
            return std::make_unique<service::backends::ProcessBackend>(std::move(context));
          case config::ServiceKind::kSystemd:
            return MakeUnit(ourselves, *caches, context);
          case config::ServiceKind::kLaunchd:
            return service::backends::MakeLaunchctlBackend(context);
          case config::ServiceKind::kNone:
            break;  // nothing runs: the manager knows what to say
        }
        return nullptr;
      };
}

}  // namespace shipmate::app
