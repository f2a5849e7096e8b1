#pragma once

// Running the steps of a deploy, one after another, each through `sh -c` in the service's directory, with output merged
// and kept. Chat, forge and log text never becomes part of a step.

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/mask.h"
#include "deploy/record.h"
#include "os/exec_settings.h"

namespace shipmate::deploy {

enum class StepsStatus { kSuccess, kFailed };

struct StepsResult {
  StepsStatus status = StepsStatus::kSuccess;
  /// `$ <step>\n`, the step's output, and on error `ERROR: exit status 1\n` on a line of its own, for each step run.
  /// Invalid UTF-8 and ANSI escapes are as the steps printed them; cut by the middle at the limit, over all steps.
  std::string output;
  /// Text of the step that failed, trimmed; "" on success.
  std::string failed_step;
  /// It was ended by Cancel of ours rather than by itself.
  bool cancelled = false;
  /// Each step that was begun.
  std::vector<StepRecord> steps;
};

struct StepsOptions {
  std::vector<std::string> steps;
  /// Absolute. Without one every step fails: a step never runs in a directory of ours.
  std::string dir;
  /// The whole environment of the steps, to which PWD and GIT_TERMINAL_PROMPT are added.
  std::vector<std::string> env;
  /// All steps together.
  std::chrono::milliseconds limit{std::chrono::minutes(30)};
  /// One step.
  std::chrono::milliseconds step_limit{std::chrono::minutes(30)};
  /// A step that prints nothing for so long hangs.
  std::chrono::milliseconds idle_limit{std::chrono::minutes(30)};
  /// See os::CommandOptions: whom the steps run as.
  os::ExecSettings settings = {};
  std::string exec_helper = {};
  /// Hides secrets before anything is kept; may be null.
  std::shared_ptr<const base::Masker> masker = nullptr;
  /// The whole output goes here too; "" = nowhere.
  std::string log_file = {};
  std::size_t output_limit = std::size_t{1024} * 1024;
  /// Checked before each step and, while one runs, by CancelToken::Cancel.
  class CancelToken* cancel = nullptr;
  /// Called when step `index` (from 0) begins.
  std::function<void(std::size_t index)> on_step;
  /// Called when its process has begun, which is its group's number too.
  std::function<void(pid_t pid)> on_start;
  /// Called when it has ended.
  std::function<void(const StepRecord& step)> on_step_end;
};

/// Lets another coroutine end a run of steps: the running step's group is killed and the run ends as failed and
/// cancelled. REQUIRES: outlives the run.
class CancelToken {
 public:
  void Cancel();
  bool Cancelled() const { return cancelled_; }
  /// RunSteps installs what ends the running step; not for others.
  void OnCancel(std::function<void()> callback) { callback_ = std::move(callback); }

 private:
  bool cancelled_ = false;
  std::function<void()> callback_;
};

/// Runs the steps. An ordinary failure is in the result; it never fails otherwise. A step that leaves a background
/// process behind ends when its shell ends. Each step has its own session, no terminal and GIT_TERMINAL_PROMPT=0.
Task<StepsResult> RunSteps(StepsOptions options);

}  // namespace shipmate::deploy
