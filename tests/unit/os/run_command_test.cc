#include "os/run_command.h"

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/system_error.hpp>

#include "async/deadline.h"
#include "async/spawn.h"
#include "base/text.h"
#include "os/owned_children.h"
#include "unit/os/support.h"
#include "unit/run_task.h"

using namespace shipmate;
using namespace shipmate::os;
using namespace std::chrono_literals;
using shipmate::tests::Eventually;
using shipmate::tests::RunTask;
using shipmate::tests::TempDir;

namespace {

using SteadyClock = std::chrono::steady_clock;

CommandOptions Shell(const std::string& script) {
  CommandOptions options;
  options.argv = {"/bin/sh", "-c", script};
  options.env = InheritedEnvironment({});
  return options;
}

CommandResult Run(CommandOptions options) {
  boost::asio::io_context loop(1);
  auto result = RunTask(loop, RunCommand(std::move(options)));
  REQUIRE_MESSAGE(result.has_value(), (result ? std::string() : result.error().what));
  return *std::move(result);
}

pid_t FirstNumber(const std::string& text) {
  return text.empty() ? 0 : static_cast<pid_t>(std::stol(text));
}

// Tells in which way RunCommand ended when it did not return.
Task<void> RunUntilCancelled(CommandOptions options, boost::system::error_code& why) {
  try {
    static_cast<void>(co_await RunCommand(std::move(options)));
  } catch (const boost::system::system_error& error) {
    why = error.code();
  }
}

Task<void> RunInto(CommandOptions options, std::vector<CommandResult>& results) {
  auto result = co_await RunCommand(std::move(options));
  if (result) results.push_back(*std::move(result));
}

// Runs the loop until the file is there.
void RunUntilWritten(boost::asio::io_context& loop, const std::string& path) {
  loop.restart();
  CHECK(Eventually([&] {
    loop.run_for(5ms);
    return ReadFile(path, 1000).value_or("").contains('\n');
  }));
}

}  // namespace

TEST_CASE("RunCommand: output of both kinds in order, directory, status") {
  const TempDir dir;
  CommandOptions options = Shell("echo out; echo err >&2; pwd; read nothing; exit 3");
  options.dir = dir.Path();
  const auto result = Run(std::move(options));
  CHECK(result.output == "out\nerr\n" + dir.Path() + "\n");
  CHECK(result.status == ExitStatus{.code = 3});
  CHECK_FALSE(result.timed_out);
  CHECK(Run(Shell("true")).status.Success());
  CHECK(Run(Shell("kill -KILL $$")).status.ErrorText() == "signal: killed");
}

TEST_CASE("RunCommand: what cannot be started is kSpawn") {
  boost::asio::io_context loop(1);
  CommandOptions missing;
  missing.argv = {"/nonexistent/binary"};
  const auto result = RunTask(loop, RunCommand(std::move(missing)));
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().code == Errc::kSpawn);
  CHECK(result.error().what == "fork/exec /nonexistent/binary: no such file or directory");
  const auto nothing = RunTask(loop, RunCommand(CommandOptions()));
  REQUIRE_FALSE(nothing.has_value());
  CHECK(nothing.error().what == "exec: no command");
}

TEST_CASE("RunCommand: a background child that holds the output is neither waited for nor killed") {
  CommandOptions options = Shell("sleep 600 & echo $!");
  options.limit = 50s;
  const auto start = SteadyClock::now();
  const auto result = Run(std::move(options));
  CHECK(SteadyClock::now() - start < 30s);
  CHECK(result.status.Success());
  CHECK_FALSE(result.timed_out);
  const pid_t background = FirstNumber(result.output);
  REQUIRE(background > 1);
  CHECK(ReadStat(background)->Lives());
  CHECK(::kill(background, SIGKILL) == 0);
}

TEST_CASE("RunCommand: at the deadline the whole session is ended") {
  CommandOptions options = Shell("echo $$; sleep 600 & sleep 600");
  options.limit = 300ms;
  const auto result = Run(std::move(options));
  CHECK(result.timed_out);
  CHECK(result.status == ExitStatus{.signal = SIGTERM});
  CHECK(Eventually([&] { return LivingGroup(FirstNumber(result.output)).empty(); }));
}

TEST_CASE("RunCommand: who ignores TERM is killed, also behind a leader that obeyed") {
  CommandOptions stubborn = Shell("echo $$; trap '' TERM; sleep 600");
  stubborn.limit = 300ms;
  const auto first = Run(std::move(stubborn));
  CHECK(first.timed_out);
  CHECK(first.status == ExitStatus{.signal = SIGKILL});
  CHECK(Eventually([&] { return LivingGroup(FirstNumber(first.output)).empty(); }));

  CommandOptions hidden = Shell("echo $$; (trap '' TERM; exec sleep 600) & exec sleep 600");
  hidden.limit = 500ms;
  const auto second = Run(std::move(hidden));
  CHECK(second.timed_out);
  CHECK(second.status == ExitStatus{.signal = SIGTERM});
  CHECK(Eventually([&] { return LivingGroup(FirstNumber(second.output)).empty(); }));
}

TEST_CASE("RunCommand: a flood is read to its deadline and kept within the limit") {
  CommandOptions options = Shell("yes 0123456789");
  options.limit = 300ms;
  options.output_limit = 1000;
  std::size_t seen = 0;
  options.on_output = [&](std::string_view piece) { seen += piece.size(); };
  const auto result = Run(std::move(options));
  CHECK(result.timed_out);
  CHECK(seen > 1000);
  const std::string marker = "[... " + std::to_string(seen - 1000) + " bytes of output left out ...]\n";
  CHECK(result.output.contains(marker));
  CHECK(result.output.size() <= 1000 + marker.size() + 1);
  CHECK(result.output.starts_with("0123456789\n0123456789\n"));
}

TEST_CASE("RunCommand: head and tail of long output, whole characters, an exact count") {
  CommandOptions options = Shell("printf 'aaaaaaaaa\xc3\xa9'; printf '%0100d' 0; printf '\xc3\xa9zzzzzzzzz'");
  options.output_limit = 20;
  // 122 bytes: nine before the first cut character, nine behind the second one.
  CHECK(Run(options).output == "aaaaaaaaa\n[... 104 bytes of output left out ...]\nzzzzzzzzz");
  options.output_limit = 122;
  CHECK(Run(options).output == "aaaaaaaaa\xc3\xa9" + std::string(100, '0') + "\xc3\xa9zzzzzzzzz");
  options.output_limit = 0;
  CHECK(Run(options).output == "[... 122 bytes of output left out ...]\n");
}

TEST_CASE("RunCommand: large output arrives whole, piece by piece") {
  CommandOptions options = Shell("seq 1 100000");
  std::string pieces;
  options.on_output = [&](std::string_view piece) { pieces += piece; };
  const auto result = Run(std::move(options));
  CHECK(result.output.size() == 588895);
  CHECK(result.output.ends_with("\n99999\n100000\n"));
  CHECK(pieces == result.output);
}

TEST_CASE("RunCommand: cancelled, it kills the session before it is gone, and leaves no zombie") {
  boost::asio::io_context loop(1);
  const TempDir dir;
  boost::system::error_code why;
  async::TaskGroup group(loop.get_executor());
  bool returned = false;
  int late_pieces = 0;
  CommandOptions options =
      Shell("trap '' TERM; echo $$ > " + dir / "pid" + "; while true; do echo x; sleep 0.01; done");
  options.on_output = [&](std::string_view) { late_pieces += returned ? 1 : 0; };
  group.Spawn("command", RunUntilCancelled(std::move(options), why));
  RunUntilWritten(loop, dir / "pid");
  const pid_t pid = FirstNumber(ReadFile(dir / "pid", 100).value());
  REQUIRE(internal::IsSpokenFor(pid));
  group.Cancel();
  CHECK(RunTask(loop, group.Join(20s)));
  returned = true;
  CHECK(why == boost::asio::error::operation_aborted);
  CHECK(Eventually([&] { return LivingGroup(pid).empty(); }));
  // The leader is reaped on the loop.
  loop.restart();
  CHECK(Eventually([&] {
    loop.run_for(5ms);
    return !internal::IsSpokenFor(pid) && !ReadStat(pid);
  }));
  CHECK(late_pieces == 0);
}

TEST_CASE("RunCommand: within a deadline of somebody else") {
  boost::asio::io_context loop(1);
  const TempDir dir;
  const auto result = RunTask(
      loop, async::WithDeadline(RunCommand(Shell("echo $$ > " + dir / "pid" + "; sleep 600")), 500ms, "sleeping"));
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().code == Errc::kTimeout);
  const pid_t pid = FirstNumber(ReadFile(dir / "pid", 100).value_or(""));
  REQUIRE(pid > 1);
  CHECK(Eventually([&] { return LivingGroup(pid).empty(); }));
}

TEST_CASE("RunCommand: the end of the loop is the end of the command") {
  const TempDir dir;
  std::vector<CommandResult> results;
  {
    boost::asio::io_context loop(1);
    async::Spawn(loop.get_executor(), "command",
                 RunInto(Shell("echo $$ > " + dir / "pid" + "; sleep 600 & sleep 600"), results));
    RunUntilWritten(loop, dir / "pid");
  }
  const pid_t pid = FirstNumber(ReadFile(dir / "pid", 100).value());
  CHECK(Eventually([&] { return LivingGroup(pid).empty(); }));
  CHECK_FALSE(internal::IsSpokenFor(pid));
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG);
}

TEST_CASE("OutputTail: the last lines in one, for an error text") {
  CHECK(OutputTail("").empty());
  CHECK(OutputTail("\n  \n").empty());
  CHECK(OutputTail("unit api.service not found\n") == "unit api.service not found");
  CHECK(OutputTail("one\n\n  two\t\r\n") == "one; two");
  CHECK(OutputTail("\x1b[31mred") == "\\x1b[31mred");
  const std::string tail = OutputTail(std::string(1000, 'a') + "\n" + std::string(100, 'b') + "\n");
  CHECK(base::RuneCount(tail) == 300);
  CHECK(tail.starts_with("...aaa"));
  CHECK(tail.ends_with("aaa; " + std::string(100, 'b')));
}
