#include "webhook/secrets.h"

#include <doctest/doctest.h>

#include <string>

#include "net/hmac.h"

using namespace shipmate;
using base::Secret;
using webhook::Secrets;
using webhook::SplitSecrets;

TEST_CASE("several secrets stand in one setting") {
  CHECK(SplitSecrets(Secret()).empty());
  CHECK(SplitSecrets(Secret(" , ,")).empty());
  CHECK(SplitSecrets(Secret("new one, old ,,x")) == std::vector<Secret>{Secret("new one"), Secret("old"), Secret("x")});
  CHECK(Secrets(Secret(",")).Empty());
  CHECK(Secrets(Secret()).Shortest() == 0);
  CHECK(Secrets(Secret("four,seven77")).Shortest() == 4);
}

TEST_CASE("a body is signed under any of them, to the bit") {
  Secrets secrets(Secret("new,old"));
  const std::string body = "{\"ref\":\"\xF0\x9F\x9A\x80\"}\r\n";
  for (const std::string key : {"new", "old"}) {
    const std::string good = net::HmacSha256Hex(key, body);
    CHECK(secrets.SignedHex(good, body));
    std::string upper = good;
    for (char& c : upper) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
    CHECK(secrets.SignedHex(upper, body));
    for (std::size_t i = 0; i < body.size() * 8; ++i) {
      std::string flipped = body;
      flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << (i % 8)));
      CHECK_FALSE(secrets.SignedHex(good, flipped));
    }
    for (std::size_t i = 0; i < good.size(); ++i) {
      std::string wrong = good;
      wrong[i] = wrong[i] == '0' ? '1' : '0';
      CHECK_FALSE(secrets.SignedHex(wrong, body));
    }
  }
  CHECK_FALSE(secrets.SignedHex(net::HmacSha256Hex("new,old", body), body));
  CHECK_FALSE(secrets.SignedHex(net::HmacSha256Hex("", body), body));
  CHECK_FALSE(secrets.SignedHex("", body));
  CHECK_FALSE(Secrets(Secret()).SignedHex(net::HmacSha256Hex("", body), body));
}

TEST_CASE("a token is one of them, whole") {
  const Secrets secrets(Secret("new,old"));
  CHECK(secrets.Contain("new"));
  CHECK(secrets.Contain("old"));
  for (const char* token : {"", "ne", "neww", "new,old", " new", "NEW"}) CHECK_FALSE(secrets.Contain(token));
  CHECK_FALSE(Secrets(Secret()).Contain(""));
}
