#include "chat/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/text.h"
#include "chat/clean.h"

namespace shipmate::chat {

namespace {

using Kind = config::ArgumentSpec::Kind;

bool IsGlob(const std::string& word) {
  return word.find_first_of("*?") != std::string::npos;
}
bool FitsEverything(const std::string& word) {
  return !word.empty() && word.find_first_not_of('*') == word.npos;
}

class ServiceFinder {
 public:
  ServiceFinder(const config::CommandSpec& spec, const std::vector<std::string>& services, const Scope& scope,
                const Verbs& verbs)
      : spec_(spec), verbs_(verbs) {
    for (const std::string& service : services) {
      if (scope.Has(service)) {
        here_.push_back(service);
      } else {
        elsewhere_.push_back(service);
      }
    }
  }

  void Add(const std::string& word, Kind kind) {
    if (kind == Kind::kServices && IsGlob(word)) {
      AddGlob(word);
    } else if (std::ranges::find(here_, word) != here_.end()) {
      found_.insert(word);
    } else {
      problems_.push_back(Unknown(word));
    }
  }

  const std::vector<Text>& Problems() const { return problems_; }
  std::vector<std::string> Found() const { return {found_.begin(), found_.end()}; }

 private:
  void AddGlob(const std::string& word) {
    // A stray star must not stop a whole machine.
    if (FitsEverything(word) && spec_.role != config::Role::kViewer) {
      Text problem(fmt::format("{} would be every service: name them", QuoteShort(word)));
      problems_.push_back(WithAllHint(std::move(problem)));
      return;
    }
    const std::size_t before = found_.size();
    bool fits = false;
    for (const std::string& service : here_) {
      if (!base::GlobMatch(word, service)) continue;
      found_.insert(service);
      fits = true;
    }
    if (!fits && found_.size() == before) problems_.emplace_back(fmt::format("no service fits {}", QuoteShort(word)));
  }

  Text Unknown(const std::string& word) const {
    if (std::ranges::find(elsewhere_, word) != elsewhere_.end()) {
      return Text(fmt::format("service {} cannot be reached from this channel", QuoteShort(word)));
    }
    Text problem(fmt::format("service {} not found", QuoteShort(word)));
    if (word == "all") return WithAllHint(std::move(problem));
    const std::string nearest = base::Nearest(word, here_);
    if (!nearest.empty()) problem.Plain("; did you mean ").Bold(nearest).Plain("?");
    return problem;
  }

  Text WithAllHint(Text problem) const {
    const std::string all = spec_.name + "-all";
    if (verbs_.Find(all) != nullptr) problem.Plain(", or use ").Code(all);
    return problem;
  }

  const config::CommandSpec& spec_;
  const Verbs& verbs_;
  std::vector<std::string> here_;
  std::vector<std::string> elsewhere_;
  std::set<std::string> found_;
  std::vector<Text> problems_;
};

std::optional<std::size_t> ParseNumber(const std::string& word) {
  std::size_t number = 0;
  const char* end = word.data() + word.size();
  const auto [stopped, error] = std::from_chars(word.data(), end, number);
  if (error != std::errc() || stopped != end || number == 0) return std::nullopt;
  return number;
}

}  // namespace

Message Usage(const config::CommandSpec& spec, std::string why) {
  Message message;
  message.headline.Plain("usage: ").Code(spec.Usage());
  if (!why.empty()) message.lines.emplace_back(std::move(why));
  return message;
}

std::expected<Bound, Message> BindArguments(const config::CommandSpec& spec, const Command& command,
                                            const std::vector<std::string>& services, const Scope& scope,
                                            const Verbs& verbs) {
  Bound bound;
  ServiceFinder finder(spec, services, scope, verbs);
  auto word = command.arguments.begin();
  for (const config::ArgumentSpec& argument : spec.arguments) {
    if (word == command.arguments.end()) {
      if (argument.required) return std::unexpected(Usage(spec, ""));
      break;
    }
    switch (argument.kind) {
      case Kind::kService:
        finder.Add(*word++, argument.kind);
        break;
      case Kind::kServices:
        while (word != command.arguments.end()) finder.Add(*word++, argument.kind);
        break;
      case Kind::kNumber:
        bound.number = ParseNumber(*word);
        if (!bound.number) {
          return std::unexpected(Usage(spec, fmt::format("{} is no number from 1 up", QuoteShort(*word))));
        }
        ++word;
        break;
      case Kind::kVerb:
      case Kind::kWord:
        bound.word = *word++;
        break;
    }
  }
  if (word != command.arguments.end()) {
    return std::unexpected(Usage(spec, fmt::format("{} is one word too many", QuoteShort(*word))));
  }
  if (finder.Problems().size() == 1) {
    Message message;
    message.headline = finder.Problems().front();
    return std::unexpected(std::move(message));
  }
  if (!finder.Problems().empty()) {
    Message message;
    message.headline.Plain("nothing was done:");
    message.lines = finder.Problems();
    return std::unexpected(std::move(message));
  }
  bound.services = finder.Found();
  return bound;
}

}  // namespace shipmate::chat
