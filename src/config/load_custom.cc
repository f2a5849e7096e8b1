// The user's own commands: the files of `commands_dir`, each of which runs a program.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <utility>

#include "base/text.h"
#include "config/fields.h"
#include "config/load.h"
#include "config/load_command.h"
#include "config/names.h"
#include "config/placeholders.h"
#include "config/process_keys.h"
#include "config/source.h"

namespace shipmate::config {

namespace {

constexpr std::chrono::milliseconds kShortestTimeout{std::chrono::seconds(1)};
constexpr std::chrono::milliseconds kLongestTimeout{std::chrono::hours(1)};

constexpr std::array<std::pair<std::string_view, RunSpec::Output>, 3> kOutputs = {{
    {"fence", RunSpec::Output::kFence},
    {"plain", RunSpec::Output::kPlain},
    {"file", RunSpec::Output::kFile},
}};

bool IsMany(const ArgumentSpec& argument) {
  return argument.kind == ArgumentSpec::Kind::kServices || argument.kind == ArgumentSpec::Kind::kRest;
}

// `{service}` and `{args}` need no entry in `args`.
void AddImplied(const std::string& name, std::vector<ArgumentSpec>& arguments) {
  using Kind = ArgumentSpec::Kind;
  if (std::ranges::find(arguments, name, &ArgumentSpec::name) != arguments.end()) return;
  if (name == "service") arguments.insert(arguments.begin(), ArgumentSpec{.name = name, .kind = Kind::kService});
  if (name == "args") arguments.push_back({.name = name, .kind = Kind::kRest, .required = false});
}

void CheckPlaceholders(Fields& fields, const Placed& word, bool is_program, std::vector<ArgumentSpec>& arguments) {
  for (const std::string& name : PlaceholdersOf(word.text)) {
    if (is_program) {
      fields.Problem("run", word.mark, "the program itself cannot be an argument of the command");
      continue;
    }
    AddImplied(name, arguments);
    const auto argument = std::ranges::find(arguments, name, &ArgumentSpec::name);
    if (argument == arguments.end()) {
      fields.Problem(
          "run", word.mark,
          fmt::format("{{{}}} is no argument of this command; if braces are meant, put a blank inside them", name));
    } else if (IsMany(*argument) && word.text != fmt::format("{{{}}}", name)) {
      fields.Problem("run", word.mark,
                     fmt::format("{{{}}} may be several words and has to stand alone in its entry", name));
    }
  }
}

void ReadRun(Fields& fields, const std::string& base_dir, CommandSpec& command) {
  RunSpec run;
  const std::vector<Placed> words = fields.Texts("run");
  if (words.empty() || words.front().text.empty()) {
    fields.Problem("run", fields.Find("run") == nullptr ? fields.mark() : fields.Find("run")->mark,
                   "is missing: the program and its arguments, as a list");
  }
  std::vector<std::string> used;
  for (const Placed& word : words) {
    CheckPlaceholders(fields, word, run.argv.empty(), command.arguments);
    std::ranges::move(PlaceholdersOf(word.text), std::back_inserter(used));
    run.argv.push_back(word.text);
  }
  for (const ArgumentSpec& argument : command.arguments) {
    if (std::ranges::find(used, argument.name) == used.end() && fields.Find("args") != nullptr) {
      fields.Problem("args", fields.Find("args")->mark,
                     fmt::format("{} is used nowhere; write {{{}}} in run", Shown(argument.name), argument.name));
    }
  }
  const auto dir = fields.Text("dir");
  run.dir = dir ? ResolvePath(base_dir, dir->text) : base_dir;
  run.env = ReadVariables(fields);
  run.timeout = fields.Duration("timeout", kShortestTimeout, kLongestTimeout).value_or(run.timeout);
  run.confirm = fields.Switch("confirm").value_or(false);
  run.output = fields.Word("output", kOutputs).value_or(run.output);
  command.run = std::move(run);
}

void CheckArguments(Fields& fields, const CommandSpec& command) {
  using Kind = ArgumentSpec::Kind;
  const Node* list = fields.Find("args");
  const Mark mark = list == nullptr ? fields.mark() : list->mark;
  const auto services = std::ranges::count_if(command.arguments, [](const ArgumentSpec& argument) {
    return argument.kind == Kind::kService || argument.kind == Kind::kServices;
  });
  if (services > 1) fields.Problem("args", mark, "at most one argument can be of kind service or services");
  if (std::ranges::find(command.arguments, Kind::kVerb, &ArgumentSpec::kind) != command.arguments.end()) {
    fields.Problem("args", mark, "kind verb is for built-in commands; write word");
  }
  const auto many = std::ranges::find_if(command.arguments, IsMany);
  if (many != command.arguments.end() && many + 1 != command.arguments.end()) {
    fields.Problem("args", mark, fmt::format("{} takes every word left and has to be the last", Shown(many->name)));
  }
}

// The names a command is called by, each with its place.
std::vector<std::string> Places(const std::string& path, Fields& fields) {
  const auto place = [&path](Mark mark) { return fmt::format("{}:{}:{}", path, mark.line, mark.column); };
  std::vector<std::string> places;
  if (const Node* name = fields.Find("name")) places.push_back(place(name->mark));
  if (const Node* aliases = fields.Find("aliases")) {
    for (const Node& alias : aliases->children) places.push_back(place(alias.mark));
  }
  return places;
}

LoadResult<CommandSpec> ParseCustom(const std::string& path, std::string_view text, const std::string& base_dir) {
  Report report(path, "");
  CommandSpec command;
  if (const auto root = ReadMapping(text, report)) {
    Fields fields(*root, "", report);
    ReadCommand(fields, command);
    ReadRun(fields, base_dir, command);
    CheckArguments(fields, command);
    command.slow = true;
    command.name_places = Places(path, fields);
    fields.Finish();
  }
  if (report.Failed()) return std::unexpected(report.TakeProblems());
  return Loaded<CommandSpec>{std::move(command), report.TakeWarnings()};
}

}  // namespace

std::vector<std::string> PlaceholdersOf(std::string_view word) {
  std::vector<std::string> names;
  ExpandPlaceholders(word, [&names](std::string_view name) {
    names.emplace_back(name);
    return std::string();
  });
  return names;
}

std::string ExpandPlaceholders(std::string_view word,
                               const std::function<std::string(std::string_view name)>& value_of) {
  constexpr std::string_view kFirst = "abcdefghijklmnopqrstuvwxyz";
  constexpr std::string_view kInner = "abcdefghijklmnopqrstuvwxyz0123456789-";
  std::string expanded;
  char before = '\0';
  while (!word.empty()) {
    const std::size_t end = word[0] == '{' ? word.find_first_not_of(kInner, 1) : std::string_view::npos;
    const bool is_one =
        end != std::string_view::npos && end > 1 && kFirst.contains(word[1]) && word[end] == '}' && before != '{';
    if (is_one) {
      expanded += value_of(word.substr(1, end - 1));
      before = '}';
      word.remove_prefix(end + 1);
    } else {
      before = word[0];
      expanded.push_back(before);
      word.remove_prefix(1);
    }
  }
  return expanded;
}

LoadResult<std::vector<CommandSpec>> LoadCommands(const std::string& dir, const std::string& base_dir,
                                                  const std::vector<std::string>& taken) {
  const auto files = ListSettings(dir);
  if (!files) return std::unexpected(Problems{"reading commands dir: " + files.error().what});
  Loaded<std::vector<CommandSpec>> loaded;
  Problems problems;
  std::map<std::string, std::string> places;
  for (const std::string& name : taken) places.emplace(name, "a built-in command");
  for (const SettingsFile& file : *files) {
    const std::string path = fmt::format("{}/{}", dir, file.file);
    const auto text = ReadSource(path);
    if (!text) {
      problems.push_back(
          fmt::format("reading command file {}: {}", base::EscapeControls(file.file), text.error().what));
      continue;
    }
    auto command = ParseCustom(path, *text, base_dir);
    if (!command) {
      std::ranges::move(command.error(), std::back_inserter(problems));
      continue;
    }
    std::vector<std::string> names = {command->value.name};
    names.insert(names.end(), command->value.aliases.begin(), command->value.aliases.end());
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::string& place = command->value.name_places[i];
      const auto [first, added] = places.emplace(names[i], "the command at " + place);
      if (!added) problems.push_back(fmt::format("{}: {} is the name of {}", place, Shown(names[i]), first->second));
    }
    loaded.value.push_back(std::move(command->value));
    std::ranges::move(command->warnings, std::back_inserter(loaded.warnings));
  }
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return loaded;
}

}  // namespace shipmate::config
