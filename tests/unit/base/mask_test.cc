#include "base/mask.h"

#include <doctest/doctest.h>

#include <random>

using namespace shipmate::base;

TEST_CASE("Masker hides every known secret, the longest first") {
  Masker masker;
  masker.Add(Secret("token-12345"));
  masker.Add(Secret("token-12345-longer"));
  masker.Add(Secret("abc"));
  CHECK(masker.Mask("a token-12345-longer b token-12345 c abc") == "a *** b *** c abc");
}

TEST_CASE("Masker hides the user info of URLs") {
  const Masker masker;
  CHECK(masker.Mask("git clone https://user:tok@host/x") == "git clone https://***@host/x");
  CHECK(masker.Mask("see https://host/a@b and mail@x") == "see https://host/a@b and mail@x");
  CHECK(masker.Mask("ssh://git@host") == "ssh://***@host");
  CHECK(masker.Mask("broken :// end://") == "broken :// end://");
}

TEST_CASE("Masker hides what has the shape of a token") {
  const Masker masker;
  const std::string run = "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8";
  for (const std::string& token :
       {"ghp_" + run, "github_pat_11" + run + "_" + run, "glpat-" + run, "xoxb-1234-5678-" + run,
        std::string("AKIAIOSFODNN7EXAMPLE"), "AIza" + run, "sk_live_" + run, "npm_" + run,
        std::string("MTE0MDAwMDAwMDAwMDAwMDAwMQ.GhZxYq.") + run + run.substr(0, 2),
        "eyJhbGciOiJIUzI1NiJ9." + run + "." + run, "sk-ant-api03-" + run}) {
    CAPTURE(token);
    CHECK(masker.Mask(token) == "***");
    CHECK(masker.Mask("key=" + token + ", next") == "key=***, next");
    CHECK(masker.Mask("(" + token + ")\n" + token) == "(***)\n***");
    CHECK(masker.Mask("Bearer:" + token) == "Bearer:***");
  }
}

TEST_CASE("Masker leaves what only looks a little like a token") {
  const Masker masker;
  for (const std::string text :
       {"ghp_short", "the-AKIA-of-things", "xAKIAIOSFODNN7EXAMPLE", "deadbeefcafedeadbeefcafedeadbeefcafe1234",
        "service.example.internal.with.a.long.name", "2026-11-25T08:26:41.123456789Z", "sk_live_", "eyJ.a.b", "MNO.x.y",
        "/usr/lib/python3/dist-packages/foo_bar-1.2.3.whl",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"}) {
    CHECK(masker.Mask(text) == text);
  }
}

TEST_CASE("Masker hides the inside of a private key, also of one that is cut") {
  const Masker masker;
  const std::string begin = "-----BEGIN RSA PRIVATE KEY-----";
  const std::string end = "-----END RSA PRIVATE KEY-----";
  CHECK(masker.Mask("a\n" + begin + "\nMIIE\nabcd\n" + end + "\nb") == "a\n" + begin + "\n***\n" + end + "\nb");
  CHECK(masker.Mask(begin + "\nMIIE") == begin + "\n***\n");
  CHECK(masker.Mask("-----BEGIN ") == "-----BEGIN ");
  // The end of a log may begin in the middle of a key.
  CHECK(masker.Mask("abcd/+ef\nghij==\n" + end + "\nb") == "***\n" + end + "\nb");
  CHECK(masker.Mask("loading key: abcd/+ef\nghij==\n" + end) == "loading key: \n***\n" + end);
  CHECK(masker.Mask(begin + "\nA\n" + end + "\n" + begin + "\nB\n" + end) ==
        begin + "\n***\n" + end + "\n" + begin + "\n***\n" + end);
}

TEST_CASE("whatever is around them, secrets are hidden and nothing else is") {
  Masker masker;
  masker.Add(Secret("hunter2-hunter2"));
  masker.Add(Secret("pass word"));
  const std::string run = "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8";
  struct Piece {
    std::string text;
    std::string shown;
  };
  const Piece pieces[] = {{"hunter2-hunter2", "***"},
                          {"pass word", "***"},
                          {"ghp_" + run, "***"},
                          {"glpat-" + run.substr(0, 20), "***"},
                          {"eyJhbGciOiJIUzI1NiJ9." + run + "." + run, "***"},
                          {"https://me:pw@host/x", "https://***@host/x"},
                          {"plain", "plain"},
                          {"\u4e16\u754c", "\u4e16\u754c"},
                          {"ghp_short", "ghp_short"},
                          {"-----", "-----"},
                          {"a.b-c_d", "a.b-c_d"},
                          {"://", "://"}};
  const std::string gaps[] = {" ", "\n", "\t", ", ", "'"};
  std::mt19937 random(11);
  for (int round = 0; round < 10'000; ++round) {
    std::string text;
    std::string shown;
    for (std::size_t i = random() % 12; i > 0; --i) {
      const Piece& piece = pieces[random() % std::size(pieces)];
      const std::string& gap = gaps[random() % std::size(gaps)];
      text += piece.text + gap;
      shown += piece.shown + gap;
    }
    CAPTURE(text);
    REQUIRE(masker.Mask(text) == shown);
    REQUIRE(masker.Mask(shown) == shown);
  }
}

TEST_CASE("a long line of what could begin a token takes no time to speak of") {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "eyJ-MNO-";
  CHECK(Masker().Mask(text) == text);
}

TEST_CASE("Masker is quick where one secret stands often") {
  Masker masker;
  masker.Add(Secret("hunter2"));
  std::string text;
  std::string expected;
  for (int i = 0; i < 200000; ++i) {
    text += "hunter2 ";
    expected += "*** ";
  }
  CHECK(masker.Mask(text) == expected);
}
