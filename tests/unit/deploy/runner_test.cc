#include "deploy/runner.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>
#include <charconv>
#include <filesystem>

#include "async/deadline.h"
#include "async/spawn.h"
#include "base/text.h"
#include "fakes/temp_dir.h"
#include "os/child_process.h"
#include "os/proc_info.h"
#include "run_task.h"

using namespace shipmate;
using namespace std::chrono_literals;
using deploy::CancelToken;
using deploy::RunSteps;
using deploy::StepsOptions;
using deploy::StepsResult;
using deploy::StepsStatus;
using tests::ReadText;
using tests::RunTask;
using tests::TempDir;
using tests::WriteText;

namespace {

StepsOptions Options(const TempDir& dir, std::vector<std::string> steps) {
  StepsOptions options;
  options.steps = std::move(steps);
  options.dir = dir.Path();
  options.env = os::InheritedEnvironment({});
  return options;
}

StepsResult Run(StepsOptions options) {
  boost::asio::io_context loop;
  return RunTask(loop, RunSteps(std::move(options)));
}

bool Contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// Waits, bounded, until `path` holds a number, and gives it; 0 when it never does.
Task<pid_t> AwaitPid(std::string path) {
  for (int tries = 0; tries < 3000; ++tries) {
    if (std::filesystem::exists(path)) {
      const std::string text = ReadText(path);
      pid_t pid = 0;
      std::from_chars(text.data(), text.data() + text.size(), pid);
      if (pid > 0 && text.ends_with('\n')) co_return pid;
    }
    co_await async::Sleep(10ms);
  }
  co_return 0;
}

bool Gone(pid_t pid) {
  const auto stat = os::ReadStat(pid);
  return !stat || !stat->Lives();
}

Task<bool> AwaitGone(pid_t pid) {
  for (int tries = 0; tries < 3000; ++tries) {
    if (Gone(pid)) co_return true;
    co_await async::Sleep(10ms);
  }
  co_return false;
}

Task<void> CancelOncePidIsKnown(std::string path, CancelToken& token, pid_t& pid) {
  pid = co_await AwaitPid(std::move(path));
  token.Cancel();
}

struct CancelOutcome {
  StepsResult result;
  pid_t pid = 0;
  bool gone = false;
};

Task<CancelOutcome> RunAndCancel(StepsOptions options, std::string pid_file, CancelToken& token) {
  CancelOutcome outcome;
  options.cancel = &token;
  async::Spawn(co_await boost::asio::this_coro::executor, "canceller",
               CancelOncePidIsKnown(std::move(pid_file), token, outcome.pid));
  outcome.result = co_await RunSteps(std::move(options));
  outcome.gone = outcome.pid > 0 && co_await AwaitGone(outcome.pid);
  co_return outcome;
}

}  // namespace

TEST_CASE("steps run one after another, and all they print is kept") {
  const TempDir dir;
  const StepsResult result = Run(Options(dir, {"echo step1", "echo step2", "echo step3"}));
  CHECK(result.status == StepsStatus::kSuccess);
  CHECK(result.output == "$ echo step1\nstep1\n$ echo step2\nstep2\n$ echo step3\nstep3\n");
  CHECK(result.failed_step.empty());
  CHECK(!result.cancelled);
}

TEST_CASE("the first failure ends the run") {
  const TempDir dir;
  const StepsResult result = Run(Options(dir, {"echo ok", "exit 1", "echo should-not-run"}));
  CHECK(result.status == StepsStatus::kFailed);
  CHECK(result.failed_step == "exit 1");
  CHECK(result.output == "$ echo ok\nok\n$ exit 1\nERROR: exit status 1\n");
  CHECK(!result.cancelled);
}

TEST_CASE("a failure is told on a line of its own, whatever it was") {
  const TempDir dir;
  CHECK(Run(Options(dir, {"printf half; exit 3"})).output == "$ printf half; exit 3\nhalf\nERROR: exit status 3\n");
  CHECK(Run(Options(dir, {"kill -KILL $$"})).output == "$ kill -KILL $$\nERROR: signal: killed\n");
  const StepsResult missing = Run(Options(dir, {"no-such-program-anywhere"}));
  CHECK(Contains(missing.output, "not found"));
  CHECK(missing.output.ends_with("ERROR: exit status 127\n"));
}

TEST_CASE("no steps are a success") {
  const TempDir dir;
  CHECK(Run(Options(dir, {})).status == StepsStatus::kSuccess);
  StepsOptions nowhere;
  CHECK(Run(nowhere).status == StepsStatus::kSuccess);
}

TEST_CASE("both outputs are kept, colours and invalid bytes as they are") {
  const TempDir dir;
  const StepsResult result = Run(Options(dir, {"echo out; echo err >&2", "printf '\\033[31mred\\033[0m \\377\\n'"}));
  CHECK(Contains(result.output, "out\nerr\n"));
  CHECK(result.output.ends_with("\n\x1b[31mred\x1b[0m \xff\n"));
}

TEST_CASE("steps run in the directory, with the environment given, without a terminal") {
  const TempDir dir;
  const std::string place = dir / "a dir";
  REQUIRE(::mkdir(place.c_str(), 0700) == 0);
  StepsOptions options = Options(
      dir, {"pwd; echo \"$PWD\"", "echo [$GIT_TERMINAL_PROMPT] [$MARK]", "cat; tty || true", "env | grep -c '^PWD='"});
  options.dir = place;
  options.env.emplace_back("MARK=m");
  options.env.emplace_back("GIT_TERMINAL_PROMPT=1");
  options.env.emplace_back("PWD=/wrong");
  const StepsResult result = Run(std::move(options));
  CAPTURE(result.output);
  CHECK(result.status == StepsStatus::kSuccess);
  CHECK(Contains(result.output, "\n" + place + "\n" + place + "\n"));
  CHECK(Contains(result.output, "\n[0] [m]\n"));
  CHECK(Contains(result.output, "\nnot a tty\n"));
  CHECK(result.output.ends_with("\n1\n"));
}

TEST_CASE("a step that asks on the terminal fails instead of waiting") {
  const TempDir dir;
  const StepsResult result = Run(Options(dir, {"(read answer </dev/tty) || echo refused", "read answer"}));
  CHECK(Contains(result.output, "refused\n$ read answer\n"));
  CHECK(result.status == StepsStatus::kFailed);
  CHECK(result.failed_step == "read answer");
}

TEST_CASE("without a directory no step runs") {
  StepsOptions options;
  options.steps = {"echo hello"};
  const StepsResult result = Run(std::move(options));
  CHECK(result.status == StepsStatus::kFailed);
  CHECK(result.failed_step == "echo hello");
  CHECK(result.output == "ERROR: no directory is set to run it in\n");
}

TEST_CASE("a missing directory is told as such") {
  const TempDir dir;
  StepsOptions options = Options(dir, {"echo hello"});
  options.dir = dir / "gone";
  const StepsResult result = Run(std::move(options));
  CHECK(result.status == StepsStatus::kFailed);
  CHECK(result.output.starts_with("$ echo hello\nERROR: "));
  CHECK(Contains(result.output, dir / "gone"));
  CHECK(Contains(result.output, "no such file or directory"));
}

TEST_CASE("the failed step's text is trimmed") {
  const TempDir dir;
  const StepsResult result = Run(Options(dir, {"  false\n"}));
  CHECK(result.failed_step == "false");
  CHECK(result.output == "$ false\nERROR: exit status 1\n");
}

TEST_CASE("each step is announced as it begins") {
  const TempDir dir;
  StepsOptions options = Options(dir, {"true", "false", "true"});
  std::vector<std::size_t> begun;
  options.on_step = [&begun](std::size_t index) { begun.push_back(index); };
  Run(std::move(options));
  CHECK(begun == std::vector<std::size_t>{0, 1});
}

TEST_CASE("a background child that holds the output open is not waited for") {
  const TempDir dir;
  const auto began = std::chrono::steady_clock::now();
  const StepsResult result = Run(Options(dir, {"sleep 300 & echo $! > pid; echo x", "echo next"}));
  CHECK(std::chrono::steady_clock::now() - began < 100s);
  CHECK(result.status == StepsStatus::kSuccess);
  CHECK(result.output == "$ sleep 300 & echo $! > pid; echo x\nx\n$ echo next\nnext\n");
  boost::asio::io_context loop;
  const pid_t left = RunTask(loop, AwaitPid(dir / "pid"));
  if (left > 1) ::kill(left, SIGKILL);
}

TEST_CASE("a run that was cancelled before it began runs nothing") {
  const TempDir dir;
  CancelToken token;
  token.Cancel();
  StepsOptions options = Options(dir, {"touch made", "true"});
  options.cancel = &token;
  const StepsResult result = Run(std::move(options));
  CHECK(result.status == StepsStatus::kFailed);
  CHECK(result.cancelled);
  CHECK(result.failed_step == "touch made");
  CHECK(result.output == "ERROR: cancelled\n");
  CHECK(!std::filesystem::exists(dir / "made"));
}

TEST_CASE("cancelling kills the running step with all its children") {
  const TempDir dir;
  boost::asio::io_context loop;
  CancelToken token;
  const std::string step = "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 1; done'; echo after";
  const CancelOutcome outcome =
      RunTask(loop, RunAndCancel(Options(dir, {"echo first", step, "echo never"}), dir / "pid", token));
  CHECK(outcome.result.status == StepsStatus::kFailed);
  CHECK(outcome.result.cancelled);
  CHECK(outcome.result.failed_step == step);
  CHECK(outcome.result.output == "$ echo first\nfirst\n$ " + step + "\nERROR: cancelled\n");
  CHECK(outcome.pid > 0);
  CHECK(outcome.gone);
  // The token knows nothing of the run any more.
  token.Cancel();
}

TEST_CASE("a token that is cancelled between steps stops the next one") {
  const TempDir dir;
  CancelToken token;
  StepsOptions options = Options(dir, {"echo one", "echo two"});
  options.cancel = &token;
  options.on_step = [&token](std::size_t index) {
    if (index == 1) token.Cancel();
  };
  const StepsResult result = Run(std::move(options));
  CHECK(result.cancelled);
  CHECK(result.failed_step == "echo two");
  CHECK(result.output.starts_with("$ echo one\none\n"));
  CHECK(result.output.ends_with("ERROR: cancelled\n"));
}

TEST_CASE("the coroutine's own cancellation ends the step and passes on") {
  const TempDir dir;
  boost::asio::io_context loop;
  boost::asio::cancellation_signal signal;
  std::exception_ptr failure;
  bool ended = false;
  pid_t pid = 0;
  boost::asio::co_spawn(
      loop, RunSteps(Options(dir, {"echo $$ > pid; sleep 300"})),
      boost::asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr error, const StepsResult&) {
        failure = std::move(error);
        ended = true;
      }));
  pid = RunTask(loop, AwaitPid(dir / "pid"));
  REQUIRE(pid > 0);
  signal.emit(boost::asio::cancellation_type::terminal);
  CHECK(RunTask(loop, AwaitGone(pid)));
  for (int tries = 0; tries < 1000 && !ended; ++tries) RunTask(loop, async::Sleep(10ms));
  REQUIRE(ended);
  REQUIRE(failure);
  try {
    std::rethrow_exception(failure);
  } catch (const boost::system::system_error& error) {
    CHECK(error.code() == boost::asio::error::operation_aborted);
  }
}

TEST_CASE("the limit is one for all steps together") {
  const TempDir dir;
  StepsOptions options = Options(dir, {"echo begun", "exec sleep 300", "echo never"});
  options.limit = 1s;
  const auto began = std::chrono::steady_clock::now();
  const StepsResult result = Run(std::move(options));
  CHECK(std::chrono::steady_clock::now() - began >= 1s);
  CHECK(result.status == StepsStatus::kFailed);
  CHECK(!result.cancelled);
  CHECK(result.failed_step == "exec sleep 300");
  CHECK(result.output == "$ echo begun\nbegun\n$ exec sleep 300\nERROR: timed out after 1s\n");
}

TEST_CASE("a step whose time has been used up is not begun") {
  const TempDir dir;
  StepsOptions options = Options(dir, {"touch made"});
  options.limit = 0ms;
  const StepsResult result = Run(std::move(options));
  CHECK(result.output == "ERROR: timed out after 0ms\n");
  CHECK(result.failed_step == "touch made");
  CHECK(!std::filesystem::exists(dir / "made"));
}

TEST_CASE("output is bounded over all steps, and both its ends are kept") {
  const TempDir dir;
  StepsOptions options = Options(
      dir, {"echo FIRST; head -c 3000000 /dev/zero | tr '\\0' x", "yes | head -c 5000000", "echo LAST WORDS; exit 7"});
  options.output_limit = 10000;
  const StepsResult result = Run(std::move(options));
  CHECK(result.output.size() < 10000 + 100);
  CHECK(result.output.starts_with("$ echo FIRST;"));
  CHECK(Contains(result.output, "\nFIRST\n"));
  CHECK(Contains(result.output, " bytes of output left out ...]\n"));
  CHECK(result.output.ends_with("LAST WORDS\nERROR: exit status 7\n"));
}

TEST_CASE("a step's text is a shell's only because the service file says so") {
  const TempDir dir;
  WriteText(dir / "secret", "content\n");
  StepsOptions options = Options(dir, {"printf '%s\\n' \"$BRANCH\""});
  options.env.emplace_back("BRANCH=$(cat secret); `cat secret`");
  CHECK(Run(std::move(options)).output.ends_with("\n$(cat secret); `cat secret`\n"));
}

TEST_CASE("a step has a limit of its own, and one for its silence") {
  const TempDir dir;
  StepsOptions slow = Options(dir, {"sleep 600"});
  slow.step_limit = 200ms;
  const StepsResult late = Run(std::move(slow));
  CHECK(late.output == "$ sleep 600\nERROR: timed out after 200ms\n");
  REQUIRE(late.steps.size() == 1);
  CHECK(late.steps[0].failure == "timed out after 200ms");

  StepsOptions silent = Options(dir, {"echo begun; sleep 600"});
  silent.idle_limit = 500ms;
  const StepsResult idle = Run(std::move(silent));
  CHECK(idle.output == "$ echo begun; sleep 600\nbegun\nERROR: printed nothing for 500ms, and was ended\n");
  CHECK(!idle.cancelled);
}

TEST_CASE("each step is told when it begins, by its process, and when it has ended") {
  const TempDir dir;
  StepsOptions options = Options(dir, {"true", "exit 4"});
  std::vector<std::string> told;
  options.on_step = [&told](std::size_t index) { told.push_back("begin " + std::to_string(index)); };
  options.on_start = [&told](pid_t pid) { told.push_back(pid > 1 ? "process" : "none"); };
  options.on_step_end = [&told](const deploy::StepRecord& step) { told.push_back("end " + step.text + step.failure); };
  options.log_file = dir / "deploy.log";
  const StepsResult result = Run(std::move(options));
  CHECK(told ==
        std::vector<std::string>{"begin 0", "process", "end true", "begin 1", "process", "end exit 4exit status 4"});
  CHECK(ReadText(dir / "deploy.log") == result.output);
}
