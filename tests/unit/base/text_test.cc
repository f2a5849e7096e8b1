#include "base/text.h"

#include <doctest/doctest.h>

using namespace shipmate::base;

TEST_CASE("RepairUtf8 replaces each invalid byte and keeps the rest") {
  CHECK(RepairUtf8("plain") == "plain");
  CHECK(RepairUtf8("GET /..\xc1\x1c..") == "GET /..\xEF\xBF\xBD\x1c..");
  CHECK(RepairUtf8("\xff\xfe") == "\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(RepairUtf8("\xed\xa0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");                  // a surrogate
  CHECK(RepairUtf8("\xf4\x90\x80\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // over U+10FFFF
  CHECK(RepairUtf8("é世😀") == "é世😀");
  CHECK(IsValidUtf8("é世😀"));
  CHECK_FALSE(IsValidUtf8("\xe4\xb8"));
}

TEST_CASE("runes are counted and cut whole") {
  CHECK(RuneCount("") == 0);
  CHECK(RuneCount("aé世😀") == 4);
  CHECK(RuneCount("\xff\xff") == 2);
  CHECK(LastRunes("aé世😀", 2) == "世😀");
  CHECK(LastRunes("ab", 5) == "ab");
  CHECK(FirstRunes("aé世😀", 2) == "aé");
}

TEST_CASE("Quote follows Go's %q and shows what is invisible") {
  CHECK(Quote("api") == "\"api\"");
  CHECK(Quote("a\"b\\c") == R"("a\"b\\c")");
  CHECK(Quote("a\nb\x1b") == R"("a\nb\x1b")");
  CHECK(Quote("\xff") == R"("\xff")");
  CHECK(Quote("a\u202Eb") == R"("a\u202eb")");
  CHECK(Quote("a\u00A0b") == R"("a\u00a0b")");
  CHECK(Quote("é") == "\"é\"");
  CHECK(EscapeNonAscii("аpi") == R"(\u0430pi)");
  CHECK(EscapeControls("one\ntwo\x9b") == R"(one\ntwo\x9b)");
}

TEST_CASE("Trim, Split, ToLowerAscii") {
  CHECK(Trim("  a b\t\n") == "a b");
  CHECK(Trim(" \t ").empty());
  CHECK(Split("a,b,,c", ',').size() == 4);
  CHECK(Split("", ',').size() == 1);
  CHECK(ToLowerAscii("DEPLOY Ä") == "deploy Ä");
}

TEST_CASE("Nearest suggests what was probably meant") {
  CHECK(EditDistance("restart", "restrat", 3) == 1);
  CHECK(EditDistance("abc", "xyz", 2) == 3);
  CHECK(Nearest("restrat", {"status", "restart", "start"}) == "restart");
  CHECK(Nearest("DEPLYO", {"deploy", "status"}) == "deploy");
  CHECK(Nearest("banana", {"deploy", "status"}).empty());
}

TEST_CASE("GlobMatch matches whole names") {
  CHECK(GlobMatch("web*", "web-1"));
  CHECK(GlobMatch("*", "x"));
  CHECK(GlobMatch("w?b", "web"));
  CHECK_FALSE(GlobMatch("web", "web-1"));
  CHECK_FALSE(GlobMatch("*a", "ab"));
  CHECK(GlobMatch("*a*b*c", "xxaxxbxxc"));
}
