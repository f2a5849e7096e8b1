#include "base/mask.h"

#include <doctest/doctest.h>

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
