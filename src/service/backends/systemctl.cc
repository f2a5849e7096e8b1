#include "service/backends/systemctl.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <utility>

#include "base/text.h"
#include "service/backends/unit_cache.h"
#include "service/backends/unit_command.h"

namespace shipmate::service::backends {

namespace {

// A line of `journalctl -o short-iso` starts with a time of 24 characters, the host's name and the program's; so this
// many bytes are never two lines, and enough lines are asked for.
constexpr std::size_t kShortestLogLine = 32;
constexpr std::size_t kMostLogLines = 20'000;
// The journal cuts a line of a service's output at 48 KiB (LineMax= in journald.conf(5)); room for some of those.
constexpr std::size_t kLogMargin = std::size_t{256} * 1024;
constexpr std::string_view kUnreadableJournal = "Hint: You are currently not seeing messages from other users";

template <class T>
T Number(std::string_view text) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? value : T{0};
}

void SetProperty(UnitLook& look, std::string_view key, std::string_view value) {
  if (key == "Id") look.id = value;
  if (key == "LoadState") look.load_state = value;
  if (key == "ActiveState") look.active_state = value;
  if (key == "SubState") look.sub_state = value;
  if (key == "MainPID") look.main_pid = Number<int>(value);
  if (key == "ActiveEnterTimestampMonotonic") {
    look.active_since = std::chrono::microseconds(Number<std::int64_t>(value));
  }
  if (key == "InactiveEnterTimestampMonotonic") {
    look.inactive_since = std::chrono::microseconds(Number<std::int64_t>(value));
  }
  if (key == "Result") look.result = value;
  if (key == "ExecMainCode") look.main_code = Number<int>(value);
  if (key == "ExecMainStatus") look.main_status = Number<int>(value);
  if (key == "Names") {
    for (const std::string_view name : base::Split(value, ' ')) {
      if (!name.empty()) look.names.emplace_back(name);
    }
  }
}

// systemctl completes a name without an ending in this way (systemctl(1), "Parameter Syntax").
std::string WholeName(const std::string& unit) {
  constexpr std::string_view kEndings[] = {".service", ".socket", ".device", ".mount", ".automount", ".swap",
                                           ".target",  ".path",   ".timer",  ".slice", ".scope"};
  const bool whole = std::ranges::any_of(kEndings, [&](std::string_view ending) { return unit.ends_with(ending); });
  return whole ? unit : unit + ".service";
}

// A template is no unit, and systemctl gives up at the first one, whatever else it was asked for.
Result<void> CheckUnit(const std::string& unit) {
  if (auto named = CheckUnitName("unit", unit); !named) return named;
  if (WholeName(unit).contains("@.")) {
    return Fail(Errc::kInvalid,
                fmt::format("unit {} is a template; name one of its instances, as in name@instance.service", unit));
  }
  return {};
}

std::vector<std::string> Systemctl(UnitScope scope) {
  std::vector<std::string> argv{"systemctl"};
  if (scope == UnitScope::kUser) argv.emplace_back("--user");
  argv.emplace_back("--no-ask-password");
  return argv;
}

bool IsUp(const UnitLook& look) {
  return look.active_state == "active" || look.active_state == "reloading";
}
bool IsDown(const UnitLook& look) {
  return look.active_state == "inactive" || look.active_state == "failed";
}

// What journalctl says about itself, at the start of its output or in place of it (journalctl(1), --quiet): the span of
// the journal, that there are no entries, that some cannot be read.
std::string_view WithoutRemarks(std::string_view printed) {
  for (;;) {
    const std::size_t line_end = std::min(printed.find('\n'), printed.size());
    const std::string_view line = printed.substr(0, line_end);
    const bool remark = line.starts_with("-- No entries --") || line.starts_with("-- Logs begin at") ||
                        line.starts_with("-- Journal begins at") || line.starts_with(kUnreadableJournal) ||
                        line.starts_with("      Users in groups ") || line.starts_with("      Pass -q ");
    if (!remark) return printed;
    printed.remove_prefix(std::min(line_end + 1, printed.size()));
    if (printed.empty()) return printed;
  }
}

Result<void> Usable(const SystemctlOptions& options) {
  if (auto named = CheckUnit(options.unit); !named) return named;
  if (options.scope == UnitScope::kUser && options.privilege == UnitPrivilege::kSudo) {
    return Fail(Errc::kInvalid, fmt::format("unit {}: sudo and user_service exclude each other, since sudo would reach "
                                            "root's own systemd; remove one of them",
                                            options.unit));
  }
  return {};
}

}  // namespace

Result<std::string> StatusOf(const UnitLook& look) {
  if (IsDown(look) && look.load_state == "not-found") {
    return Fail(Errc::kNotFound,
                fmt::format("unit {} does not exist; check service_name in the service's file", look.id));
  }
  if (IsDown(look) && (look.load_state == "bad-setting" || look.load_state == "error")) {
    return Fail(Errc::kInvalid, fmt::format("systemd cannot load unit {} ({}); systemctl status {} says why", look.id,
                                            look.load_state, look.id));
  }
  if (look.active_state == "inactive" && look.load_state == "masked") return "masked";
  if (look.active_state == "active") return "running";
  if (look.active_state == "inactive") return "stopped";
  if (look.active_state == "activating") return "starting";
  if (look.active_state == "deactivating") return "stopping";
  return look.active_state;
}

std::vector<UnitLook> ParseUnitLooks(std::string_view shown) {
  std::vector<UnitLook> looks;
  UnitLook look;
  const auto finish = [&] {
    if (!look.id.empty() && !look.active_state.empty()) looks.push_back(look);
    look = UnitLook{};
  };
  for (const std::string_view line : base::Split(shown, '\n')) {
    if (line.empty()) finish();
    const std::size_t equals = line.find('=');
    if (equals != std::string_view::npos) SetProperty(look, line.substr(0, equals), line.substr(equals + 1));
  }
  finish();
  return looks;
}

Task<Result<std::vector<UnitLook>>> LookAtUnits(std::vector<std::string> units, UnitScope scope,
                                                std::vector<std::string> environment) {
  if (units.empty()) co_return std::vector<UnitLook>{};
  for (const std::string& unit : units) {
    if (auto named = CheckUnit(unit); !named) co_return Fail(named.error());
  }
  UnitCommand command;
  command.argv = Systemctl(scope);
  command.argv.emplace_back("show");
  for (const char* property :
       {"Id", "Names", "LoadState", "ActiveState", "SubState", "MainPID", "ActiveEnterTimestampMonotonic",
        "InactiveEnterTimestampMonotonic", "Result", "ExecMainCode", "ExecMainStatus"}) {
    command.argv.emplace_back("-p");
    command.argv.emplace_back(property);
  }
  command.argv.emplace_back("--");
  command.argv.insert(command.argv.end(), units.begin(), units.end());
  command.environment = std::move(environment);
  command.what =
      units.size() == 1 ? "systemctl show " + units.front() : fmt::format("systemctl show of {} units", units.size());
  constexpr std::size_t kMostOfOneUnit = 2048;
  command.output_limit += units.size() * kMostOfOneUnit;
  const std::string what = command.what;
  const auto shown = co_await RunUnitCommand(std::move(command));
  if (!shown) co_return Fail(shown.error());
  const auto looks = ParseUnitLooks(*shown);
  std::vector<UnitLook> found;
  for (const std::string& unit : units) {
    const std::string name = WholeName(unit);
    const auto look = std::ranges::find_if(looks, [&](const UnitLook& shown_look) {
      return shown_look.id == name || std::ranges::find(shown_look.names, name) != shown_look.names.end();
    });
    if (look == looks.end()) co_return Fail(Errc::kProtocol, fmt::format("{}: no answer for {}", what, name));
    found.push_back(*look);
  }
  co_return found;
}

// A change that is ours: what is seen of it is no news.
class SystemctlBackend::ChangeScope {
 public:
  explicit ChangeScope(SystemctlBackend& backend) : backend_(backend) {
    if (backend_.seat_) backend_.seat_->BeginChange();
  }
  ~ChangeScope() {
    if (!backend_.seat_) return;
    const bool looked = !backend_.last_.active_state.empty();
    backend_.seat_->EndChange(looked ? std::optional(backend_.last_) : std::nullopt);
  }
  ChangeScope(const ChangeScope&) = delete;
  ChangeScope& operator=(const ChangeScope&) = delete;

 private:
  SystemctlBackend& backend_;
};

SystemctlBackend::SystemctlBackend(SystemctlOptions options) : options_(std::move(options)), usable_(Usable(options_)) {
  if (options_.cache && usable_) seat_ = std::make_unique<UnitSeat>(options_.cache, options_.unit);
}

SystemctlBackend::~SystemctlBackend() = default;

Task<void> SystemctlBackend::Close() {
  if (seat_) co_await seat_->Close();
}

Task<Result<UnitLook>> SystemctlBackend::Look() {
  if (!usable_) co_return Fail(usable_.error());
  std::vector<std::string> units{options_.unit};
  auto looks = co_await LookAtUnits(std::move(units), options_.scope, options_.environment);
  if (!looks) {
    last_ = UnitLook{};
    co_return Fail(looks.error());
  }
  last_ = looks->front();
  co_return last_;
}

Task<Result<void>> SystemctlBackend::Command(std::string verb) {
  UnitCommand command;
  if (options_.privilege == UnitPrivilege::kSudo) command.argv = {"sudo", "-n"};
  std::ranges::copy(Systemctl(options_.scope), std::back_inserter(command.argv));
  command.argv.insert(command.argv.end(), {verb, "--", options_.unit});
  command.environment = options_.environment;
  command.what = fmt::format("systemctl {} {}", verb, options_.unit);
  command.limit = kJobLimit;
  auto done = co_await RunUnitCommand(std::move(command));
  if (!done && done.error().code == Errc::kTimeout) {
    co_return Fail(Errc::kTimeout, done.error().what + "; the job goes on in systemd");
  }
  if (!done) co_return Fail(std::move(done).error());
  co_return Result<void>{};
}

Task<Result<void>> SystemctlBackend::CheckStarted(std::string verb) {
  const auto look = co_await Look();
  if (!look) co_return Fail(look.error());
  if (look->active_state == "failed") {
    co_return Fail(Errc::kSpawn,
                   fmt::format("systemctl {} {}: the unit failed at once; its log tells why", verb, options_.unit));
  }
  co_return Result<void>{};
}

Task<Result<Change>> SystemctlBackend::Start() {
  const ChangeScope ours(*this);
  const auto look = co_await Look();
  if (!look) co_return Fail(look.error());
  if (const auto status = StatusOf(*look); !status) co_return Fail(status.error());
  if (IsUp(*look)) co_return Change::kAlready;
  if (auto done = co_await Command("start"); !done) co_return Fail(std::move(done).error());
  if (auto started = co_await CheckStarted("start"); !started) co_return Fail(std::move(started).error());
  co_return Change::kDone;
}

Task<Result<Change>> SystemctlBackend::Stop() {
  const ChangeScope ours(*this);
  const auto look = co_await Look();
  if (!look) co_return Fail(look.error());
  if (const auto status = StatusOf(*look); !status) co_return Fail(status.error());
  if (IsDown(*look)) co_return Change::kAlready;
  if (auto done = co_await Command("stop"); !done) co_return Fail(std::move(done).error());
  last_ = UnitLook{};
  co_return Change::kDone;
}

Task<Result<void>> SystemctlBackend::Restart() {
  if (!usable_) co_return Fail(usable_.error());
  const ChangeScope ours(*this);
  if (auto done = co_await Command("restart"); !done) co_return Fail(std::move(done).error());
  co_return co_await CheckStarted("restart");
}

Task<Result<std::string>> SystemctlBackend::Status() {
  if (seat_) {
    const auto shared = co_await seat_->Look();
    last_ = shared ? *shared : UnitLook{};
    if (!shared) co_return Fail(shared.error());
    co_return StatusOf(*shared);
  }
  const auto look = co_await Look();
  if (!look) co_return Fail(look.error());
  co_return StatusOf(*look);
}

Task<Result<std::string>> SystemctlBackend::Logs(std::size_t bytes) {
  if (!usable_) co_return Fail(usable_.error());
  if (bytes == 0) co_return "";
  UnitCommand command;
  command.argv = {"journalctl"};
  if (options_.scope == UnitScope::kUser) command.argv.emplace_back("--user");
  const std::size_t lines = std::min(bytes / kShortestLogLine + 1, kMostLogLines);
  command.argv.insert(command.argv.end(),
                      {"-u", options_.unit, "-n", std::to_string(lines), "--no-pager", "-o", "short-iso"});
  command.environment = options_.environment;
  command.what = "journalctl: the log of " + options_.unit;
  // Half of what is kept is the end of it, and that half must hold all that is wanted.
  command.output_limit = 2 * bytes + kLogMargin;
  const auto printed = co_await RunUnitCommand(std::move(command));
  if (!printed) co_return Fail(printed.error());
  const std::string_view log = WithoutRemarks(*printed);
  if (log.empty() && printed->contains(kUnreadableJournal)) {
    co_return Fail(Errc::kAuth, fmt::format("journalctl: this user may not read the log of {}; add it to the group "
                                            "systemd-journal",
                                            options_.unit));
  }
  co_return TailOfLog(log, bytes);
}

Adoption SystemctlBackend::TryAdopt(const State& /*saved*/) {
  return {.adopted = false, .text = "no state to adopt"};
}

void SystemctlBackend::WatchExits(ExitSink seen) {
  if (seat_)
    seat_->Watch([seen = std::move(seen)](UnitChange change) {
      seen({.status = change.status,
            .uptime = change.uptime,
            .event = std::move(change.event),
            .reason = std::move(change.reason)});
    });
}

std::chrono::milliseconds SystemctlBackend::Uptime() const {
  using std::chrono::milliseconds;
  if (options_.clock == nullptr || !IsUp(last_) || last_.active_since.count() == 0) return milliseconds{0};
  // Both are CLOCK_MONOTONIC: systemd's stamp, and what the steady clock is on Linux.
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(options_.clock->Now().time_since_epoch());
  return std::max(milliseconds{0}, std::chrono::duration_cast<milliseconds>(now - last_.active_since));
}

namespace {

SystemctlOptions OptionsOf(const BackendContext& context) {
  return {.unit = context.service->service_name,
          .scope = context.service->user_service ? UnitScope::kUser : UnitScope::kSystem,
          .privilege = context.service->sudo ? UnitPrivilege::kSudo : UnitPrivilege::kOwn,
          .environment = *context.environment,
          .clock = context.clock};
}

}  // namespace

std::unique_ptr<Backend> MakeSystemctlBackend(const BackendContext& context, UnitCaches& caches) {
  SystemctlOptions options = OptionsOf(context);
  options.cache = caches.For(options.scope, context);
  return std::make_unique<SystemctlBackend>(std::move(options));
}

std::unique_ptr<Backend> MakeSystemctlBackend(const BackendContext& context) {
  return std::make_unique<SystemctlBackend>(OptionsOf(context));
}

}  // namespace shipmate::service::backends
