#pragma once

// YAML as a small tree of our own, each node with its place in the file; the one door to yaml-cpp. Scalars keep the
// exact text of the file (`010`, `1.10` and `no` stay what they are): what a value means is decided where it is read.
//
// Refused, each with its place: bytes that are not UTF-8 or that YAML does not allow, a key given twice, merge keys,
// tags, a second document, and trees that grow past a fixed number of nodes (an alias is a copy of what it names, so a
// few lines could otherwise become billions).

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace shipmate::config {

/// A place in a file; both count from 1, columns in bytes.
struct Mark {
  int line = 1;
  int column = 1;
  bool operator==(const Mark&) const = default;
};

struct Node {
  enum class Kind {
    kNull,    ///< nothing, `~` or `null`
    kPlain,   ///< text without quotes
    kQuoted,  ///< text in quotes, or a block (`|`, `>`)
    kList,
    kMap,
  };
  Kind kind = Kind::kNull;
  Mark mark;
  std::string text;
  /// Items of a list, or values of a map in the order of the file.
  std::vector<Node> children;
  /// Of a value in a map.
  std::string key;
  Mark key_mark;

  bool IsText() const { return kind == Kind::kPlain || kind == Kind::kQuoted; }
  /// "a list", "a mapping", "text", "nothing".
  const char* KindName() const;
};

struct YamlProblem {
  Mark mark;
  std::string text;
};

struct Document {
  Node root;
  /// In the order of the file; when there is any, `root` is not to be used.
  std::vector<YamlProblem> problems;
};

/// Most nodes of one document.
inline constexpr std::size_t kMaxNodes = 50'000;

Document ParseYaml(std::string_view text);

}  // namespace shipmate::config
