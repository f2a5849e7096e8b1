#pragma once

// CustomCommands: performs the user's own commands (`commands_dir`), each a program with its arguments as separate
// entries, in a session of its own, without a shell, a terminal or our secrets, and for a limited time. A command that
// asks first waits here for the yes of the person who gave it. Owned by the app.

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/clock.h"
#include "chat/arguments.h"
#include "chat/frontend.h"
#include "chat/message.h"
#include "os/run_command.h"

namespace shipmate::chat {

/// The program's arguments with what was given in place of the placeholders. An entry whose argument was not given is
/// left out.
std::vector<std::string> ProgramArguments(const config::RunSpec& run, const Bound& arguments);
/// What came of it, as an answer.
Message ProgramAnswer(const config::CommandSpec& spec, const Result<os::CommandResult>& result,
                      std::chrono::milliseconds duration);

class CustomCommands {
 public:
  static constexpr std::chrono::seconds kAnswerLimit{120};
  /// Questions that wait at a time; the oldest gives way.
  static constexpr std::size_t kMostQuestions = 100;

  /// `environment` is what every program gets, "NAME=value" each: without our secrets. `prefix` is what a command
  /// starts with in a channel, for the questions. REQUIRES: `clock` outlives it.
  CustomCommands(std::vector<std::string> environment, const base::Clock& clock, std::string prefix);

  /// Runs the program of `spec`, or asks first where that is wanted. REQUIRES: `spec` has one, and is there until the
  /// answer; `actor` may use it.
  Task<Message> Perform(const config::CommandSpec& spec, Bound arguments, Actor actor, std::string channel);
  /// Runs what `actor` was asked for in `channel` under `code`, once.
  Task<Message> Confirm(std::string code, Actor actor, std::string channel);
  /// What waits for a yes has to be asked for again: other commands are there, or other people may use them.
  void ForgetQuestions() { questions_.clear(); }

 private:
  struct Question {
    std::string code;
    /// As it was when it was asked about.
    std::shared_ptr<const config::CommandSpec> spec;
    Bound arguments;
    std::string platform;
    std::string actor_id;
    std::string channel;
    base::SteadyTime until;
  };

  Message Ask(const config::CommandSpec& spec, Bound arguments, const Actor& actor, const std::string& channel);
  Task<Message> Run(const config::CommandSpec& spec, Bound arguments);

  std::vector<std::string> environment_;
  const base::Clock& clock_;
  std::string prefix_;
  std::vector<Question> questions_;
};

}  // namespace shipmate::chat
