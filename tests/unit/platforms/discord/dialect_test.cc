#include "platforms/discord/dialect.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "base/text.h"

using namespace shipmate;
using shipmate::platforms::discord::DiscordDialect;
using shipmate::platforms::discord::ShorterText;

namespace {

const DiscordDialect kDialect;
const std::string kBreak = "\xE2\x80\x8B";

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string Without(std::string text, const std::string& part) {
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at)) text.erase(at, part.size());
  return text;
}

// Text made of what acts in Discord's Markdown, and a little else.
std::string Loaded(std::mt19937& random) {
  static const std::vector<std::string> kPieces = {"`",
                                                   "``",
                                                   "```",
                                                   "*",
                                                   "**",
                                                   "_",
                                                   "__",
                                                   "~~",
                                                   "|",
                                                   "||",
                                                   "\\",
                                                   ">",
                                                   "#",
                                                   "-",
                                                   "<",
                                                   "@",
                                                   "everyone",
                                                   "here",
                                                   "<@1>",
                                                   "<@&2>",
                                                   "<#3>",
                                                   "[a](",
                                                   "https://x/a_b",
                                                   ")",
                                                   "]",
                                                   ".",
                                                   "1.",
                                                   "\n",
                                                   "\r",
                                                   " ",
                                                   "@HERE",
                                                   "é",
                                                   "\xF0\x9F\x98\x80",
                                                   "@everyone",
                                                   "a",
                                                   "\xE2\x80\x8B"};
  std::string text;
  const unsigned count = static_cast<unsigned>(random() % 12);
  for (unsigned i = 0; i < count; ++i) text += kPieces[random() % kPieces.size()];
  return text;
}

// What a reader sees: the text without the backslashes that escape, or "?" when something in it acts.
std::string Shown(const std::string& escaped) {
  std::string shown;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] == '\\') {
      if (++i == escaped.size()) return "?";
    } else if (std::string_view("*_~`|<[]").find(escaped[i]) != std::string_view::npos) {
      return "?";
    }
    shown += escaped[i];
  }
  return shown;
}

}  // namespace

TEST_CASE("Escape shows text as it is") {
  CHECK(kDialect.Escape("") == "");
  CHECK(kDialect.Escape("api is running (pid 12)") == "api is running (pid 12)");
  CHECK(kDialect.Escape("snake_case *x* ~~y~~ `z` ||s||") ==
        "snake\\_case \\*x\\* \\~\\~y\\~\\~ \\`z\\` \\|\\|s\\|\\|");
  CHECK(kDialect.Escape("a\\b") == "a\\\\b");
  CHECK(kDialect.Escape("# big") == "\\# big");
  CHECK(kDialect.Escape("  > quote > no") == "  \\> quote > no");
  CHECK(kDialect.Escape("- item - no") == "\\- item - no");
  CHECK(kDialect.Escape("12. item 3. no") == "12\\. item 3. no");
  CHECK(kDialect.Escape("v1.2.") == "v1.2.");
  CHECK(kDialect.Escape("a\nb") == "a b");
  CHECK(kDialect.Escape("see https://x/a_b") == "see https:\\//x/a\\_b");
  CHECK(kDialect.Escape("mail a@b.c") == "mail a@b.c");
  CHECK(kDialect.Escape("@everyone @Here") == "@" + kBreak + "everyone @" + kBreak + "Here");
  CHECK(kDialect.Escape("<@12>") == "\\<" + kBreak + "@12>");
  CHECK(kDialect.Escape("[x](https://y)") == "\\[x\\](https:\\//y)");
}

TEST_CASE("no text can act as markup or mention through Escape or Bold") {
  std::mt19937 random(1);
  for (int round = 0; round < 10000; ++round) {
    const std::string text = Loaded(random);
    CAPTURE(text);
    const std::string escaped = kDialect.Escape(text);
    CHECK_FALSE(Has(escaped, "@everyone"));
    CHECK_FALSE(Has(base::ToLowerAscii(escaped), "@here"));
    CHECK_FALSE(Has(escaped, "<@"));
    CHECK_FALSE(Has(escaped, "\n"));
    std::string plain = text;
    for (char& c : plain) c = c == '\n' || c == '\r' ? ' ' : c;
    CHECK(Without(Shown(escaped), kBreak) == Without(plain, kBreak));
    if (text.empty()) {
      CHECK(kDialect.Bold(text).empty());
    } else {
      CHECK(kDialect.Bold(text) == "**" + escaped + "**");
    }
  }
}

TEST_CASE("Code is one span whatever it holds") {
  CHECK(kDialect.Code("ls -l") == "`ls -l`");
  CHECK(kDialect.Code("").empty());
  CHECK(kDialect.Code("a`b") == "`` a`b ``");
  CHECK(kDialect.Code("```") == "`` `" + kBreak + "`" + kBreak + "` ``");
  std::mt19937 random(2);
  for (int round = 0; round < 10000; ++round) {
    const std::string text = Loaded(random);
    const std::string code = kDialect.Code(text);
    if (text.empty()) continue;
    CAPTURE(code);
    const std::string fence = code.starts_with("`` ") ? "`` " : "`";
    const std::string inside = code.substr(fence.size(), code.size() - 2 * fence.size());
    CHECK_FALSE(Has(inside, fence == "`" ? "`" : "``"));
    CHECK_FALSE(Has(inside, "\n"));
    CHECK(code.ends_with(fence == "`" ? "`" : " ``"));
  }
}

TEST_CASE("a block cannot be ended from inside, wherever it is cut") {
  CHECK(kDialect.Fence("x") == "```\nx\n```");
  std::mt19937 random(3);
  for (int round = 0; round < 10000; ++round) {
    const std::string text = Loaded(random);
    const std::string escaped = kDialect.EscapeForBlock(text);
    CHECK(Without(escaped, kBreak) == Without(text, kBreak));
    const std::string_view tail = base::LastRunes(escaped, random() % (base::RuneCount(escaped) + 1));
    const std::string block = kDialect.Fence(tail);
    CHECK(block.find("```", 3) == block.size() - 3);
  }
}

TEST_CASE("a link keeps its text and address apart") {
  CHECK(kDialect.Link("abc123", "https://git/x") == "[abc123](<https://git/x>)");
  CHECK(kDialect.Link("a]b", "https://git/x y>)\"") == "[a\\]b](<https://git/x%20y%3E%29%22>)");
  CHECK(kDialect.Link("a", "javascript:x") == "a");
  CHECK(kDialect.Link("a", "https://h/\xC3\xA9") == "[a](<https://h/%C3%A9>)");
}

TEST_CASE("a message that was too long becomes shorter by any count, and a block keeps its end") {
  CHECK(ShorterText("short", 100) == "short");
  const std::string plain = ShorterText(std::string(3000, 'x'), 100);
  CHECK(plain == std::string(88, 'x') + " (shortened)");
  std::string smiles;
  for (int i = 0; i < 1000; ++i) smiles += "\xF0\x9F\x98\x80";
  CHECK(base::RuneCount(ShorterText(smiles, 100)) == 44 + 12);
  const std::string block = ShorterText("head\n```\n" + smiles + "end\n```", 100);
  CHECK(block.starts_with("head\n```\n(shortened)\n"));
  CHECK(block.ends_with("end\n```"));
  CHECK(base::IsValidUtf8(block));
  CHECK(base::RuneCount(block) <= 100);
  const std::string long_head = ShorterText(std::string(300, 'h') + "\n```\nx\n```", 100);
  CHECK(long_head == std::string(88, 'h') + " (shortened)");
  CHECK(ShorterText("```\n```" + std::string(200, 'x'), 100).size() <= 100);
}
