#include "chat/render.h"

#include <doctest/doctest.h>

#include <random>

#include "base/text.h"
#include "chat/clean.h"
#include "unit/chat/test_dialects.h"

namespace shipmate::chat {
namespace {

using tests::JoinerDialect;
using tests::LongFenceDialect;

TEST_CASE("a message in its parts") {
  Message message;
  message.headline.Bold("api").Plain(": restarted (pid 12)");
  message.lines.push_back(Text().Plain("on ").Code("main").Plain(" by ").Link("bob", "https://x.example/bob"));
  message.code = "one\ntwo\n";
  CHECK(Render(message, JoinerDialect()) ==
        "**api**: restarted \\(pid 12\\)\non `main` by [bob](<https://x.example/bob>)\n```\none\ntwo\n```");
}

TEST_CASE("an empty part leaves no empty line") {
  Message message;
  message.code = "x";
  CHECK(Render(message, JoinerDialect()) == "```\nx\n```");
  message.code = "\x1b[0m\n\n";
  message.headline.Plain("nothing");
  CHECK(Render(message, JoinerDialect()) == "nothing");
  CHECK(Render(Message(), JoinerDialect()) == "");
}

TEST_CASE("text stays one line and is escaped") {
  Message message;
  message.headline.Bold("a\nb").Plain("\u202e@everyone").Plain("\xff");
  CHECK(Render(message, JoinerDialect()) == "**a\\\\nb**\\\\u202e\\@everyone\\\\xff");
}

TEST_CASE("only web links are links") {
  const auto rendered = [](const std::string& url) {
    Message message;
    message.headline.Link("t", url);
    return Render(message, JoinerDialect());
  };
  CHECK(rendered("javascript:x") == "t");
  CHECK(rendered("") == "t");
  CHECK(rendered("HTTPS://a/b?c=d&e#f") == "[t](<HTTPS://a/b?c=d&e#f>)");
  CHECK(rendered("http://a/)[x](y z\n>") == "[t](<http://a/%29%5Bx%5D%28y%20z%0A%3E>)");
  CHECK(rendered("https://a/" + std::string(600, 'x')) == "t");
}

TEST_CASE("secrets are masked before anything is escaped") {
  base::Masker masker;
  masker.Add(base::Secret("se_cret*key"));
  Message message;
  message.headline.Plain("token se_cret*key").Link("l", "https://u:pw@h/se_cret*key");
  message.code = "x se_\x1b[0mcret*key y https://user:tok@host/";
  CHECK(Render(message, JoinerDialect(), &masker) ==
        "token \\*\\*\\*[l](<https://%2A%2A%2A@h/%2A%2A%2A>)\n```\nx *** y https://***@host/\n```");
}

TEST_CASE("the end of a block is kept, with a count inside the fence") {
  Message message;
  message.headline.Bold("api");
  message.code = std::string(5000, 'x') + "\nTHE REASON";
  const std::string text = Render(message, JoinerDialect());
  CHECK(base::RuneCount(text) == 2000);
  CHECK(text.starts_with("**api**\n```\n... (truncated, "));
  CHECK(text.ends_with("x\nTHE REASON\n```"));
}

TEST_CASE("lines beyond the limit are counted") {
  Message message;
  message.headline.Plain("head");
  for (int i = 0; i < 50; ++i) message.lines.emplace_back("line " + std::to_string(100 + i));
  CHECK(Render(message, JoinerDialect(60)) == "head\nline 100\nline 101\nline 102\nline 103\n... and 46 more");
  message.lines.resize(6);
  CHECK(Render(message, JoinerDialect(58)) == "head\nline 100\nline 101\nline 102\nline 103\nline 104\nline 105");
}

TEST_CASE("a line too long alone is cut") {
  Message message;
  message.headline.Plain("head");
  message.lines.emplace_back(std::string(500, 'x'));
  CHECK(Render(message, JoinerDialect(100)) == "head\n" + std::string(92, 'x') + "...");
  message.lines.emplace_back("more");
  CHECK(Render(message, JoinerDialect(100)) == "head\n" + std::string(77, 'x') + "...\n... and 1 more");
}

TEST_CASE("an over-long headline is cut with its markup whole") {
  Message message;
  message.headline.Bold(std::string(300, '*')).Plain(" tail");
  const std::string text = Render(message, JoinerDialect(100));
  CHECK(base::RuneCount(text) <= 100);
  CHECK(base::RuneCount(text) >= 98);
  CHECK(text.starts_with("**\\*\\*"));
  CHECK(text.ends_with("\\***..."));
}

TEST_CASE("four backticks do not reopen a block") {
  Message message;
  message.code = "before\n````\nafter`";
  CHECK(Render(message, JoinerDialect()) == "```\nbefore\n`\u200b`\u200b`\u200b`\nafter`\n```");
  CHECK(Render(message, LongFenceDialect()) == "`````\nbefore\n````\nafter`\n`````");
}

TEST_CASE("a block of nothing but backticks") {
  Message message;
  message.headline.Plain("x");
  message.code = std::string(9000, '`');
  for (const std::size_t limit : {std::size_t{20}, std::size_t{100}, std::size_t{2000}}) {
    const std::string joined = Render(message, JoinerDialect(limit));
    CHECK(base::RuneCount(joined) <= limit);
    const std::string fenced = Render(message, LongFenceDialect(limit));
    CHECK(base::RuneCount(fenced) <= limit);
    CHECK(base::RuneCount(fenced) > limit / 2);
  }
}

std::string RandomText(std::mt19937& random, std::size_t pieces) {
  static const std::vector<std::string> kPieces = {"a",
                                                   "word ",
                                                   "\n",
                                                   "`",
                                                   "```",
                                                   "````",
                                                   "~~~",
                                                   "@everyone",
                                                   "<@123>",
                                                   "**",
                                                   "_",
                                                   "\\",
                                                   "\U0001F600",
                                                   "\u4e16",
                                                   "\u00e9",
                                                   "\x1b[31m",
                                                   "\x1b]0;t\a",
                                                   "\xff",
                                                   "\xc3",
                                                   "\xf0\x9f",
                                                   "\u202e",
                                                   "\r",
                                                   "\r\n",
                                                   "\t",
                                                   std::string(1, '\0'),
                                                   "](https://evil.example)",
                                                   "https://u:p@h/x",
                                                   "\xed\xa0\x80",
                                                   "||",
                                                   "> ",
                                                   "# "};
  std::uniform_int_distribution<std::size_t> pick(0, kPieces.size() - 1);
  std::string text;
  for (; pieces > 0; --pieces) text += kPieces[pick(random)];
  return text;
}

Text RandomLine(std::mt19937& random, std::size_t pieces) {
  Text line;
  std::uniform_int_distribution<int> style(0, 3);
  for (int spans = style(random); spans >= 0; --spans) {
    std::string text = RandomText(random, pieces);
    switch (style(random)) {
      case 0:
        line.Plain(std::move(text));
        break;
      case 1:
        line.Bold(std::move(text));
        break;
      case 2:
        line.Code(std::move(text));
        break;
      default:
        line.Link(std::move(text), "https://h/" + RandomText(random, 3));
        break;
    }
  }
  return line;
}

// Checks one rendered message; `fence_of` finds the fence that opens the block.
void CheckRendered(const Message& message, const Dialect& dialect, const std::string& text) {
  REQUIRE(base::IsValidUtf8(text));
  REQUIRE(base::RuneCount(text) <= dialect.MessageLimit());
  const std::vector<std::string_view> lines = base::Split(text, '\n');
  std::size_t fences = 0;
  std::size_t first = 0;
  const auto is_fence = [](std::string_view line) {
    return line.size() >= 3 && line.find_first_not_of('`') == std::string_view::npos;
  };
  // The block is last; the longest all-backtick line that also ends the text is its fence.
  if (!is_fence(lines.back())) {
    REQUIRE((!message.code || CleanBlock(*message.code).empty() || dialect.MessageLimit() < 200) == true);
    for (const std::string_view line : lines) REQUIRE_FALSE(line.starts_with("```"));
    return;
  }
  const std::string_view fence = lines.back();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].starts_with(fence)) continue;
    if (fences++ == 0) first = i;
  }
  REQUIRE(fences == 2);
  std::string content;
  for (std::size_t i = first + 1; i + 1 < lines.size(); ++i) content.append(lines[i]).append("\n");
  content.pop_back();
  REQUIRE(message.code.has_value());
  const std::string whole = dialect.EscapeForBlock(CleanBlock(*message.code));
  if (content == whole) return;
  if (content.starts_with("... (truncated, ") && content.contains(" earlier bytes omitted)\n")) {
    const std::size_t end = content.find('\n');
    const std::string kept = content.substr(end + 1);
    REQUIRE(whole.ends_with(kept));
    REQUIRE(content.substr(0, end) ==
            "... (truncated, " + std::to_string(whole.size() - kept.size()) + " earlier bytes omitted)");
  } else {
    REQUIRE(whole.ends_with(content));
  }
}

TEST_CASE("whatever is said, it is valid, within the limit, and in one fence") {
  std::mt19937 random(2026);
  const JoinerDialect discord_like;
  const LongFenceDialect long_fence;
  const JoinerDialect small(150);
  const LongFenceDialect tiny(45);
  const std::vector<const Dialect*> dialects = {&discord_like, &long_fence, &small, &tiny};
  std::uniform_int_distribution<std::size_t> count(0, 12);
  for (int round = 0; round < 10'000; ++round) {
    Message message;
    message.headline = RandomLine(random, count(random) * (round % 7 == 0 ? 40 : 1));
    for (std::size_t lines = count(random); lines > 0; --lines)
      message.lines.push_back(RandomLine(random, count(random)));
    if (round % 4 != 0) message.code = RandomText(random, count(random) * (round % 10 == 0 ? 200 : 12));
    const Dialect& dialect = *dialects[static_cast<std::size_t>(round) % dialects.size()];
    CheckRendered(message, dialect, Render(message, dialect));
  }
}

TEST_CASE("fields, a table and what to do about it") {
  Message message;
  message.headline.Bold("api");
  message.fields = {{.name = "pid", .value = Text("12")}, {.name = "commit", .value = Text().Code("abc123")}};
  message.lines.emplace_back("a line");
  message.table.rows = {{"name", "state"}, {"api", "running"}, {"a_b", "stopped"}};
  message.code = "the end";
  message.buttons = {{.label = "Confirm", .command = "!confirm api"}, {.label = "Decline", .command = "!decline api"}};
  CHECK(Render(message, JoinerDialect()) ==
        "**api**\n**pid:** 12\n**commit:** `abc123`\na line\n```\nname  state\napi   running\na_b   stopped\n```\n"
        "```\nthe end\n```\nConfirm: `!confirm api`, Decline: `!decline api`");
}

TEST_CASE("secrets leave in no part of a message") {
  base::Masker masker;
  masker.Add(base::Secret("hunter2-token"));
  Message message;
  message.headline.Plain("hunter2-token");
  message.fields = {{.name = "f", .value = Text("hunter2-token")}};
  message.lines.emplace_back("ghp_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8");
  message.table.rows = {{"hunter2-token"}};
  message.code = std::string(5000, 'x') + "\nhunter2-\x1b[1mtoken";
  message.code_file = "all.log";
  const Rendered rendered = RenderAll(message, JoinerDialect(), &masker);
  CHECK_FALSE(rendered.text.contains("hunter2"));
  CHECK_FALSE(rendered.text.contains("ghp_"));
  REQUIRE(rendered.files.size() == 1);
  CHECK(rendered.files[0].name == "all.log");
  CHECK(rendered.files[0].bytes == std::string(5000, 'x') + "\n***");
}

TEST_CASE(
    "a block that fits needs no file, and one that does not has its end in the message and all of it in the file") {
  Message message;
  message.headline.Plain("head");
  message.code_file = "all.log";
  message.code = std::string(100, 'x');
  CHECK(RenderAll(message, JoinerDialect(), nullptr).files.empty());
  // head, line end, two fences of three with a line end each: exactly full, and one more.
  message.code = std::string(2000 - 4 - 1 - 8, 'x');
  CHECK(RenderAll(message, JoinerDialect(), nullptr).files.empty());
  *message.code += 'y';
  CHECK(RenderAll(message, JoinerDialect(), nullptr).files.at(0).bytes == *message.code);
  message.code_file.clear();
  CHECK(RenderAll(message, JoinerDialect(), nullptr).files.empty());
}

TEST_CASE("a block that is to be a file is one alone, where there are files") {
  Message message;
  message.headline.Plain("head");
  message.code = "one\ntwo";
  message.code_file = "all.txt";
  message.only_file = true;
  const Rendered rendered = RenderAll(message, JoinerDialect(), nullptr);
  CHECK(rendered.text == "head");
  REQUIRE(rendered.files.size() == 1);
  CHECK(rendered.files[0] == Attachment{.name = "all.txt", .bytes = "one\ntwo"});
  CHECK(Render(message, JoinerDialect()) == "head\n```\none\ntwo\n```");
}

TEST_CASE("of megabytes only the end is looked at, and the count of bytes is true") {
  std::string output;
  while (output.size() < 10'000'000) output += "line " + std::to_string(output.size()) + " \u00e9\n";
  output += "THE END";
  Message message;
  message.headline.Plain("head");
  message.code = output;
  message.code_file = "all.log";
  const Rendered rendered = RenderAll(message, JoinerDialect(), nullptr);
  CHECK(base::RuneCount(rendered.text) <= 2000);
  CHECK(base::RuneCount(rendered.text) > 1900);
  const std::string marker = "head\n```\n... (truncated, ";
  REQUIRE(rendered.text.starts_with(marker));
  const std::size_t omitted = std::stoul(rendered.text.substr(marker.size()));
  const std::size_t start = rendered.text.find('\n', marker.size()) + 1;
  const std::string kept = rendered.text.substr(start, rendered.text.size() - start - 4);
  CHECK(output.ends_with(kept));
  CHECK(omitted + kept.size() == output.size());
  CHECK(rendered.files.at(0).bytes.size() <= kFileLimit);
  CHECK(base::IsValidUtf8(rendered.files[0].bytes));
  CHECK(output.ends_with(rendered.files[0].bytes));
}

TEST_CASE("a table gives way by its last rows, and its fence is whole") {
  std::mt19937 random(7);
  std::uniform_int_distribution<std::size_t> count(0, 12);
  for (int round = 0; round < 10'000; ++round) {
    const std::size_t limit = 30 + 40 * count(random);
    const JoinerDialect joiner(limit);
    const LongFenceDialect fencer(limit);
    const Dialect& dialect = round % 2 == 0 ? static_cast<const Dialect&>(joiner) : fencer;
    Message message;
    message.headline = RandomLine(random, count(random));
    const std::size_t columns = 1 + count(random) / 3;
    for (std::size_t rows = count(random) * 2; rows > 0; --rows) {
      message.table.rows.emplace_back();
      for (std::size_t i = 0; i < columns; ++i)
        message.table.rows.back().push_back(RandomText(random, count(random) / 2));
    }
    if (round % 3 == 0) message.buttons = {{.label = RandomText(random, 2), .command = RandomText(random, 3)}};
    const std::string text = Render(message, dialect);
    REQUIRE(base::IsValidUtf8(text));
    REQUIRE(base::RuneCount(text) <= limit);
    std::size_t fences = 0;
    std::size_t rows = 0;
    std::size_t more = 0;
    std::string fence;
    for (const std::string_view line : base::Split(text, '\n')) {
      const bool is_fence = line.size() >= 3 && line.find_first_not_of('`') == std::string_view::npos;
      if (fence.empty() && is_fence) {
        fence = line;
        ++fences;
      } else if (!fence.empty() && line == fence) {
        ++fences;
        break;
      } else if (!fence.empty() && line.starts_with("... and ")) {
        more = std::stoul(std::string(line.substr(8)));
      } else if (!fence.empty()) {
        ++rows;
        REQUIRE(base::RuneCount(line) <= 3 * 40);
      }
    }
    REQUIRE((fences == 0 || fences == 2));
    if (fences == 2) REQUIRE(rows + more == message.table.rows.size());
  }
}

}  // namespace
}  // namespace shipmate::chat
