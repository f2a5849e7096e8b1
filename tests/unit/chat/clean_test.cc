#include "chat/clean.h"

#include <doctest/doctest.h>

#include "base/text.h"

namespace shipmate::chat {
namespace {

TEST_CASE("colours, cursor movements and titles are taken out of program output") {
  CHECK(CleanBlock("\x1b[1;31mred\x1b[0m text") == "red text");
  CHECK(CleanBlock("\x1b[2J\x1b[Hclean") == "clean");
  CHECK(CleanBlock("\x1b]0;title\x07shown") == "shown");
  CHECK(CleanBlock("\x1b]52;c;c2VjcmV0\x1b\\shown") == "shown");
  CHECK(CleanBlock("\x1bPq#0\x1b\\shown") == "shown");
  CHECK(CleanBlock("\x1b(Bplain\x1b=") == "plain");
  CHECK(CleanBlock("\xc2\x9b"
                   "31mC1") == "C1");
  CHECK(CleanBlock("\xc2\x9d"
                   "0;t\xc2\x9c"
                   "C1") == "C1");
}

TEST_CASE("an unfinished sequence swallows no more than its line") {
  CHECK(CleanBlock("a\x1b") == "a");
  CHECK(CleanBlock("a\x1b[31") == "a");
  CHECK(CleanBlock("a\x1b]0;never ended\nnext") == "a\nnext");
  CHECK(CleanBlock("\x1b[3\nnext") == "\nnext");
}

TEST_CASE("a carriage return hides nothing") {
  CHECK(CleanBlock("one\r\ntwo\r\n") == "one\ntwo");
  CHECK(CleanBlock("ERROR: broken\rall is well") == "ERROR: broken\nall is well");
  CHECK(CleanBlock("one\r\r\ntwo") == "one\ntwo");
}

TEST_CASE("control characters vanish, line ends and tabs stay") {
  CHECK(CleanBlock(std::string_view("a\0b\a\b\v\f\x7f"
                                    "c\td\ne",
                                    13)) == "abc\td\ne");
  CHECK(CleanBlock("x\n\n\n") == "x");
  CHECK(CleanBlock("") == "");
}

TEST_CASE("invalid bytes become the replacement character, what follows is kept") {
  CHECK(CleanBlock("GET /..\xc1\x1c..\nafter") == "GET /..\ufffd..\nafter");
  CHECK(CleanBlock(std::string_view("\xff\xfe\0\nafter", 9)) == "\ufffd\ufffd\nafter");
  CHECK(CleanBlock("\x9b"
                   "31m") == "\ufffd31m");
}

TEST_CASE("characters that reorder text are shown, not obeyed") {
  CHECK(CleanBlock("a\u202eb") == "a\\u202eb");
  CHECK(CleanBlock("a\u2066b\u2069") == "a\\u2066b\\u2069");
  CHECK(CleanBlock("a\u2028b") == "a\\u2028b");
  CHECK(CleanBlock("\U0001F468\u200d\U0001F469") == "\U0001F468\u200d\U0001F469");
}

TEST_CASE("the last lines") {
  CHECK(LastLines("a\nb\nc", 2) == "b\nc");
  CHECK(LastLines("a\nb\nc\n", 2) == "b\nc\n");
  CHECK(LastLines("a\nb", 5) == "a\nb");
  CHECK(LastLines("a\nb", 0) == "");
  CHECK(LastLines("", 3) == "");
  CHECK(LastLines("\n\n", 1) == "\n");
  CHECK(CountLines("") == 0);
  CHECK(CountLines("a") == 1);
  CHECK(CountLines("a\n") == 1);
  CHECK(CountLines("a\nb") == 2);
}

TEST_CASE("an echo is quoted and short") {
  CHECK(QuoteShort("api") == "\"api\"");
  CHECK(QuoteShort("a\"b\n") == "\"a\\\"b\\n\"");
  CHECK(QuoteShort("") == "\"\"");
  const std::string full(62, 'x');
  CHECK(QuoteShort(full) == "\"" + full + "\"");
  for (const std::string& unit :
       {std::string("x"), std::string("\u202e"), std::string("\""), std::string("\U0001F600")}) {
    std::string text;
    while (text.size() < 4000) text += unit;
    const std::string quoted = QuoteShort(text);
    CHECK(base::RuneCount(quoted) <= 64);
    CHECK(base::RuneCount(quoted) >= 54);
    CHECK(quoted.ends_with("...\""));
  }
}

TEST_CASE("shortening keeps whole code points") {
  CHECK(Shorten("hello", 5) == "hello");
  CHECK(Shorten("hello!", 5) == "he...");
  CHECK(Shorten("\u00e9\u00e9\u00e9\u00e9\u00e9", 4) == "\u00e9...");
}

}  // namespace
}  // namespace shipmate::chat
