// Service: what it takes up.

#include <algorithm>
#include <map>

#include "async/deadline.h"
#include "os/sparse_file.h"
#include "os/ticks.h"
#include "service/environment.h"
#include "service/logfile.h"
#include "service/service.h"

namespace shipmate::service {

namespace {

// Long enough for some ticks of the processor, short enough for a person.
constexpr std::chrono::milliseconds kSample{250};

std::uint64_t LogsOnDisk(const std::string& dir, const std::string& name) {
  std::uint64_t used = 0;
  for (const std::string& path : ListLogFiles(dir, name)) {
    if (const auto use = os::InspectFile(path)) used += use->used;
  }
  return used;
}

}  // namespace

Task<ServiceUse> Service::Use() {
  ServiceUse use;
  use.logs =
      co_await context_.pool->Run([dir = context_.config.log_dir, name = Name()] { return LogsOnDisk(dir, name); });
  const auto process = backend_->SaveBackendState();
  if (!process) co_return use;
  const Traces traces{.pgid = process->pgid,
                      .mark = InstanceMark(context_.state_id, Name(), state_.generation),
                      .group = context_.census->Groups() ? Name() : ""};
  std::map<std::pair<pid_t, std::uint64_t>, std::uint64_t> before;
  const auto first = co_await context_.census->Look();
  const base::SteadyTime began = context_.clock->Now();
  for (const os::ProcessStat& member : Members(*first, traces))
    before[{member.pid, member.start_ticks}] = member.cpu_ticks;
  co_await async::Sleep(kSample);
  const auto second = co_await context_.census->Look();
  const std::chrono::duration<double> elapsed = context_.clock->Now() - began;
  std::uint64_t ticks = 0;
  for (const os::ProcessStat& member : Members(*second, traces)) {
    ++use.processes;
    use.memory += member.resident_bytes;
    // One that began in between has used all it used in between.
    const auto earlier = before.find({member.pid, member.start_ticks});
    ticks += member.cpu_ticks - (earlier == before.end() ? 0 : std::min(earlier->second, member.cpu_ticks));
  }
  if (elapsed.count() > 0)
    use.processor = static_cast<double>(ticks) / static_cast<double>(os::TicksPerSecond()) / elapsed.count();
  co_return use;
}

}  // namespace shipmate::service
