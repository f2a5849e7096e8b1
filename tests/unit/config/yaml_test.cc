#include "config/yaml.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "support.h"

using namespace shipmate::config;

namespace {

// "line:column text" for each problem.
std::vector<std::string> ProblemsOf(std::string_view text) {
  std::vector<std::string> problems;
  for (const YamlProblem& problem : ParseYaml(text).problems) {
    problems.push_back(fmt::format("{}:{} {}", problem.mark.line, problem.mark.column, problem.text));
  }
  return problems;
}

Node Root(std::string_view text) {
  Document document = ParseYaml(text);
  if (!document.problems.empty()) FAIL(document.problems.front().text);
  return std::move(document.root);
}

}  // namespace

TEST_CASE("the tree keeps text exactly, and the place of each node") {
  const Node root = Root(
      "a: 010\n"
      "b: [1.10, no, 'x y', ~]\n"
      "\n"
      "c:\n"
      "  d: |\n"
      "    one\n"
      "    two\n");
  REQUIRE(root.kind == Node::Kind::kMap);
  CHECK(root.mark == Mark{1, 1});
  REQUIRE(root.children.size() == 3);
  const Node& a = root.children[0];
  CHECK(a.key == "a");
  CHECK(a.key_mark == Mark{1, 1});
  CHECK(a.mark == Mark{1, 4});
  CHECK(a.kind == Node::Kind::kPlain);
  CHECK(a.text == "010");
  const Node& b = root.children[1];
  REQUIRE(b.kind == Node::Kind::kList);
  REQUIRE(b.children.size() == 4);
  CHECK(b.children[0].text == "1.10");
  CHECK(b.children[1].text == "no");
  CHECK(b.children[2].text == "x y");
  CHECK(b.children[2].kind == Node::Kind::kQuoted);
  CHECK(b.children[2].mark == Mark{2, 15});
  CHECK(b.children[3].kind == Node::Kind::kNull);
  const Node& d = root.children[2].children[0];
  CHECK(d.key_mark == Mark{5, 3});
  CHECK(d.text == "one\ntwo\n");
  CHECK(d.kind == Node::Kind::kQuoted);
}

TEST_CASE("empty documents are nothing; a byte order mark and Windows line ends do no harm") {
  CHECK(Root("").kind == Node::Kind::kNull);
  CHECK(Root("# only a comment\n").kind == Node::Kind::kNull);
  CHECK(Root("---\n").kind == Node::Kind::kNull);
  const Node root = Root(
      "\xEF\xBB\xBF"
      "a: 1\r\nb: 2\r\n");
  REQUIRE(root.children.size() == 2);
  CHECK(root.children[0].key == "a");
  CHECK(root.children[0].text == "1");
  CHECK(root.children[1].key_mark == Mark{2, 1});
}

TEST_CASE("aliases are copies that stand where they are used") {
  const Node root = Root("a: &x [1, 2]\nb: *x\nc: &y word\nd: [*y, *x]\n");
  CHECK(root.children[1].mark == Mark{2, 4});
  REQUIRE(root.children[1].children.size() == 2);
  CHECK(root.children[1].children[1].text == "2");
  CHECK(root.children[1].key == "b");
  CHECK(root.children[3].children[0].text == "word");
  CHECK(root.children[3].children[1].children.size() == 2);
}

TEST_CASE("what is refused, and where") {
  using Problems = std::vector<std::string>;
  const std::vector<std::pair<std::string, Problems>> cases = {
      {"branch: main\nrepo: x\nbranch: prod\n",
       {"3:1 key \"branch\" is given twice, first on line 1; remove one of them"}},
      {"deploy: [a]\ndeploy: [b]\ndeploy: [c]\n",
       {"2:1 key \"deploy\" is given twice, first on line 1; remove one of them",
        "3:1 key \"deploy\" is given twice, first on line 1; remove one of them"}},
      {"a: {x: 1, x: 2}\n", {"1:11 key \"x\" is given twice, first on line 1; remove one of them"}},
      {"a: 1\n---\nb: 2\n", {"2:1 a second document begins; only one is read, so remove the \"---\" before it"}},
      {"a: &b {c: 1}\nd:\n  <<: *b\n", {"3:3 merge keys (<<) are not supported; write the keys out"}},
      {"a: !!int 3\n", {"1:4 tags are not supported; remove it"}},
      {"a: !mine [1]\n", {"1:4 tags are not supported; remove it"}},
      {"[a]: 1\n", {"1:1 a key must be text, not a list"}},
      {"a: &x [*x]\n", {"1:8 an alias stands inside what it names"}},
      {"a: *none\n", {"1:4 the referenced anchor is not defined"}},
      {"a: 1\n\tb: 2\n", {"2:1 illegal tab when looking for indentation"}},
      {"{{invalid", {"1:2 the { that opens here is never closed"}},
      {"a: 1\nb: [x,\n", {"2:4 the [ that opens here is never closed"}},
      // A file that was only half written must not pass.
      {"a: \"open\n", {"1:4 the quote that opens here is never closed"}},
      {"a: &x 'it''s open\n  \n", {"1:4 the quote that opens here is never closed"}},
      {"- &x\n  # why\n  !!str \"open \\\"\n", {"1:3 the quote that opens here is never closed"}},
      {"a: \"open", {"1:9 illegal EOF in scalar"}},
      {std::string("a: 1\nb: \0\n", 10), {"2:4 control character 0x00 is not allowed here; remove it"}},
      // Taken for the end of the file, it would hide what follows.
      {"a: 1\n# \x04\nrequire_confirmation: true\n", {"2:3 control character 0x04 is not allowed here; remove it"}},
      {"a: 1\nb: \xff\n", {"2:4 not UTF-8 text"}},
  };
  for (const auto& [text, problems] : cases) {
    CAPTURE(text);
    CHECK(ProblemsOf(text) == problems);
  }
  CHECK(Root("a: 'it''s'\n").children[0].text == "it's");
  CHECK(Root("a: &x\n  \"\\\"\"\n").children[0].text == "\"");
  CHECK(Root("a: 'x'\nb: |\n  \"open\n").children[1].text == "\"open\n");
  CHECK(Root("a: !!str 010\n").children[0].text == "010");
}

TEST_CASE("depth and size are bounded") {
  CHECK(ProblemsOf(std::string(64, '[') + std::string(64, ']')).empty());
  CHECK(ProblemsOf(std::string(65, '[') + std::string(65, ']')) ==
        std::vector<std::string>{"1:65 nested more than 64 levels deep"});
  CHECK(ProblemsOf(std::string(100'000, '[')).size() == 1);
  CHECK(ProblemsOf(std::string(100'000, '{')).size() == 1);
  std::string block;
  for (std::size_t i = 0; i < 1000; ++i) block += std::string(i, ' ') + "a:\n";
  CHECK(ProblemsOf(block) == std::vector<std::string>{"65:65 nested more than 64 levels deep"});

  std::string list = "a:\n";
  for (std::size_t i = 0; i < kMaxNodes; ++i) list += "- x\n";
  CHECK(ProblemsOf(list).front().ends_with("more than 50000 values in one file (an alias counts as what it names)"));
}

TEST_CASE("an alias bomb is refused when its copies pass the limit") {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    bomb += fmt::format("a{}: &a{} [", i, i);
    for (int j = 0; j < 10; ++j) bomb += fmt::format("{}*a{}", j == 0 ? "" : ", ", i - 1);
    bomb += "]\n";
  }
  const auto problems = ProblemsOf(bomb);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].ends_with("more than 50000 values in one file (an alias counts as what it names)"));

  std::string deep = "a0: &a0 [x]\n";
  for (int i = 1; i < 70; ++i) deep += fmt::format("a{}: &a{} [*a{}]\n", i, i, i - 1);
  CHECK(ProblemsOf(deep).front().ends_with("nested more than 64 levels deep"));
}
