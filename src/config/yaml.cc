#include "config/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "base/text.h"

namespace shipmate::config {

namespace {

// Deeper nesting than any settings need; below the depth at which yaml-cpp itself gives up (500).
constexpr std::size_t kMaxDepth = 64;
// More problems than anyone reads.
constexpr std::size_t kMaxProblems = 100;

Mark ToMark(const YAML::Mark& mark) {
  // yaml-cpp counts from 0, and has -1 for "nowhere".
  return {std::max(mark.line, 0) + 1, std::max(mark.column, 0) + 1};
}

// Ends the walk through a document; what was found so far stands.
struct Stop {
  YamlProblem problem;
};

// Tags the parser reports for a node without one: "?" for plain scalars and collections, "!" for quoted scalars.
bool IsUntagged(const std::string& tag) {
  return tag.empty() || tag == "?" || tag == "!";
}

// Builds the tree from the parser's events. Collections under construction lie on a stack; a map takes its children in
// turn as key and value.
class TreeBuilder final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Add(Make(Node::Kind::kNull, mark, ""), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto named = anchors_.find(anchor);
    if (named == anchors_.end()) throw Stop{{ToMark(mark), "an alias stands inside what it names"}};
    Node copy = named->second.node;
    copy.mark = ToMark(mark);
    Count(named->second.size, copy.mark);
    if (stack_.size() + named->second.depth > kMaxDepth) throw Stop{{copy.mark, TooDeep()}};
    sizes_ += named->second.size;
    if (!stack_.empty()) stack_.back().depth = std::max(stack_.back().depth, named->second.depth + 1);
    Place(std::move(copy));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (tag != "?") last_quoted_ = mark;
    Node node = Make(tag == "?" ? Node::Kind::kPlain : Node::Kind::kQuoted, mark, value);
    if (!IsUntagged(tag) && tag != "tag:yaml.org,2002:str") Problem(node.mark, "tags are not supported; remove it");
    Add(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(Node::Kind::kList, mark, tag, anchor, "tag:yaml.org,2002:seq");
  }
  void OnSequenceEnd() override { Close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(Node::Kind::kMap, mark, tag, anchor, "tag:yaml.org,2002:map");
  }
  void OnMapEnd() override { Close(); }

  // Where the innermost collection that is still open began.
  Mark Innermost() const { return stack_.empty() ? Mark{} : stack_.back().node.mark; }
  // Of the last scalar that may be in quotes: its place, or that of the anchor before it.
  std::optional<YAML::Mark> LastQuoted() const { return last_quoted_; }

  Document Take() && { return {std::move(root_), std::move(problems_)}; }

 private:
  struct Frame {
    Node node;
    YAML::anchor_t anchor;
    // Where this collection began in the count of all nodes.
    std::size_t first_node;
    // Deepest collection inside, itself counting 1.
    std::size_t depth = 1;
    // The key that waits for its value; false while a key is expected.
    bool has_key = false;
    std::string key;
    Mark key_mark;
    std::map<std::string, Mark> keys;
  };
  struct Anchored {
    Node node;
    std::size_t size;
    std::size_t depth;
  };

  static std::string TooDeep() { return fmt::format("nested more than {} levels deep", kMaxDepth); }

  void Problem(Mark mark, std::string text) {
    if (problems_.size() < kMaxProblems) problems_.push_back({mark, std::move(text)});
  }

  void Count(std::size_t more, Mark mark) {
    nodes_ += more;
    if (nodes_ > kMaxNodes) {
      throw Stop{{mark, fmt::format("more than {} values in one file (an alias counts as what it names)", kMaxNodes)}};
    }
  }

  Node Make(Node::Kind kind, const YAML::Mark& mark, const std::string& text) {
    Node node;
    node.kind = kind;
    node.mark = ToMark(mark);
    node.text = text;
    Count(1, node.mark);
    ++sizes_;
    return node;
  }

  void Add(Node node, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) anchors_.insert_or_assign(anchor, Anchored{node, 1, 0});
    Place(std::move(node));
  }

  void Open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            std::string_view usual_tag) {
    const std::size_t first = sizes_;
    Node node = Make(kind, mark, "");
    if (stack_.size() >= kMaxDepth) throw Stop{{node.mark, TooDeep()}};
    if (!IsUntagged(tag) && tag != usual_tag) Problem(node.mark, "tags are not supported; remove it");
    stack_.push_back(
        {.node = std::move(node), .anchor = anchor, .first_node = first, .key = {}, .key_mark = {}, .keys = {}});
  }

  void Close() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    if (!stack_.empty()) stack_.back().depth = std::max(stack_.back().depth, frame.depth + 1);
    if (frame.anchor != YAML::NullAnchor) {
      // The copy kept for aliases counts as well: it takes the same memory.
      const std::size_t size = sizes_ - frame.first_node;
      Count(size, frame.node.mark);
      anchors_.insert_or_assign(frame.anchor, Anchored{frame.node, size, frame.depth});
    }
    Place(std::move(frame.node));
  }

  void Place(Node node) {
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = stack_.back();
    if (frame.node.kind == Node::Kind::kList) {
      frame.node.children.push_back(std::move(node));
    } else if (!frame.has_key) {
      TakeKey(frame, node);
    } else {
      frame.has_key = false;
      node.key = std::move(frame.key);
      node.key_mark = frame.key_mark;
      frame.node.children.push_back(std::move(node));
    }
  }

  void TakeKey(Frame& frame, const Node& node) {
    frame.has_key = true;
    frame.key = node.text;
    frame.key_mark = node.mark;
    if (!node.IsText()) {
      Problem(node.mark, fmt::format("a key must be text, not {}", node.KindName()));
      return;
    }
    if (node.kind == Node::Kind::kPlain && node.text == "<<") {
      Problem(node.mark, "merge keys (<<) are not supported; write the keys out");
    }
    const auto [first, added] = frame.keys.emplace(node.text, node.mark);
    if (!added) {
      Problem(node.mark, fmt::format("key {} is given twice, first on line {}; remove one of them",
                                     base::Quote(base::FirstRunes(node.text, 60)), first->second.line));
    }
  }

  Node root_;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::vector<YamlProblem> problems_;
  std::optional<YAML::Mark> last_quoted_;
  // Nodes held in memory, copies for aliases included.
  std::size_t nodes_ = 0;
  // Nodes of the tree so far.
  std::size_t sizes_ = 0;
};

// Only tells where a further document begins.
class NextDocument final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    throw Stop{{ToMark(mark), "a second document begins; only one is read, so remove the \"---\" before it"}};
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

// The first byte YAML 1.2 does not allow in a stream (5.1: tab, line ends, printable characters). yaml-cpp would
// replace some of them, and take 0x04 for the end of the file.
std::optional<YamlProblem> FindBadByte(std::string_view text) {
  Mark mark;
  while (!text.empty()) {
    const base::Rune rune = base::DecodeRune(text);
    if (!rune.valid) return YamlProblem{mark, "not UTF-8 text"};
    const bool control =
        (rune.value < 0x20 && rune.value != '\t' && rune.value != '\n' && rune.value != '\r') || rune.value == 0x7F;
    if (control) {
      return YamlProblem{mark, fmt::format("control character 0x{:02x} is not allowed here; remove it",
                                           static_cast<unsigned>(rune.value))};
    }
    if (rune.value == '\n') {
      ++mark.line;
      mark.column = 1;
    } else {
      mark.column += static_cast<int>(rune.length);
    }
    text.remove_prefix(rune.length);
  }
  return std::nullopt;
}

// yaml-cpp 0.7 takes the end of the file for the closing quote when only a line end and blanks come before it. Nothing
// can follow such a scalar, so the last one tells. `start` is its offset, or that of the anchor and tag before it.
bool IsClosed(std::string_view text, std::size_t start) {
  constexpr std::string_view kBlanks = " \t\r\n";
  std::size_t at = std::min(start, text.size());
  while (at < text.size() && (text[at] == '&' || text[at] == '!' || text[at] == '#')) {
    at = text.find_first_of(text[at] == '#' ? "\n" : kBlanks, at);
    at = std::min(text.find_first_not_of(kBlanks, std::min(at, text.size())), text.size());
  }
  if (at == text.size() || (text[at] != '"' && text[at] != '\'')) return true;
  const char quote = text[at];
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\' && quote == '"') {
      ++at;
    } else if (text[at] == quote) {
      // Between single quotes, two of them stand for one.
      if (quote == '"' || at + 1 == text.size() || text[at + 1] != quote) return true;
      ++at;
    }
  }
  return false;
}

YamlProblem Translate(const YAML::Exception& error, Mark innermost) {
  const std::string_view message = error.msg;
  // At the end of the file, where yaml-cpp notices it, it helps nobody.
  if (message == YAML::ErrorMsg::END_OF_MAP_FLOW) return {innermost, "the { that opens here is never closed"};
  if (message == YAML::ErrorMsg::END_OF_SEQ_FLOW) return {innermost, "the [ that opens here is never closed"};
  const Mark mark = error.mark.is_null() ? innermost : ToMark(error.mark);
  if (message == YAML::ErrorMsg::BAD_FILE) return {mark, "nested too deep"};
  return {mark, base::EscapeControls(base::FirstRunes(message, 200))};
}

}  // namespace

const char* Node::KindName() const {
  switch (kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kPlain:
    case Kind::kQuoted:
      return "text";
    case Kind::kList:
      return "a list";
    case Kind::kMap:
      return "a mapping";
  }
  return "nothing";
}

Document ParseYaml(std::string_view text) {
  // Editors on Windows write it; it would shift every column of the first line.
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (auto bad = FindBadByte(text)) return {Node{}, {std::move(*bad)}};
  TreeBuilder builder;
  std::vector<YamlProblem> ending;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    if (parser.HandleNextDocument(builder)) {
      NextDocument next;
      parser.HandleNextDocument(next);
    }
    const auto quoted = builder.LastQuoted();
    if (quoted && !IsClosed(text, static_cast<std::size_t>(std::max(quoted->pos, 0)))) {
      ending.push_back({ToMark(*quoted), "the quote that opens here is never closed"});
    }
  } catch (const Stop& stop) {
    ending.push_back(stop.problem);
  } catch (const YAML::Exception& error) {
    ending.push_back(Translate(error, builder.Innermost()));
  }
  Document document = std::move(builder).Take();
  for (YamlProblem& problem : ending) document.problems.push_back(std::move(problem));
  return document;
}

}  // namespace shipmate::config
