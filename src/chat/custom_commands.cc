#include "chat/custom_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "base/text.h"
#include "base/time_text.h"
#include "chat/clean.h"
#include "config/placeholders.h"
#include "service/environment.h"

namespace shipmate::chat {

namespace {

// Of output as plain text: what a phone shows without scrolling far.
constexpr std::size_t kPlainLines = 15;
constexpr std::size_t kLongestShown = 200;

// Letters and digits that nobody takes for one another.
std::string MakeCode() {
  constexpr std::string_view kLetters = "abcdefghjkmnpqrstuvwxyz23456789";
  std::random_device random;
  std::uniform_int_distribution<std::size_t> letter(0, kLetters.size() - 1);
  std::string code;
  for (int i = 0; i < 4; ++i) code.push_back(kLetters[letter(random)]);
  return code;
}

std::string Lasting(std::chrono::milliseconds duration) {
  return duration < std::chrono::seconds(1) ? "less than 1s" : base::FormatDuration(duration);
}

void AddPlain(std::string_view output, Message& message) {
  const std::string_view shown = LastLines(output, kPlainLines);
  if (shown.size() < output.size()) {
    message.lines.emplace_back(fmt::format("... ({} earlier lines left out)", CountLines(output) - kPlainLines));
  }
  for (const std::string_view line : base::Split(shown, '\n')) message.lines.emplace_back(std::string(line));
}

}  // namespace

std::vector<std::string> ProgramArguments(const config::RunSpec& run, const Bound& arguments) {
  const auto given = [&arguments](const std::string& name) -> const std::vector<std::string>* {
    const auto found = arguments.values.find(name);
    return found == arguments.values.end() || found->second.empty() ? nullptr : &found->second;
  };
  std::vector<std::string> argv;
  for (const std::string& word : run.argv) {
    const std::vector<std::string> names = config::PlaceholdersOf(word);
    if (std::ranges::any_of(names, [&](const std::string& name) { return given(name) == nullptr; })) continue;
    if (names.size() == 1 && word.size() == names.front().size() + 2) {
      const std::vector<std::string>& values = *given(names.front());
      argv.insert(argv.end(), values.begin(), values.end());
    } else {
      argv.push_back(
          config::ExpandPlaceholders(word, [&](std::string_view name) { return given(std::string(name))->front(); }));
    }
  }
  return argv;
}

Message ProgramAnswer(const config::CommandSpec& spec, const Result<os::CommandResult>& result,
                      std::chrono::milliseconds duration) {
  Message message;
  Text& headline = message.headline;
  headline.Bold(spec.name);
  if (!result) {
    headline.Plain(": could not be run: " + result.error().what);
    return message;
  }
  const std::string output = CleanBlock(result->output);
  if (result->timed_out) {
    headline.Plain(fmt::format(": ended after {}, its time limit", base::FormatDuration(spec.run->timeout)));
  } else if (!result->status.Success()) {
    headline.Plain(fmt::format(": failed after {}: {}", Lasting(duration), result->status.Describe()));
  } else if (output.empty()) {
    headline.Plain(fmt::format(": done in {}, without output", Lasting(duration)));
  } else if (spec.run->output == config::RunSpec::Output::kPlain && CountLines(output) == 1) {
    headline.Plain(": " + std::string(base::Trim(output)));
    return message;
  } else if (spec.run->output == config::RunSpec::Output::kFile) {
    headline.Plain(fmt::format(": done in {}, {} line{}", Lasting(duration), CountLines(output),
                               CountLines(output) == 1 ? "" : "s"));
  }
  if (output.empty()) return message;
  if (spec.run->output == config::RunSpec::Output::kPlain) {
    AddPlain(output, message);
  } else {
    message.code = output;
    message.code_file = spec.name + ".txt";
    message.only_file = spec.run->output == config::RunSpec::Output::kFile;
  }
  return message;
}

CustomCommands::CustomCommands(std::vector<std::string> environment, const base::Clock& clock, std::string prefix)
    : environment_(std::move(environment)), clock_(clock), prefix_(std::move(prefix)) {}

Task<Message> CustomCommands::Perform(const config::CommandSpec& spec, Bound arguments, Actor actor,
                                      std::string channel) {
  if (spec.run->confirm) co_return Ask(spec, std::move(arguments), actor, channel);
  co_return co_await Run(spec, std::move(arguments));
}

Message CustomCommands::Ask(const config::CommandSpec& spec, Bound arguments, const Actor& actor,
                            const std::string& channel) {
  std::string words;
  for (const std::string& word : ProgramArguments(*spec.run, arguments)) {
    words += (words.empty() ? "" : " ") + PrintWord(word);
  }
  if (questions_.size() >= kMostQuestions) questions_.erase(questions_.begin());
  questions_.push_back({.code = MakeCode(),
                        .spec = std::make_shared<const config::CommandSpec>(spec),
                        .arguments = std::move(arguments),
                        .platform = actor.platform,
                        .actor_id = actor.id,
                        .channel = channel,
                        .until = clock_.Now() + kAnswerLimit});
  const std::string prefix = actor.platform == "console" ? "" : prefix_;
  Message message;
  message.headline.Bold(spec.name).Plain(" asks first. To run ").Code(Shorten(words, kLongestShown));
  message.headline.Plain(", answer ").Code(prefix + "yes " + questions_.back().code);
  message.headline.Plain(" within " + base::FormatDuration(kAnswerLimit) + ".");
  return message;
}

Task<Message> CustomCommands::Confirm(std::string code, Actor actor, std::string channel) {
  std::erase_if(questions_, [this](const Question& question) { return question.until < clock_.Now(); });
  const auto found = std::ranges::find_if(questions_, [&](const Question& question) {
    return question.code == base::ToLowerAscii(code) && question.platform == actor.platform &&
           question.actor_id == actor.id && question.channel == channel;
  });
  if (found == questions_.end()) {
    Message message;
    message.headline.Plain("nothing of yours waits here for " + QuoteShort("yes " + code));
    message.headline.Plain("; give the command again");
    co_return message;
  }
  Question question = std::move(*found);
  questions_.erase(found);
  co_return co_await Run(*question.spec, std::move(question.arguments));
}

Task<Message> CustomCommands::Run(const config::CommandSpec& spec, Bound arguments) {
  const config::RunSpec& run = *spec.run;
  const base::SteadyTime began = clock_.Now();
  os::CommandOptions options;
  options.argv = ProgramArguments(run, arguments);
  options.dir = run.dir;
  options.env = service::WithVariables(environment_, run.env);
  options.limit = run.timeout;
  const auto result = co_await os::RunCommand(std::move(options));
  co_return ProgramAnswer(spec, result, std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Now() - began));
}

}  // namespace shipmate::chat
