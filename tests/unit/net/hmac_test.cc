#include "net/hmac.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>

#include "net/http_types.h"

using namespace shipmate::net;

TEST_CASE("HmacSha256Hex gives the values of RFC 4231") {
  CHECK(HmacSha256Hex(std::string(20, '\x0b'), "Hi There") ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(HmacSha256Hex("Jefe", "what do ya want for nothing?") ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(HmacSha256Hex(std::string(20, '\xaa'), std::string(50, '\xdd')) ==
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  std::string key;
  for (char c = 1; c <= 25; ++c) key += c;
  CHECK(HmacSha256Hex(key, std::string(50, '\xcd')) ==
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
  CHECK(HmacSha256Hex(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First") ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  CHECK(HmacSha256Hex(std::string(131, '\xaa'),
                      "This is a test using a larger than block-size key and a larger than block-size data. The key "
                      "needs to be hashed before being used by the HMAC algorithm.") ==
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

TEST_CASE("hashes of nothing") {
  CHECK(HmacSha256Hex({}, {}) == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
  CHECK(Sha256Hex({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(Sha256Hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("one key signs many messages alike") {
  HmacKey key("Jefe");
  const std::string first = ToHex(key.Sign("what do ya want for nothing?"));
  CHECK(first == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(ToHex(key.Sign({})) == HmacSha256Hex("Jefe", {}));
  CHECK(ToHex(key.Sign(std::string(100'000, 'x'))) == HmacSha256Hex("Jefe", std::string(100'000, 'x')));
  CHECK(ToHex(key.Sign("what do ya want for nothing?")) == first);
  HmacKey moved = std::move(key);
  CHECK(ToHex(moved.Sign("what do ya want for nothing?")) == first);
  CHECK(ToHex(Sha256("abc")) == Sha256Hex("abc"));
}

TEST_CASE("EqualConstantTime compares every byte and the length") {
  CHECK(EqualConstantTime("", ""));
  CHECK(EqualConstantTime("abc", "abc"));
  CHECK_FALSE(EqualConstantTime("abc", "abd"));
  CHECK_FALSE(EqualConstantTime("xbc", "abc"));
  CHECK_FALSE(EqualConstantTime("abc", "ab"));
  CHECK_FALSE(EqualConstantTime("", "a"));
  CHECK_FALSE(EqualConstantTime(std::string("a\0b", 3), std::string("a\0c", 3)));
}

TEST_CASE("Headers compare names without regard to case, in order") {
  Headers headers{{"X-One", "1"}, {"Set-Cookie", "a"}};
  headers.Add("set-cookie", "b");
  CHECK(headers.Get("x-ONE") == "1");
  CHECK(headers.Get("Set-Cookie") == "a");
  CHECK(headers.Count("SET-COOKIE") == 2);
  CHECK(headers.Has("x-one"));
  CHECK_FALSE(headers.Has("x-two"));
  CHECK(headers.Get("x-two").empty());
}
