#pragma once

// Message: what we say, free of any platform's markup. Only render.h turns it into text, by a Dialect: nothing else
// writes Markdown, counts code points or neutralises mentions.

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace shipmate::chat {

/// A run of text of one style. Its text is data: whatever markup it contains is shown, not obeyed.
struct Span {
  enum class Style { kPlain, kBold, kCode, kLink };
  Style style = Style::kPlain;
  std::string text;
  /// For kLink: an http(s) URL; anything else is shown as plain text.
  std::string url;
  bool operator==(const Span&) const = default;
};

/// One line of spans: `Text().Bold("api").Plain(": restarted (pid 12)")`.
class Text {
 public:
  Text() = default;
  explicit Text(std::string plain) { Plain(std::move(plain)); }

  Text& Plain(std::string text) { return Add({Span::Style::kPlain, std::move(text), {}}); }
  Text& Bold(std::string text) { return Add({Span::Style::kBold, std::move(text), {}}); }
  Text& Code(std::string text) { return Add({Span::Style::kCode, std::move(text), {}}); }
  Text& Link(std::string text, std::string url) { return Add({Span::Style::kLink, std::move(text), std::move(url)}); }

  Text& Append(const Span& span) { return Add(span); }

  const std::vector<Span>& Spans() const { return spans_; }
  bool Empty() const { return spans_.empty(); }
  /// The spans' texts alone, for logs and tests.
  std::string Bare() const;
  bool operator==(const Text&) const = default;

 private:
  Text& Add(Span span) {
    spans_.push_back(std::move(span));
    return *this;
  }
  std::vector<Span> spans_;
};

/// "pid: 12"
struct Field {
  std::string name;
  Text value;
  bool operator==(const Field&) const = default;
};

/// Rows of cells, shown in columns that fit the screen. The first row is the heading.
struct Table {
  std::vector<std::vector<std::string>> rows;
  bool operator==(const Table&) const = default;
};

/// Something a person can do about the message: a button where there are any, else the command to type.
struct Button {
  std::string label;
  /// As it is typed, with its prefix.
  std::string command;
  bool operator==(const Button&) const = default;
};

/// An answer that can be given by a touch where a platform has one (a reaction, a button), and the command that it
/// stands for: it is judged, recorded and answered as if it had been typed.
struct Choice {
  enum class Kind { kYes, kNo };
  Kind kind = Kind::kYes;
  /// Without a prefix; printable ASCII.
  std::string command;
  bool operator==(const Choice&) const = default;
};

/// How a message is meant; a platform may show it by a colour.
enum class Tone { kNews, kSuccess, kFailure };

struct Message {
  Text headline;
  /// Below the headline, one line each.
  std::vector<Field> fields = {};
  /// One line each; beyond the limit the last ones are left out, with a count.
  std::vector<Text> lines = {};
  /// Its last rows are left out where it does not fit, with a count.
  Table table = {};
  /// A fenced block at the end (log tail, output): its end is kept when it does not fit.
  std::optional<std::string> code = std::nullopt;
  /// When `code` does not fit, the whole of it goes along as a file of this name, where the platform takes files;
  /// empty: it does not.
  std::string code_file = {};
  /// Where the platform takes files the block goes along as one in any case, and is not shown. REQUIRES: code_file.
  bool only_file = false;
  /// The last line, kept before anything above it but the headline.
  std::vector<Button> buttons = {};

  using Tone = chat::Tone;
  Tone tone = Tone::kNews;
  /// Messages of one edit key are one post in a channel: each is the new text of that post.
  std::string edit_key = {};
  /// A passing state is worth saying only by an edit, and only until the next one.
  enum class Stage { kLasting, kPassing };
  Stage stage = Stage::kLasting;
  /// A person has to answer it: it never becomes a line of a summary.
  bool asks = false;
  /// How it can be answered.
  std::vector<Choice> choices = {};

  bool operator==(const Message&) const = default;
};

}  // namespace shipmate::chat
