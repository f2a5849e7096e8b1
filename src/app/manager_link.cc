#include "app/manager_link.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "async/deadline.h"
#include "base/log.h"
#include "base/text.h"

namespace shipmate::app {

namespace {

constexpr std::chrono::seconds kStatusInterval{10};
constexpr std::chrono::milliseconds kShortestInterval{50};

}  // namespace

void ManagerLink::Send(const std::string& assignments) {
  const auto sent = link_.Send(assignments);
  // Said once: it would be the same each time.
  if (!sent && !std::exchange(failed_, true)) LogWarn(sent.error().what);
}

void ManagerLink::Ready(async::TaskGroup& group, Describe describe) {
  if (!link_.Listening()) return;
  Send("READY=1");
  if (const auto limit = link_.Watchdog()) {
    // Half the limit, as sd_watchdog_enabled(3) advises.
    const auto half = std::chrono::duration_cast<std::chrono::milliseconds>(*limit / 2);
    group.Spawn("watchdog", KeepAlive(std::max(half, kShortestInterval)));
  }
  group.Spawn("status for the service manager", ShowStatus(std::move(describe)));
}

void ManagerLink::Stopping(const std::string& status) {
  Send("STOPPING=1\nSTATUS=" + base::EscapeControls(status));
}

void ManagerLink::Changing(const std::string& status) {
  Send("WATCHDOG=1\nSTATUS=" + base::EscapeControls(status));
}

Task<void> ManagerLink::KeepAlive(std::chrono::milliseconds interval) {
  for (;;) {
    Send("WATCHDOG=1");
    co_await async::Sleep(interval);
  }
}

Task<void> ManagerLink::ShowStatus(Describe describe) {
  std::string last;
  for (;;) {
    const std::string status = co_await describe();
    if (status != last) Send("STATUS=" + base::EscapeControls(status));
    last = status;
    co_await async::Sleep(kStatusInterval);
  }
}

}  // namespace shipmate::app
