#include "service/backends/launchctl.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <utility>

#include "async/deadline.h"
#include "base/clock.h"
#include "base/text.h"
#include "service/backends/unit_command.h"

namespace shipmate::service::backends {

namespace {

constexpr std::size_t kListLimit = std::size_t{4} * 1024 * 1024;
constexpr std::size_t kLogMargin = std::size_t{256} * 1024;

int Number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? value : 0;
}

// The first line of `log show` names its columns.
std::string_view WithoutHeading(std::string_view log) {
  if (!log.starts_with("Timestamp ")) return log;
  log.remove_prefix(std::min(log.find('\n'), log.size() - 1) + 1);
  return log;
}

}  // namespace

std::optional<LaunchdJob> FindLaunchdJob(std::string_view listed, std::string_view label) {
  for (const std::string_view line : base::Split(listed, '\n')) {
    const auto columns = base::Split(line, '\t');
    if (columns.size() != 3 || base::Trim(columns[2]) != label) continue;
    // "-" is no number, and so 0: no process.
    return LaunchdJob{.pid = Number(base::Trim(columns[0])), .last_exit = Number(base::Trim(columns[1]))};
  }
  return std::nullopt;
}

std::string LaunchdLogPredicate(std::string_view label, int pid) {
  std::string predicate = fmt::format("process == \"{}\" OR subsystem == \"{}\"", label, label);
  if (pid > 0) predicate += fmt::format(" OR processID == {}", pid);
  return predicate;
}

LaunchctlBackend::LaunchctlBackend(LaunchctlOptions options)
    : options_(std::move(options)), usable_(CheckUnitName("label", options_.label)) {}

Task<Result<std::optional<LaunchdJob>>> LaunchctlBackend::Look() {
  if (!usable_) co_return Fail(usable_.error());
  UnitCommand command;
  command.argv = {"launchctl", "list"};
  command.environment = options_.environment;
  command.what = "launchctl list";
  command.output_limit = kListLimit;
  pid_ = 0;
  const auto listed = co_await RunUnitCommand(std::move(command));
  if (!listed) co_return Fail(listed.error());
  const auto job = FindLaunchdJob(*listed, options_.label);
  if (job) pid_ = job->pid;
  co_return job;
}

Task<Result<void>> LaunchctlBackend::Command(std::string verb) {
  UnitCommand command;
  command.argv = {"launchctl", verb, options_.label};
  command.environment = options_.environment;
  command.what = fmt::format("launchctl {} {}", verb, options_.label);
  auto done = co_await RunUnitCommand(std::move(command));
  if (!done) co_return Fail(std::move(done).error());
  co_return Result<void>{};
}

Task<Result<Change>> LaunchctlBackend::Start() {
  const auto job = co_await Look();
  if (!job) co_return Fail(job.error());
  if (!job->has_value()) {
    co_return Fail(Errc::kNotFound, fmt::format("launchctl start {}: the job is not loaded; load its plist with "
                                                "launchctl bootstrap",
                                                options_.label));
  }
  if (job->value_or(LaunchdJob{}).pid != 0) co_return Change::kAlready;
  if (auto done = co_await Command("start"); !done) co_return Fail(std::move(done).error());
  co_return Change::kDone;
}

Task<Result<int>> LaunchctlBackend::StopProcess(int pid) {
  if (auto done = co_await Command("stop"); !done) co_return Fail(std::move(done).error());
  for (int polls = 0; polls < options_.stop_polls; ++polls) {
    const auto job = co_await Look();
    if (!job) co_return Fail(job.error());
    const int now = job->value_or(LaunchdJob{}).pid;
    if (now != pid) co_return now;
    co_await async::Sleep(options_.stop_poll);
  }
  co_return Fail(Errc::kTimeout, fmt::format("launchctl stop {}: process {} still runs after {} looks", options_.label,
                                             pid, options_.stop_polls));
}

Task<Result<Change>> LaunchctlBackend::Stop() {
  const auto job = co_await Look();
  if (!job) co_return Fail(job.error());
  const int pid = job->value_or(LaunchdJob{}).pid;
  if (pid == 0) co_return Change::kAlready;
  auto successor = co_await StopProcess(pid);
  if (!successor) co_return Fail(std::move(successor).error());
  if (*successor != 0) {
    co_return Fail(Errc::kRefused, fmt::format("launchctl stop {}: launchd started it again (KeepAlive in its plist); "
                                               "launchctl bootout stops it for good",
                                               options_.label));
  }
  co_return Change::kDone;
}

Task<Result<void>> LaunchctlBackend::Restart() {
  const auto job = co_await Look();
  if (!job) co_return Fail(job.error().code, "launchctl restart stop: " + job.error().what);
  const int pid = job->value_or(LaunchdJob{}).pid;
  if (pid != 0) {
    const auto successor = co_await StopProcess(pid);
    if (!successor) co_return Fail(successor.error().code, "launchctl restart stop: " + successor.error().what);
    // A job with KeepAlive is back already.
    if (*successor != 0) co_return Result<void>{};
  }
  const auto started = co_await Start();
  if (!started) co_return Fail(started.error().code, "launchctl restart start: " + started.error().what);
  co_return Result<void>{};
}

Task<Result<std::string>> LaunchctlBackend::Status() {
  const auto job = co_await Look();
  if (!job) co_return Fail(job.error());
  co_return job->value_or(LaunchdJob{}).pid != 0 ? "running" : "stopped";
}

Task<Result<std::string>> LaunchctlBackend::Logs(std::size_t bytes) {
  const auto job = co_await Look();
  if (!job) co_return Fail(job.error());
  if (bytes == 0) co_return "";
  UnitCommand command;
  command.argv = {"log",    "show", "--predicate", LaunchdLogPredicate(options_.label, job->value_or(LaunchdJob{}).pid),
                  "--last", "5m",   "--style",     "compact"};
  command.environment = options_.environment;
  command.what = "log show: the log of " + options_.label;
  // Half of what is kept is the end of it, and that half must hold all that is wanted.
  command.output_limit = 2 * bytes + kLogMargin;
  const auto printed = co_await RunUnitCommand(std::move(command));
  if (!printed) co_return Fail(printed.error());
  co_return TailOfLog(WithoutHeading(*printed), bytes);
}

Adoption LaunchctlBackend::TryAdopt(const State& /*saved*/) {
  return {.adopted = false, .text = "no state to adopt"};
}

std::unique_ptr<Backend> MakeLaunchctlBackend(const BackendContext& context) {
  return std::make_unique<LaunchctlBackend>(
      LaunchctlOptions{.label = context.service->service_name, .environment = *context.environment});
}

}  // namespace shipmate::service::backends
