// Manager: one timer for the next run that a schedule asks for, of all services.

#include "base/log.h"
#include "service/manager_impl.h"

namespace shipmate::service {

void Manager::Impl::CheckSchedules() {
  if (!schedules_on || stopped) return;
  if (alarm_) return alarm_->Wake();
  bool any = false;
  for (const auto& [name, service] : services) any = any || service->Config().schedule;
  if (!any) return;
  auto alarm = os::WallAlarm::Create(context.executor);
  if (!alarm) {
    LogError("schedules: nothing is started by them until the next reload: " + alarm.error().what);
    return;
  }
  alarm_ = *std::move(alarm);
  background.Spawn("schedules", RunSchedules());
}

Task<void> Manager::Impl::RunSchedules() {
  while (true) {
    const base::WallTime now = context.clock->WallNow();
    std::optional<base::WallTime> first;
    for (const auto& service : All()) {
      service->RunDue(now);
      const auto next = service->NextRun();
      if (next && (!first || *next < *first)) first = next;
    }
    std::optional<std::chrono::nanoseconds> left;
    if (first) left = *first - now;
    co_await alarm_->Wait(left);
  }
}

}  // namespace shipmate::service
