#include "os/run_command.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <csignal>
#include <memory>
#include <optional>

#include "async/deadline.h"
#include "async/latch.h"
#include "async/spawn.h"
#include "base/text.h"
#include "os/child_process.h"
#include "os/exec_helper.h"
#include "os/head_and_tail.h"
#include "os/posix.h"
#include "os/proc_info.h"
#include "os/unique_fd.h"

namespace shipmate::os {

namespace {

using namespace std::chrono_literals;

constexpr auto kKillAfter = 2s;
constexpr auto kGiveUpAfter = 5s;
constexpr auto kGroupPoll = 50ms;
constexpr std::size_t kPiece = std::size_t{64} * 1024;
// A pipe holds 64 KiB, or up to 1 MiB where a program asks for it (pipe(7)).
constexpr std::size_t kPipeMost = std::size_t{1024} * 1024;

// One command under way: shared by RunCommand and its two helpers, which may outlive it for a moment.
struct Run {
  Run(const Executor& executor, ChildProcess started, boost::asio::posix::stream_descriptor reading,
      CommandOptions& options)
      : child(std::move(started)),
        pipe(std::move(reading)),
        output(options.output_limit),
        on_output(std::move(options.on_output)),
        exited(executor),
        output_ended(executor) {}

  const ChildProcess child;
  boost::asio::posix::stream_descriptor pipe;
  HeadAndTail output;
  std::function<void(std::string_view)> on_output;
  async::Event exited;        // the program is a zombie, or reaped
  async::Event output_ended;  // nobody holds the pipe open any more, or we gave it up
  bool left_alone = false;    // RunCommand is gone: WatchExit reaps
};

enum class ReadOutcome { kGot, kNothingNow, kEnd };

ReadOutcome ReadPiece(Run& run) {
  if (!run.pipe.is_open()) return ReadOutcome::kEnd;
  std::array<char, kPiece> buffer{};
  const ssize_t count =
      internal::RetryInterrupted([&] { return ::read(run.pipe.native_handle(), buffer.data(), buffer.size()); });
  if (count < 0 && errno == EAGAIN) return ReadOutcome::kNothingNow;
  if (count <= 0) return ReadOutcome::kEnd;
  const std::string_view piece(buffer.data(), static_cast<std::size_t>(count));
  run.output.Add(piece);
  if (run.on_output) run.on_output(piece);
  return ReadOutcome::kGot;
}

Task<void> PumpOutput(std::shared_ptr<Run> run) {
  // Set in every way out, or RunCommand would wait for the end of an output that nobody reads.
  struct AtEnd {
    Run& run;
    ~AtEnd() { run.output_ended.Set(); }
  } const at_end{*run};
  while (true) {
    const auto [error] = co_await run->pipe.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                                       boost::asio::as_tuple(boost::asio::use_awaitable));
    // One piece a turn: a program that floods us must not keep the loop from others.
    if (error || ReadPiece(*run) == ReadOutcome::kEnd) co_return;
  }
}

Task<void> WatchExit(std::shared_ptr<Run> run) {
  // When the loop ends before the program does, the next reaper may have it.
  struct AtEnd {
    Run& run;
    ~AtEnd() {
      if (!run.exited.IsSet()) ReleaseChild(run.child.pid);
    }
  } const at_end{*run};
  co_await WaitExitUnreaped(run->child.pidfd.Get());
  if (run->left_alone) co_await WaitExit(run->child.pidfd.Get());
  run->exited.Set();
}

// The frame of RunCommand holds one: whatever way it is left, by its end, by cancellation or by the end of the loop,
// nothing of the command is left running unattended.
class Attendance {
 public:
  explicit Attendance(std::shared_ptr<Run> run) : run_(std::move(run)) {}
  ~Attendance() {
    boost::system::error_code ignored;
    run_->pipe.close(ignored);
    run_->on_output = nullptr;
    if (done_) return;
    static_cast<void>(SignalSession(run_->child.pid, SIGKILL));
    LeaveToWatcher();
  }
  Attendance(const Attendance&) = delete;
  Attendance& operator=(const Attendance&) = delete;

  /// The program has ended or cannot be ended: reaps it now or when it does end. nullopt for the latter.
  std::optional<ExitStatus> Finish() {
    done_ = true;
    return LeaveToWatcher();
  }

 private:
  std::optional<ExitStatus> LeaveToWatcher() {
    run_->left_alone = true;
    if (!run_->exited.IsSet()) return std::nullopt;
    const auto status = ReapExited(run_->child.pidfd.Get());
    // A debugger still holds it: the reaper of orphans will have it one day.
    if (!status) ReleaseChild(run_->child.pid);
    return status;
  }

  std::shared_ptr<Run> run_;
  bool done_ = false;
};

// Until the program and every other process of its session are gone.
Task<Result<void>> SessionEnd(Run& run) {
  co_await run.exited.Wait();
  // For others than our own child there is no event to wait for.
  while (!LivingGroup(run.child.pid).empty()) co_await async::Sleep(kGroupPoll);
  co_return Result<void>();
}

// The program is not reaped before this is over, so that its group's number cannot become another's.
Task<void> EndSession(Run& run) {
  static_cast<void>(SignalSession(run.child.pid, SIGTERM));
  const auto ended = co_await async::WithDeadline(SessionEnd(run), kKillAfter, "ending a command");
  if (ended) co_return;
  static_cast<void>(SignalSession(run.child.pid, SIGKILL));
  co_await run.exited.WaitFor(kGiveUpAfter);
}

}  // namespace

Task<Result<CommandResult>> RunCommand(CommandOptions options) {
  const Executor executor = co_await boost::asio::this_coro::executor;
  const std::string program = options.argv.empty() ? "" : options.argv.front();
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    co_return internal::FailErrnoAs(Errc::kSpawn, errno, "making a pipe for the output of " + program);
  }
  UniqueFd reading_end(ends[0]);
  UniqueFd writing_end(ends[1]);
  boost::asio::posix::stream_descriptor reading(executor);
  boost::system::error_code failed;
  reading.assign(reading_end.Get(), failed);
  if (!failed) {
    reading_end.Release();
    reading.native_non_blocking(true, failed);
  }
  if (failed) {
    co_return internal::FailErrnoAs(Errc::kSpawn, failed.value(), "watching the output of " + program);
  }

  const SpawnOptions spawn{.argv = options.argv,
                           .dir = options.dir,
                           .env = options.env,
                           .output_fd = writing_end.Get(),
                           .settings = options.settings,
                           .exec_helper = options.exec_helper};
  auto child = Spawn(spawn);
  if (!child) co_return Fail(child.error());
  writing_end.Reset();
  UniqueFd report = std::move(child->report);
  const auto run = std::make_shared<Run>(executor, *std::move(child), std::move(reading), options);
  Attendance attendance(run);
  async::Spawn(executor, "output of " + program, PumpOutput(run));
  async::Spawn(executor, "exit of " + program, WatchExit(run));
  if (options.on_start) options.on_start(run->child.pid);
  if (report) {
    if (const auto begun = co_await WaitExec(std::move(report)); !begun) co_return Fail(begun.error());
  }

  CommandResult result;
  if (!co_await run->exited.WaitFor(options.limit)) {
    result.timed_out = true;
    co_await EndSession(*run);
  }
  if (!co_await run->output_ended.WaitFor(options.linger)) {
    // The loop may have been too busy to read in time what was written in time.
    for (std::size_t most = kPipeMost / kPiece; most > 0 && ReadPiece(*run) == ReadOutcome::kGot;) --most;
  }
  result.status = attendance.Finish().value_or(ExitStatus{});
  result.output = run->output.Text();
  co_return result;
}

std::string OutputTail(std::string_view output) {
  constexpr std::size_t kMost = 300;
  std::string line;
  // Only the end can show; lines may be indented, so more is looked at than is kept.
  for (const std::string_view part : base::Split(base::LastRunes(output, 10 * kMost), '\n')) {
    const std::string_view text = base::Trim(part);
    if (text.empty()) continue;
    if (!line.empty()) line += "; ";
    line += base::EscapeControls(text);
  }
  if (base::RuneCount(line) <= kMost) return line;
  return "..." + std::string(base::LastRunes(line, kMost - 3));
}

}  // namespace shipmate::os
