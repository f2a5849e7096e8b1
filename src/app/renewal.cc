#include "app/renewal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "async/deadline.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time_text.h"
#include "os/files.h"
#include "os/proc_info.h"
#include "os/run_command.h"

namespace shipmate::app {

namespace {

using namespace std::chrono_literals;

constexpr auto kCheckLimit = 30s;
constexpr auto kDeployLook = 200ms;
// systemd stops a unit at once; a job that waits for others takes longer than anybody would think of this restart.
constexpr auto kUnitLimit = 60s;
constexpr auto kMarkLife = 10min;
constexpr std::size_t kMarkSize = 4096;

std::string MarkPath(const std::string& state_dir) {
  return state_dir + "/.renewal";
}

}  // namespace

Renewal::Renewal(RenewalSetup setup) : setup_(std::move(setup)), work_(setup_.executor) {}

void Renewal::Begin(std::string why) {
  if (std::exchange(under_way_, true)) return;
  LogInfo("self-deploy: begins: " + why);
  work_.Spawn("self-deploy", Renew());
}

Task<void> Renewal::Renew() {
  co_await WaitForDeploys();
  const auto checked = co_await CheckProgram();
  if (!checked) {
    setup_.say(fmt::format("the new program was not started, and version {} goes on: {}", setup_.version,
                           checked.error().what));
    under_way_ = false;
    co_return;
  }
  const auto marked = WriteRenewalMark(setup_.state_dir, {.version = setup_.version, .at = setup_.clock.WallNow()});
  if (!marked) LogError("self-deploy: the next program will not say that it is back: " + marked.error().what);
  // Without KillMode=process a restart by systemd would take the services along.
  if (unit_ && unit_->main_pid == os::OwnPid() && unit_->SparesServices()) {
    service::backends::OwnUnit unit = *unit_;
    if (co_await AskSystemd(std::move(unit))) co_return;
  }
  setup_.become();
}

Task<void> Renewal::WaitForDeploys() {
  bool said = false;
  while (setup_.deploying()) {
    if (!std::exchange(said, true)) LogInfo("self-deploy: waits for the end of the other deploys");
    co_await async::Sleep(kDeployLook);
  }
}

Task<Result<std::string>> Renewal::Ask(std::string argument) {
  os::CommandOptions command;
  command.argv = setup_.program.argv;
  if (command.argv.empty()) command.argv.emplace_back();
  command.argv.front() = setup_.program.path;
  command.argv.push_back(argument);
  command.env = setup_.environment;
  command.limit = kCheckLimit;
  const auto ended = co_await os::RunCommand(std::move(command));
  if (!ended) co_return Fail(ended.error());
  const std::string attempt = setup_.program.path + " " + argument;
  if (ended->timed_out) {
    co_return Fail(Errc::kTimeout, fmt::format("{}: no answer within {}", attempt, base::FormatDuration(kCheckLimit)));
  }
  if (!ended->status.Success()) {
    co_return Fail(Errc::kInvalid,
                   fmt::format("{}: {}: {}", attempt, ended->status.Describe(), os::OutputTail(ended->output)));
  }
  co_return ended->output;
}

Task<Result<void>> Renewal::CheckProgram() {
  const auto version = co_await Ask("--version");
  if (!version) co_return Fail(version.error());
  // Else any program that ignores its arguments would do.
  if (!version->starts_with("shipmate ")) {
    co_return Fail(Errc::kInvalid, fmt::format("{} --version: {} is not what Shipmate says", setup_.program.path,
                                               base::Quote(base::FirstRunes(base::Trim(*version), 80))));
  }
  const auto config = co_await Ask("--check-config");
  if (!config) co_return Fail(config.error());
  LogInfo(fmt::format("self-deploy: {} is good: {}", setup_.program.path, base::Trim(*version)));
  co_return Result<void>{};
}

Task<bool> Renewal::AskSystemd(service::backends::OwnUnit unit) {
  const std::string id = unit.id;
  awaits_unit_ = true;
  // Said before: the restart may be here before the answer.
  LogInfo("self-deploy: asks systemd to restart " + id);
  const auto asked = co_await service::backends::RestartOwnUnit(std::move(unit), setup_.environment);
  if (asked) {
    co_await async::Sleep(kUnitLimit);
    LogWarn(fmt::format("self-deploy: systemd took the restart of {} and did not begin it", id));
  } else {
    LogInfo("self-deploy: not by systemd: " + asked.error().what);
  }
  awaits_unit_ = false;
  co_return false;
}

Result<void> WriteRenewalMark(const std::string& state_dir, const RenewalMark& mark) {
  const auto at = std::chrono::duration_cast<std::chrono::seconds>(mark.at.time_since_epoch()).count();
  constexpr unsigned kMode = 0640;
  return os::WriteFileAtomically(MarkPath(state_dir), fmt::format("{} {}\n", at, mark.version), kMode, os::Sync::kNone);
}

std::optional<RenewalMark> TakeRenewalMark(const std::string& state_dir, base::WallTime now) {
  const std::string path = MarkPath(state_dir);
  const auto text = os::ReadFile(path, kMarkSize);
  if (!text) return std::nullopt;
  ::unlink(path.c_str());
  const std::string_view line = base::Trim(*text);
  const std::size_t space = line.find(' ');
  std::int64_t seconds = 0;
  std::from_chars(line.data(), line.data() + std::min(space, line.size()), seconds);
  RenewalMark mark;
  mark.at = base::WallTime(std::chrono::seconds(seconds));
  if (space == std::string_view::npos || now - mark.at > kMarkLife || mark.at - now > kMarkLife) return std::nullopt;
  mark.version = line.substr(space + 1);
  return mark;
}

}  // namespace shipmate::app
