#include "os/exec_helper.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <fstream>
#include <sstream>

#include "os/users.h"
#include "unit/os/support.h"
#include "unit/run_task.h"

using namespace shipmate;
using namespace shipmate::os;
using shipmate::tests::Eventually;
using shipmate::tests::TempDir;

namespace {

// A program started with settings, and what became of the start.
class HelpedChild {
 public:
  HelpedChild(std::vector<std::string> argv, ExecSettings settings,
              std::vector<std::string> env = {"PATH=/usr/bin:/bin"}, std::string dir = "",
              std::string helper = SHIPMATE_EXEC_HELPER) {
    REQUIRE(::chmod(files_.Path().c_str(), 0755) == 0);
    const UniqueFd output(::open(OutputPath().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    REQUIRE(output);
    auto child = Spawn({.argv = std::move(argv),
                        .dir = std::move(dir),
                        .env = std::move(env),
                        .output_fd = output.Get(),
                        .settings = std::move(settings),
                        .exec_helper = std::move(helper),
                        .mark = "MARK=here"});
    REQUIRE_MESSAGE(child.has_value(), (child ? std::string() : child.error().what));
    child_ = *std::move(child);
    boost::asio::io_context loop;
    begun_ = tests::RunTask(loop, WaitExec(std::move(child_.report)));
  }
  ~HelpedChild() {
    static_cast<void>(SignalSession(child_.pid, SIGKILL));
    if (!ReapExited(child_.pidfd.Get())) {
      siginfo_t info{};
      ::waitid(P_PIDFD, static_cast<id_t>(child_.pidfd.Get()), &info, WEXITED);
    }
    ReleaseChild(child_.pid);
  }
  HelpedChild(const HelpedChild&) = delete;
  HelpedChild& operator=(const HelpedChild&) = delete;

  pid_t Pid() const { return child_.pid; }
  /// "" when the program has begun.
  std::string Failure() const { return begun_ ? "" : begun_.error().what; }
  std::vector<std::string> Warnings() const { return begun_.value_or(std::vector<std::string>()); }
  std::string OutputPath() const { return files_ / "output"; }
  std::string Output() const { return ReadFile(OutputPath(), 65536).value_or(""); }
  std::string Proc(const std::string& file) const {
    // Files of /proc have no size.
    std::ifstream stream("/proc/" + std::to_string(child_.pid) + "/" + file);
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
  }
  /// The rest of the line that starts with `key`.
  std::string Line(const std::string& file, const std::string& key) const {
    std::istringstream lines(Proc(file));
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with(key)) continue;
      std::istringstream words(line.substr(key.size()));
      std::string joined;
      for (std::string word; words >> word;) joined += (joined.empty() ? "" : " ") + word;
      return joined;
    }
    return "missing";
  }

 private:
  TempDir files_;
  ChildProcess child_;
  Result<std::vector<std::string>> begun_;
};

const std::vector<std::string> kSleep = {"/bin/sleep", "600"};

bool NeedsRoot() {
  if (OwnUid() == 0) return false;
  MESSAGE(std::string("skipped: only root can do this"));
  return true;
}

}  // namespace

TEST_CASE("The plan comes back as it was written, and a damaged one does not") {
  internal::ExecPlan plan{.program = "/bin/x",
                          .argv = {"x", "", "a b\nc"},
                          .env = {"A=1", "B="},
                          .dir = "/srv",
                          .settings = {.user = "www",
                                       .group = "web",
                                       .umask = 0,
                                       .nice = -5,
                                       .oom_score_adj = -1000,
                                       .open_files = 4096,
                                       .processes = 1,
                                       .core = 0,
                                       .groups = {"/sys/fs/cgroup/a", "/sys/fs/cgroup/b"}}};
  const std::string text = internal::EncodePlan(plan);
  const auto read = internal::DecodePlan(text);
  REQUIRE(read.has_value());
  CHECK(*read == plan);
  CHECK_FALSE(internal::DecodePlan("").has_value());
  CHECK_FALSE(internal::DecodePlan(text.substr(0, text.size() - 1)).has_value());
  CHECK_FALSE(internal::DecodePlan(text + std::string("colour\0red\0", 11)).has_value());
  CHECK_FALSE(internal::DecodePlan(text + std::string("nice\0much\0", 10)).has_value());
}

TEST_CASE("Only the very name starts the helper") {
  const char* helper[] = {"shipmate-exec"};
  const char* other[] = {"shipmate"};
  const char* more[] = {"shipmate-exec", "--version"};
  CHECK(IsExecHelper(1, helper));
  CHECK_FALSE(IsExecHelper(1, other));
  CHECK_FALSE(IsExecHelper(2, more));
  CHECK_FALSE(IsExecHelper(0, nullptr));
}

TEST_CASE("Settings are those of the program, under the pid that was spawned, with descriptors 0, 1 and 2 alone") {
  const HelpedChild child({"/bin/sh", "-c", "umask; pwd; echo \"$COLOUR ${MARK-unset}\"; exec sleep 600"},
                          {.umask = 027, .nice = 7, .oom_score_adj = 300, .open_files = 123, .core = 0},
                          {"PATH=/usr/bin:/bin", "COLOUR=blue"}, "/usr");
  CHECK(child.Failure() == "");
  CHECK(child.Warnings().empty());
  CHECK(Eventually([&] { return child.Output() == "0027\n/usr\nblue unset\n"; }));
  CHECK(Eventually([&] { return child.Proc("comm") == "sleep\n"; }));
  const auto stat = ReadStat(child.Pid());
  REQUIRE(stat);
  CHECK(stat->pgid == child.Pid());
  CHECK(stat->session == child.Pid());
  CHECK(child.Proc("oom_score_adj") == "300\n");
  CHECK(child.Line("limits", "Max open files") == "123 123 files");
  CHECK(child.Line("limits", "Max core file size") == "0 0 bytes");
  CHECK(child.Line("status", "Umask:") == "0027");
  CHECK(child.Line("status", "SigBlk:") == "0000000000000000");
  std::string numbers = child.Proc("stat");
  numbers = numbers.substr(numbers.rfind(')') + 2);
  std::istringstream fields(numbers);
  // proc(5): nice is field 19, and the text goes on with field 3.
  std::string nice;
  for (int field = 3; field <= 19; ++field) fields >> nice;
  CHECK(nice == "7");
  std::vector<std::string> descriptors;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(child.Pid()) + "/fd")) {
    descriptors.push_back(entry.path().filename().string());
  }
  std::ranges::sort(descriptors);
  CHECK(descriptors == std::vector<std::string>{"0", "1", "2"});
}

TEST_CASE("A user with its groups and variables; what the environment sets already stays") {
  if (NeedsRoot()) return;
  const auto nobody = FindUser("nobody");
  REQUIRE(nobody.has_value());
  const std::string uid = std::to_string(nobody->uid);
  const std::string gid = std::to_string(nobody->gid);
  {
    const HelpedChild child({"/bin/sh", "-c", "echo \"$HOME $USER $LOGNAME $SHELL\"; exec sleep 600"},
                            {.user = "nobody"}, {"PATH=/usr/bin:/bin", "USER=mine"}, "/");
    CHECK(child.Failure() == "");
    CHECK(Eventually([&] { return child.Output() == nobody->home + " mine nobody " + nobody->shell + "\n"; }));
    CHECK(child.Line("status", "Uid:") == uid + " " + uid + " " + uid + " " + uid);
    CHECK(child.Line("status", "Gid:") == gid + " " + gid + " " + gid + " " + gid);
    CHECK(child.Line("status", "Groups:") == gid);
    CHECK(child.Line("status", "CapEff:") == "0000000000000000");
  }
  {
    const HelpedChild child(kSleep, {.user = uid, .group = "daemon"});
    CHECK(child.Failure() == "");
    const std::string daemon = std::to_string(*FindGroup("daemon"));
    CHECK(child.Line("status", "Uid:").starts_with(uid + " "));
    CHECK(child.Line("status", "Gid:").starts_with(daemon + " "));
    CHECK(child.Line("status", "Groups:") == daemon);
  }
}

TEST_CASE("Limits hold over the change of user, and a directory is entered as the user") {
  if (NeedsRoot()) return;
  const TempDir closed;
  const HelpedChild refused(kSleep, {.user = "nobody"}, {"PATH=/bin"}, closed.Path());
  CHECK(refused.Failure() == "chdir " + closed.Path() + ": permission denied");
  const HelpedChild child(kSleep, {.user = "nobody", .oom_score_adj = 500, .processes = 50}, {"PATH=/bin"}, "/");
  CHECK(child.Failure() == "");
  CHECK(child.Proc("oom_score_adj") == "500\n");
  CHECK(child.Line("limits", "Max processes") == "50 50 processes");
}

TEST_CASE("Each failure says what could not be done, and the process is gone") {
  const TempDir dir;
  std::ofstream(dir / "text") << "no program\n";
  ::chmod((dir / "text").c_str(), 0755);
  const auto failure = [](std::vector<std::string> argv, ExecSettings settings, std::string in = "") {
    const HelpedChild child(std::move(argv), std::move(settings), {"PATH=/bin"}, std::move(in));
    CHECK(Eventually([&] { return !ReadStat(child.Pid())->Lives(); }));
    CHECK(child.Output() == "");
    return child.Failure();
  };
  CHECK(failure(kSleep, {.user = "no-such-user"}) == "user \"no-such-user\" does not exist");
  CHECK(failure(kSleep, {.group = "no-such-group"}) == "group \"no-such-group\" does not exist");
  // Above fs.nr_open, where even root may not go.
  CHECK(failure(kSleep, {.open_files = 1U << 30U}) ==
        "setting limits.open_files to 1073741824: operation not permitted");
  CHECK(failure({dir / "text"}, {.nice = 1}) == "fork/exec " + dir / "text" + ": exec format error");
  CHECK(failure(kSleep, {.oom_score_adj = 2000}) == "setting oom_score_adj to 2000: invalid argument");

  // Before anything is started, as without settings.
  const UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  const auto spawned = [&](std::vector<std::string> argv, std::string helper) {
    return Spawn({.argv = std::move(argv),
                  .env = {"PATH=/bin"},
                  .output_fd = null.Get(),
                  .settings = {.nice = 1},
                  .exec_helper = std::move(helper)})
        .error()
        .what;
  };
  CHECK(spawned({"foo-is-nowhere"}, SHIPMATE_EXEC_HELPER) ==
        "exec: \"foo-is-nowhere\": executable file not found in $PATH");
  CHECK(spawned({"true"}, "/missing/helper") == "fork/exec /missing/helper for true: no such file or directory");
  CHECK(spawned({"true"}, "") ==
        "fork/exec true: nothing here can apply user, group, umask, nice, limits or oom_score_adj");
}

TEST_CASE("A helper that does not come up is a failure, not a success") {
  const HelpedChild child(kSleep, {.nice = 1}, {}, "", "/bin/true");
  CHECK(child.Failure() == "the process that applies the settings did not come up");
}

TEST_CASE("A control group that cannot be entered is a warning; the mark is in the helper's environment") {
  const HelpedChild child(kSleep, {.groups = {"/nonexistent/group"}});
  CHECK(child.Failure() == "");
  CHECK(child.Warnings() ==
        std::vector<std::string>{"entering control group /nonexistent/group: no such file or directory"});
}

TEST_CASE("Plans larger than a pipe") {
  const std::string large(100'000, 'x');
  const HelpedChild child({"/bin/sh", "-c", "echo ${#LARGE}"}, {.nice = 1}, {"PATH=/bin", "LARGE=" + large});
  CHECK(child.Failure() == "");
  CHECK(Eventually([&] { return child.Output() == "100000\n"; }));
}
