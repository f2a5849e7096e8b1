#include "service/backends/systemctl.h"

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <exception>

#include "run_task.h"
#include "service/backends/unit_command.h"
#include "unit/service/stand_in.h"

namespace shipmate::service::backends {

namespace {

using tests::RunTask;
using tests::StandIns;

constexpr const char* kShow =
    "show -p Id -p Names -p LoadState -p ActiveState -p SubState -p MainPID -p ActiveEnterTimestampMonotonic "
    "-p InactiveEnterTimestampMonotonic -p Result -p ExecMainCode -p ExecMainStatus --";

// What `systemctl show` prints; its own order of the properties, not the order asked.
std::string Shown(const std::string& id, const std::string& load, const std::string& active,
                  const std::string& sub = "x", int pid = 0) {
  return "MainPID=" + std::to_string(pid) + "\nId=" + id + "\nLoadState=" + load + "\nActiveState=" + active +
         "\nSubState=" + sub + "\nActiveEnterTimestampMonotonic=5000000\n";
}

// A systemctl that shows what its file "shown" says; start, stop and restart replace that by "after-<verb>".
constexpr const char* kSystemctl = R"sh(
verb=${*%% -- *}
verb=${verb##* }
case "$*" in *show*) exec cat "$here/shown" ;; esac
if [ -f "$here/refuse" ]; then
  cat "$here/refuse" >&2
  exit "$(cat "$here/status")"
fi
if [ -f "$here/after-$verb" ]; then cp "$here/after-$verb" "$here/shown"; fi
)sh";

class FixedClock final : public base::Clock {
 public:
  base::SteadyTime Now() const override { return base::SteadyTime(std::chrono::seconds(65)); }
  base::WallTime WallNow() const override { return {}; }
};

struct Fixture {
  StandIns programs;
  boost::asio::io_context loop;
  FixedClock clock;

  Fixture() { programs.Add("systemctl", kSystemctl); }

  SystemctlBackend Backend(UnitScope scope = UnitScope::kSystem, UnitPrivilege privilege = UnitPrivilege::kOwn,
                           std::string unit = "api.service") {
    return SystemctlBackend(SystemctlOptions{.unit = std::move(unit),
                                             .scope = scope,
                                             .privilege = privilege,
                                             .environment = programs.Environment(),
                                             .clock = &clock});
  }
  Result<std::string> StatusWhen(const std::string& shown) {
    programs.Write("shown", shown);
    auto backend = Backend();
    return RunTask(loop, backend.Status());
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "systemctl: the backend keeps what it was made with") {
  const auto backend = Backend(UnitScope::kUser, UnitPrivilege::kOwn, "web.service");
  CHECK(backend.Options().unit == "web.service");
  CHECK(backend.Options().scope == UnitScope::kUser);
  CHECK(backend.Options().privilege == UnitPrivilege::kOwn);

  BackendContext context;
  config::ServiceConfig service;
  service.service_name = "db.service";
  service.sudo = true;
  context.service = std::make_shared<const config::ServiceConfig>(service);
  context.clock = &clock;
  const auto made = MakeSystemctlBackend(context);
  const auto& options = dynamic_cast<const SystemctlBackend&>(*made).Options();
  CHECK(options.unit == "db.service");
  CHECK(options.scope == UnitScope::kSystem);
  CHECK(options.privilege == UnitPrivilege::kSudo);
  CHECK(options.clock == &clock);
}

TEST_CASE_FIXTURE(Fixture, "systemctl: each state of a unit has its word") {
  const std::vector<std::pair<std::string, std::string>> words{
      {"active", "running"},         {"inactive", "stopped"},      {"failed", "failed"},
      {"activating", "starting"},    {"deactivating", "stopping"}, {"reloading", "reloading"},
      {"maintenance", "maintenance"}};
  for (const auto& [active, word] : words) {
    CAPTURE(active);
    const auto status = StatusWhen(Shown("api.service", "loaded", active));
    REQUIRE(status);
    CHECK(*status == word);
  }
  CHECK(programs.Calls().front() == std::string("systemctl --no-ask-password ") + kShow + " api.service");
}

TEST_CASE_FIXTURE(Fixture, "systemctl: a unit that is not there, or not loadable, is an error and not stopped") {
  auto status = StatusWhen(Shown("api.service", "not-found", "inactive", "dead"));
  REQUIRE_FALSE(status);
  CHECK(status.error().code == Errc::kNotFound);
  CHECK(status.error().what == "unit api.service does not exist; check service_name in the service's file");

  status = StatusWhen(Shown("api.service", "bad-setting", "inactive", "dead"));
  REQUIRE_FALSE(status);
  CHECK(status.error().code == Errc::kInvalid);

  // Its file was deleted while it ran.
  status = StatusWhen(Shown("api.service", "not-found", "active", "running", 12));
  REQUIRE(status);
  CHECK(*status == "running");

  auto backend = Backend();
  programs.Write("shown", Shown("api.service", "not-found", "inactive", "dead"));
  programs.ForgetCalls();
  for (const auto& change : {RunTask(loop, backend.Start()), RunTask(loop, backend.Stop())}) {
    REQUIRE_FALSE(change);
    CHECK(change.error().code == Errc::kNotFound);
  }
  CHECK(programs.Calls().size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "systemctl: start, stop and restart") {
  auto backend = Backend();
  programs.Write("shown", Shown("api.service", "loaded", "inactive", "dead"));
  programs.Write("after-start", Shown("api.service", "loaded", "active", "running", 41));
  programs.Write("after-restart", Shown("api.service", "loaded", "active", "running", 42));
  programs.Write("after-stop", Shown("api.service", "loaded", "inactive", "dead"));
  const std::string show = std::string("systemctl --no-ask-password ") + kShow + " api.service";
  using Calls = std::vector<std::string>;

  auto change = RunTask(loop, backend.Start());
  REQUIRE(change);
  CHECK(*change == Change::kDone);
  CHECK(backend.Pid() == 41);
  CHECK(backend.Uptime() == std::chrono::seconds(60));
  CHECK(programs.TakeCalls() == Calls{show, "systemctl --no-ask-password start -- api.service", show});

  change = RunTask(loop, backend.Start());
  REQUIRE(change);
  CHECK(*change == Change::kAlready);
  CHECK(programs.TakeCalls() == Calls{show});

  const auto restarted = RunTask(loop, backend.Restart());
  REQUIRE(restarted);
  CHECK(backend.Pid() == 42);
  CHECK(programs.TakeCalls() == Calls{"systemctl --no-ask-password restart -- api.service", show});

  change = RunTask(loop, backend.Stop());
  REQUIRE(change);
  CHECK(*change == Change::kDone);
  CHECK(backend.Pid() == 0);
  CHECK(backend.Uptime() == std::chrono::seconds(0));
  CHECK(programs.TakeCalls() == Calls{show, "systemctl --no-ask-password stop -- api.service"});

  change = RunTask(loop, backend.Stop());
  REQUIRE(change);
  CHECK(*change == Change::kAlready);
  CHECK(programs.TakeCalls() == Calls{show});

  // A failed unit does not run; one between two tries of its own does something, and is stopped for real.
  programs.Write("shown", Shown("api.service", "loaded", "failed", "failed"));
  change = RunTask(loop, backend.Stop());
  REQUIRE(change);
  CHECK(*change == Change::kAlready);
  programs.Write("shown", Shown("api.service", "loaded", "activating", "auto-restart"));
  change = RunTask(loop, backend.Stop());
  REQUIRE(change);
  CHECK(*change == Change::kDone);
}

TEST_CASE_FIXTURE(Fixture, "systemctl: a unit that fails at once was not started") {
  auto backend = Backend();
  programs.Write("shown", Shown("api.service", "loaded", "inactive", "dead"));
  programs.Write("after-start", Shown("api.service", "loaded", "failed", "failed"));
  programs.Write("after-restart", Shown("api.service", "loaded", "failed", "failed"));
  const auto change = RunTask(loop, backend.Start());
  REQUIRE_FALSE(change);
  CHECK(change.error().what == "systemctl start api.service: the unit failed at once; its log tells why");
  const auto restarted = RunTask(loop, backend.Restart());
  REQUIRE_FALSE(restarted);
  CHECK(restarted.error().what == "systemctl restart api.service: the unit failed at once; its log tells why");
}

TEST_CASE_FIXTURE(Fixture, "systemctl: the user's own systemd") {
  programs.Add("journalctl", "echo line");
  programs.Write("shown", Shown("api.service", "loaded", "inactive", "dead"));
  auto backend = Backend(UnitScope::kUser);
  REQUIRE(RunTask(loop, backend.Start()));
  REQUIRE(RunTask(loop, backend.Logs(10)));
  const std::string show = std::string("systemctl --user --no-ask-password ") + kShow + " api.service";
  CHECK(programs.TakeCalls() ==
        std::vector<std::string>{show, "systemctl --user --no-ask-password start -- api.service", show,
                                 "journalctl --user -u api.service -n 1 --no-pager -o short-iso"});
}

TEST_CASE_FIXTURE(Fixture, "systemctl: sudo changes, and never looks") {
  programs.Add("sudo", "shift; exec \"$@\"");
  programs.Add("journalctl", "echo line");
  programs.Write("shown", Shown("api.service", "loaded", "inactive", "dead"));
  auto backend = Backend(UnitScope::kSystem, UnitPrivilege::kSudo);
  REQUIRE(RunTask(loop, backend.Start()));
  REQUIRE(RunTask(loop, backend.Logs(100)));
  const std::string show = std::string("systemctl --no-ask-password ") + kShow + " api.service";
  CHECK(programs.TakeCalls() == std::vector<std::string>{show,
                                                         "sudo -n systemctl --no-ask-password start -- api.service",
                                                         "systemctl --no-ask-password start -- api.service", show,
                                                         "journalctl -u api.service -n 4 --no-pager -o short-iso"});
}

TEST_CASE_FIXTURE(Fixture, "systemctl: sudo with the user's own systemd is refused") {
  auto backend = Backend(UnitScope::kUser, UnitPrivilege::kSudo);
  const auto start = RunTask(loop, backend.Start());
  const auto stop = RunTask(loop, backend.Stop());
  const auto restart = RunTask(loop, backend.Restart());
  const auto status = RunTask(loop, backend.Status());
  const auto logs = RunTask(loop, backend.Logs(100));
  REQUIRE_FALSE(start);
  CHECK(start.error().code == Errc::kInvalid);
  CHECK(start.error().what.contains("sudo and user_service exclude each other"));
  for (const Error& error : {stop.error(), restart.error(), status.error(), logs.error()})
    CHECK(error == start.error());
  CHECK(programs.Calls().empty());
}

TEST_CASE_FIXTURE(Fixture, "systemctl: no option, pattern or path comes in by the name of a unit") {
  for (const std::string unit :
       {"", "-H", "--root=/", "*", "api.service *", "a?", "[a]", "/etc/x", "a;b", "a\nb", "\xc3\xa9"}) {
    CAPTURE(unit);
    auto backend = Backend(UnitScope::kSystem, UnitPrivilege::kOwn, unit);
    const auto stop = RunTask(loop, backend.Stop());
    REQUIRE_FALSE(stop);
    CHECK(stop.error().code == Errc::kInvalid);
    CHECK_FALSE(stop.error().what.contains('\n'));
    CHECK_FALSE(RunTask(loop, backend.Restart()));
    CHECK_FALSE(RunTask(loop, backend.Logs(100)));
  }
  CHECK_FALSE(CheckUnitName("unit", std::string(256, 'a')));
  for (const std::string unit : {"api", "getty@tty1.service", "a-b_c.d:e", "dev-disk\\x2d1.mount"}) {
    CAPTURE(unit);
    CHECK(CheckUnitName("unit", unit));
  }
  CHECK(programs.Calls().empty());
}

TEST_CASE_FIXTURE(Fixture, "systemctl: failures carry what it printed, and a cure where there is one") {
  struct Case {
    std::string printed;
    int status;
    Errc code;
    std::string error;
  };
  const std::vector<Case> cases{
      {"Failed to start api.service: Unit api.service not found.\n", 5, Errc::kNotFound,
       "systemctl restart api.service: exit status 5: Failed to start api.service: Unit api.service not found."},
      {"Job for api.service failed.\n", 1, Errc::kIo,
       "systemctl restart api.service: exit status 1: Job for api.service failed."},
      {"Failed to restart api.service: Interactive authentication required.\n", 1, Errc::kAuth,
       "systemctl restart api.service: exit status 1: Failed to restart api.service: Interactive authentication "
       "required.; allow it by a polkit rule, or set sudo: true in the service's file"},
      {"sudo: a password is required\n", 1, Errc::kAuth,
       "systemctl restart api.service: exit status 1: sudo: a password is required; give this user a NOPASSWD rule for "
       "systemctl in sudoers"},
      {"Failed to connect to bus: No such file or directory\n", 1, Errc::kRefused,
       "systemctl restart api.service: exit status 1: Failed to connect to bus: No such file or directory; systemd "
       "does "
       "not run here, or does not answer"},
  };
  auto backend = Backend();
  for (const Case& one : cases) {
    CAPTURE(one.printed);
    programs.Write("refuse", one.printed);
    programs.Write("status", std::to_string(one.status));
    const auto restarted = RunTask(loop, backend.Restart());
    REQUIRE_FALSE(restarted);
    CHECK(restarted.error().code == one.code);
    CHECK(restarted.error().what == one.error);
  }
}

TEST_CASE_FIXTURE(Fixture, "systemctl: a missing program is named") {
  programs.Remove("systemctl");
  auto backend = Backend();
  const auto status = RunTask(loop, backend.Status());
  REQUIRE_FALSE(status);
  CHECK(status.error().code == Errc::kSpawn);
  CHECK(status.error().what.starts_with("systemctl show api.service: "));
}

TEST_CASE_FIXTURE(Fixture, "systemctl: nothing understood is an error, not a status") {
  const auto status = StatusWhen("Warning: something\n");
  REQUIRE_FALSE(status);
  CHECK(status.error().code == Errc::kProtocol);
  CHECK(status.error().what == "systemctl show api.service: no answer for api.service");
}

TEST_CASE_FIXTURE(Fixture, "systemctl: the language of its answers is fixed") {
  programs.Add("systemctl", "echo \"$LC_ALL/$LANGUAGE/$HOME\" >\"$here/locale\"; cat \"$here/shown\"");
  programs.Write("shown", Shown("api.service", "loaded", "active"));
  auto environment = programs.Environment();
  environment.insert(environment.end(), {"LC_ALL=de_DE.UTF-8", "LANGUAGE=de", "HOME=/h"});
  SystemctlBackend backend(SystemctlOptions{.unit = "api", .environment = environment});
  REQUIRE(RunTask(loop, backend.Status()));
  CHECK(programs.Read("locale") == "C.UTF-8///h\n");
}

TEST_CASE_FIXTURE(Fixture, "systemctl: logs are cut to their budget of bytes, at whole characters") {
  programs.Add("journalctl", "cat \"$here/journal\"");
  auto backend = Backend();
  programs.Write("journal", "one\ntwo\n");
  auto logs = RunTask(loop, backend.Logs(1000));
  REQUIRE(logs);
  CHECK(*logs == "one\ntwo\n");
  CHECK(programs.TakeCalls() == std::vector<std::string>{"journalctl -u api.service -n 32 --no-pager -o short-iso"});

  logs = RunTask(loop, backend.Logs(4));
  REQUIRE(logs);
  CHECK(*logs == "two\n");

  programs.Write("journal", "x\xc3\xa9\xc3\xa9\n");
  logs = RunTask(loop, backend.Logs(4));
  REQUIRE(logs);
  CHECK(*logs == "\xc3\xa9\n");

  logs = RunTask(loop, backend.Logs(0));
  REQUIRE(logs);
  CHECK(logs->empty());

  // Far more than asked for: the end of it is whole.
  std::string journal;
  for (int line = 0; line < 40'000; ++line) journal += "line " + std::to_string(line) + " ................\n";
  programs.Write("journal", journal);
  logs = RunTask(loop, backend.Logs(5000));
  REQUIRE(logs);
  CHECK(*logs == journal.substr(journal.size() - 5000));
}

TEST_CASE_FIXTURE(Fixture, "systemctl: remarks of journalctl are not the log") {
  const std::string hint =
      "Hint: You are currently not seeing messages from other users and the system.\n"
      "      Users in groups 'adm', 'systemd-journal' can see all messages.\n"
      "      Pass -q to turn off this notice.\n";
  programs.Add("journalctl", "cat \"$here/journal\"");
  auto backend = Backend();

  programs.Write("journal", "-- No entries --\n");
  auto logs = RunTask(loop, backend.Logs(1000));
  REQUIRE(logs);
  CHECK(logs->empty());

  programs.Write("journal", hint + "-- Journal begins at Mon 2026-01-05 --\nline\n-- Boot 1 --\n");
  logs = RunTask(loop, backend.Logs(1000));
  REQUIRE(logs);
  CHECK(*logs == "line\n-- Boot 1 --\n");

  programs.Write("journal", hint + "-- No entries --\n");
  logs = RunTask(loop, backend.Logs(1000));
  REQUIRE_FALSE(logs);
  CHECK(logs.error().code == Errc::kAuth);
  CHECK(logs.error().what ==
        "journalctl: this user may not read the log of api.service; add it to the group systemd-journal");

  programs.Add("journalctl", "echo 'No journal files were opened due to insufficient permissions.' >&2; exit 1");
  logs = RunTask(loop, backend.Logs(1000));
  REQUIRE_FALSE(logs);
  CHECK(logs.error().code == Errc::kAuth);
  CHECK(logs.error().what.contains("add this user to the group systemd-journal"));
}

TEST_CASE_FIXTURE(Fixture, "systemctl: one look at many units") {
  programs.Write("shown", Shown("a.service", "loaded", "active", "running", 7) + "\n" +
                              Shown("b.service", "not-found", "inactive", "dead") + "\n" +
                              Shown("c.timer", "loaded", "active", "waiting"));
  auto looks = RunTask(loop, LookAtUnits({"a", "b.service", "c.timer"}, UnitScope::kSystem, programs.Environment()));
  REQUIRE(looks);
  using std::chrono::seconds;
  CHECK(*looks == std::vector<UnitLook>{{.id = "a.service",
                                         .load_state = "loaded",
                                         .active_state = "active",
                                         .sub_state = "running",
                                         .main_pid = 7,
                                         .active_since = seconds(5)},
                                        {.id = "b.service",
                                         .load_state = "not-found",
                                         .active_state = "inactive",
                                         .sub_state = "dead",
                                         .main_pid = 0,
                                         .active_since = seconds(5)},
                                        {.id = "c.timer",
                                         .load_state = "loaded",
                                         .active_state = "active",
                                         .sub_state = "waiting",
                                         .main_pid = 0,
                                         .active_since = seconds(5)}});
  CHECK(programs.TakeCalls() ==
        std::vector<std::string>{std::string("systemctl --no-ask-password ") + kShow + " a b.service c.timer"});

  looks = RunTask(loop, LookAtUnits({"a", "d"}, UnitScope::kSystem, programs.Environment()));
  REQUIRE_FALSE(looks);
  CHECK(looks.error().code == Errc::kProtocol);
  CHECK(looks.error().what == "systemctl show of 2 units: no answer for d.service");

  programs.ForgetCalls();
  looks = RunTask(loop, LookAtUnits({"a", "web@"}, UnitScope::kSystem, programs.Environment()));
  REQUIRE_FALSE(looks);
  CHECK(looks.error().what == "unit web@ is a template; name one of its instances, as in name@instance.service");
  CHECK(programs.Calls().empty());

  // Asked for by another name, in any order.
  programs.Write("shown", Shown("b.service", "loaded", "inactive", "dead") + "\nNames=www.service a.service\n" +
                              Shown("a.service", "loaded", "active", "running", 7));
  looks = RunTask(loop, LookAtUnits({"www", "b"}, UnitScope::kSystem, programs.Environment()));
  REQUIRE(looks);
  REQUIRE(looks->size() == 2);
  CHECK(looks->at(0).id == "a.service");
  CHECK(looks->at(0).names == std::vector<std::string>{"www.service", "a.service"});
  CHECK(looks->at(1).id == "b.service");

  programs.ForgetCalls();
  looks = RunTask(loop, LookAtUnits({}, UnitScope::kSystem, programs.Environment()));
  REQUIRE(looks);
  CHECK(looks->empty());
  looks = RunTask(loop, LookAtUnits({"a", "-b"}, UnitScope::kSystem, programs.Environment()));
  CHECK_FALSE(looks);
  CHECK(programs.Calls().empty());
}

TEST_CASE_FIXTURE(Fixture, "systemctl: there is nothing to adopt, to save or to wait for") {
  auto backend = Backend();
  const Adoption adoption = backend.TryAdopt(State{});
  CHECK_FALSE(adoption.adopted);
  CHECK(adoption.text == "no state to adopt");
  CHECK_FALSE(backend.SaveBackendState());
  CHECK(backend.LogFile().empty());
  CHECK(backend.Pid() == 0);

  bool told = false;
  backend.WatchExits([&](const Exit&) { told = true; });
  loop.restart();
  loop.poll();
  CHECK_FALSE(told);
}

}  // namespace shipmate::service::backends
