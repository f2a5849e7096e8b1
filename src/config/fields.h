#pragma once

// Reading a mapping of a settings file key by key. Each reader takes the key's value if it is of the right kind, and
// otherwise reports what was expected; Finish reports every key that nobody asked for, with the nearest that was. So
// the list of known keys is the code that reads them.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/yaml.h"

namespace shipmate::config {

/// The problems and warnings of one file.
class Report {
 public:
  /// `parsing` stands before what makes the file no YAML of ours: "parsing config: ", or "".
  Report(std::string file, std::string parsing) : file_(std::move(file)), parsing_(std::move(parsing)) {}

  /// Adds "file:line:column: text".
  void Problem(Mark mark, std::string_view text);
  /// Adds "parsing config: file:line:column: text".
  void ParseProblem(Mark mark, std::string_view text);
  void Warn(Mark mark, std::string_view text);

  bool Failed() const { return count_ > 0; }
  /// In the order of the file; at most a hundred, and a last line that counts the rest.
  std::vector<std::string> TakeProblems();
  std::vector<std::string> TakeWarnings() { return std::move(warnings_); }

 private:
  std::string At(Mark mark, std::string_view text) const;
  void Add(Mark mark, std::string problem);

  std::string file_;
  std::string parsing_;
  std::vector<std::pair<Mark, std::string>> problems_;
  std::vector<std::string> warnings_;
  std::size_t count_ = 0;
};

/// Text with the place it came from.
struct Placed {
  std::string text;
  Mark mark;
};

class Fields {
 public:
  /// `where` names the mapping in the texts: "" for the file itself, else such as "discord". `map` and `report` must
  /// outlive it. A `map` of another kind is reported; it then reads as empty.
  Fields(const Node& map, std::string where, Report& report);

  /// The value of `key`, of any kind; null when it is absent or blank. The key counts as known from then on.
  const Node* Find(std::string_view key);
  /// The place of `key` when it is there without a value; the key counts as known from then on.
  std::optional<Mark> Blank(std::string_view key);
  /// One line of text without control characters.
  std::optional<Placed> Text(std::string_view key);
  /// Text that may have several lines.
  std::optional<Placed> Script(std::string_view key);
  /// The value of one of the words of `table`.
  template <class T, std::size_t N>
  std::optional<T> Word(std::string_view key, const std::array<std::pair<std::string_view, T>, N>& table) {
    const auto text = Text(key);
    if (!text) return std::nullopt;
    std::vector<std::string_view> words;
    for (const auto& [word, value] : table) {
      if (text->text == word) return value;
      words.push_back(word);
    }
    WrongWord(key, *text, words);
    return std::nullopt;
  }
  /// Exactly `true` or `false`, without quotes: a safety switch is never guessed.
  std::optional<bool> Switch(std::string_view key);
  /// A list of texts; each may have several lines, none is blank.
  std::vector<Placed> Texts(std::string_view key);
  /// A decimal number between `low` and `high`.
  std::optional<std::uint64_t> Number(std::string_view key, std::uint64_t low, std::uint64_t high);
  /// A whole number between `low` and `high`, perhaps negative.
  std::optional<std::int64_t> Integer(std::string_view key, std::int64_t low, std::int64_t high);
  /// `64KiB`, `512MiB`, `2GiB`, `10MB` (a million each) or a bare number of bytes, as bytes.
  std::optional<std::uint64_t> Size(std::string_view key, std::uint64_t low, std::uint64_t high);
  /// `500ms`, `5s`, `2m`, `1h` or a bare number of seconds.
  std::optional<std::chrono::milliseconds> Duration(std::string_view key, std::chrono::milliseconds low,
                                                    std::chrono::milliseconds high);
  /// A mapping below `key`; nullopt when absent, blank or of another kind.
  std::optional<Fields> Section(std::string_view key);

  /// Reports "key: text" at `mark`.
  void Problem(std::string_view key, Mark mark, std::string_view text);
  void Warn(std::string_view key, Mark mark, std::string_view text);
  /// Reports the keys nobody asked for.
  void Finish();

  Mark mark() const { return map_->mark; }
  Report& report() { return *report_; }

 private:
  std::string Name(std::string_view key) const;
  bool HasKey(std::string_view key) const;
  void WrongWord(std::string_view key, const Placed& found, const std::vector<std::string_view>& words);
  std::optional<Placed> AnyText(std::string_view key, const Node& node);

  const Node* map_;
  std::string where_;
  Report* report_;
  std::vector<std::string> known_;
};

/// `text` for a message: quoted, escaped, and cut when long.
std::string Shown(std::string_view text);
/// `, did you mean "x"?` in parentheses behind a blank, or "".
std::string Suggestion(std::string_view word, const std::vector<std::string>& candidates);

/// Parses `text`; nullopt, with everything in `report`, when it is no YAML of ours or not a mapping. An empty file is
/// an empty mapping.
std::optional<Node> ReadMapping(std::string_view text, Report& report);

}  // namespace shipmate::config
