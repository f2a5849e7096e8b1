#include "deploy/runner.h"

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <exception>
#include <memory>
#include <utility>

#include "async/deadline.h"
#include "async/latch.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time_text.h"
#include "deploy/step_log.h"
#include "os/run_command.h"

namespace shipmate::deploy {

namespace {

using std::chrono::milliseconds;

// How a command ended. It keeps an exception instead of throwing it: `||` waits for the first SUCCESS.
struct StepEnd {
  Result<os::CommandResult> result;
  std::exception_ptr failure;
};

Task<std::shared_ptr<StepEnd>> RunStep(os::CommandOptions command) {
  auto end = std::make_shared<StepEnd>();
  try {
    end->result = co_await os::RunCommand(std::move(command));
  } catch (...) {
    end->failure = std::current_exception();
  }
  co_return end;
}

// Completes when nothing was printed for `limit`.
Task<void> Silence(std::shared_ptr<base::SteadyTime> last_output, milliseconds limit) {
  const base::SystemClock clock;
  while (true) {
    const auto left = *last_output + limit - clock.Now();
    if (left <= left.zero()) co_return;
    co_await async::Sleep(std::chrono::ceil<milliseconds>(left));
  }
}

// While one lives, CancelToken::Cancel sets its event.
class CancelLink {
 public:
  CancelLink(CancelToken* token, const Executor& executor)
      : token_(token), event_(std::make_shared<async::Event>(executor)) {
    if (token_ == nullptr) return;
    token_->OnCancel([event = event_] { event->Set(); });
  }
  ~CancelLink() {
    if (token_ != nullptr) token_->OnCancel(nullptr);
  }
  CancelLink(const CancelLink&) = delete;
  CancelLink& operator=(const CancelLink&) = delete;

  bool Cancelled() const { return token_ != nullptr && token_->Cancelled(); }
  async::Event& Event() { return *event_; }

 private:
  CancelToken* token_;
  std::shared_ptr<async::Event> event_;
};

std::vector<std::string> StepEnvironment(const StepsOptions& options) {
  std::vector<std::string> env;
  for (const std::string& variable : options.env) {
    if (variable.starts_with("PWD=") || variable.starts_with("GIT_TERMINAL_PROMPT=")) continue;
    env.push_back(variable);
  }
  env.push_back("PWD=" + options.dir);
  env.emplace_back("GIT_TERMINAL_PROMPT=0");
  return env;
}

std::string LimitText(milliseconds limit) {
  return limit < std::chrono::seconds(1) ? std::to_string(limit.count()) + "ms" : base::FormatDuration(limit);
}

// Why the step failed, as it stands behind "ERROR: "; "" when it did not.
std::string FailureText(const Result<os::CommandResult>& result, milliseconds limit) {
  if (!result) return result.error().what;
  if (result->timed_out) return "timed out after " + LimitText(limit);
  if (result->status.Success()) return "";
  const std::string text = result->status.ErrorText();
  return text.empty() ? result->status.Describe() : text;
}

}  // namespace

void CancelToken::Cancel() {
  if (std::exchange(cancelled_, true)) return;
  if (callback_) callback_();
}

Task<StepsResult> RunSteps(StepsOptions options) {
  using boost::asio::experimental::awaitable_operators::operator||;
  const base::SystemClock clock;
  const base::SteadyTime end = clock.Now() + options.limit;
  const std::vector<std::string> env = StepEnvironment(options);
  StepLog output(options.output_limit, options.masker);
  CancelLink cancel(options.cancel, co_await boost::asio::this_coro::executor);
  StepsResult result;
  if (!options.log_file.empty()) {
    const std::string problem = output.Open(options.log_file);
    if (!problem.empty()) LogWarn("the output of a deploy is not kept in a file: " + problem);
  }

  for (std::size_t index = 0; index < options.steps.size(); ++index) {
    const std::string step(base::Trim(options.steps[index]));
    const base::SteadyTime began = clock.Now();
    const std::string shown = options.masker ? options.masker->Mask(step) : step;
    StepRecord record{.text = shown, .began = clock.WallNow()};
    std::string& failure = record.failure;
    if (cancel.Cancelled()) {
      result.cancelled = true;
      failure = "cancelled";
    } else if (options.dir.empty()) {
      failure = "no directory is set to run it in";
    } else if (const auto left = std::chrono::duration_cast<milliseconds>(end - began); left.count() <= 0) {
      failure = "timed out after " + LimitText(options.limit);
    } else {
      if (options.on_step) options.on_step(index);
      output.Add("$ " + shown + "\n");
      const auto last_output = std::make_shared<base::SteadyTime>(began);
      os::CommandOptions command;
      command.argv = {"sh", "-c", step};
      command.dir = options.dir;
      command.env = env;
      command.limit = std::min(left, options.step_limit);
      // All that is kept is kept here, over all steps.
      command.output_limit = 0;
      command.on_output = [&output, &clock, last_output](std::string_view piece) {
        *last_output = clock.Now();
        output.Add(piece);
      };
      command.on_start = options.on_start;
      command.settings = options.settings;
      command.exec_helper = options.exec_helper;
      const bool all_run_out = left <= options.step_limit;
      const auto first =
          co_await (RunStep(std::move(command)) || cancel.Event().Wait() || Silence(last_output, options.idle_limit));
      output.Flush();
      if (first.index() == 1) {
        result.cancelled = true;
        failure = "cancelled";
      } else if (first.index() == 2) {
        failure = "printed nothing for " + LimitText(options.idle_limit) + ", and was ended";
      } else {
        const auto step_end = std::get<0>(first);
        if (step_end->failure) std::rethrow_exception(step_end->failure);
        failure = FailureText(step_end->result, all_run_out ? options.limit : options.step_limit);
      }
    }
    record.duration = std::chrono::duration_cast<milliseconds>(clock.Now() - began);
    if (options.on_step_end) options.on_step_end(record);
    result.steps.push_back(record);
    if (failure.empty()) continue;
    if (!output.AtLineStart()) output.Add("\n");
    output.Add("ERROR: " + failure + "\n");
    result.status = StepsStatus::kFailed;
    result.failed_step = shown;
    break;
  }
  result.output = output.Text();
  co_return result;
}

}  // namespace shipmate::deploy
