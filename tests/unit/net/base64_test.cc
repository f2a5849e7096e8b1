#include "net/base64.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>

using shipmate::net::Base64Decode;
using shipmate::net::Base64Encode;

TEST_CASE("the values of RFC 4648 section 10, both ways") {
  const std::pair<const char*, const char*> cases[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : cases) {
    CHECK(Base64Encode(bytes) == text);
    CHECK(Base64Decode(text).value() == bytes);
  }
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  CHECK(Base64Decode(Base64Encode(all)).value() == all);
}

TEST_CASE("what is not base64 is refused") {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "====", "Z===", "Zm9v ", " Zm9v", "Zm9v\n", "Zm-_",
                           "Zm9v=", "Zh==", "Zm9=", "Z=g="}) {
    CAPTURE(std::string(text));
    CHECK_FALSE(Base64Decode(text).has_value());
  }
}
