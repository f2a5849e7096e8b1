#include "platforms/mattermost/places.h"

#include <doctest/doctest.h>

#include <string>

using namespace shipmate;
using namespace shipmate::platforms::mattermost;

TEST_CASE("a place is known by its name at once, by its id when the server has told it") {
  const Places places(
      {{.id = "ops/deploys", .services = {}, .notices = {}}, {.id = "c2", .services = {}, .notices = {}}});
  REQUIRE(places.ByName("ops/deploys") != nullptr);
  CHECK(places.ByName("deploys") == nullptr);
  CHECK(places.ById("c1") == nullptr);
  CHECK(places.ById("") == nullptr);
  places.ByName("ops/deploys")->id = "c1";
  CHECK(places.ById("c1") == places.ByName("ops/deploys"));
}

TEST_CASE("how far a place was read never goes back") {
  Place place;
  CHECK(place.Advance({.id = "b", .create_at = 5}));
  CHECK_FALSE(place.Advance({.id = "a", .create_at = 4}));
  CHECK(place.cursor == "b");
  CHECK(place.Advance({.id = "c", .create_at = 5}));
  CHECK(place.cursor == "c");
}

TEST_CASE("direct channels are added once, and the oldest is forgotten; channels of the configuration never") {
  Places places({{.id = "ops/deploys", .services = {}, .notices = {}}});
  const auto first = places.AddDirect("d0");
  CHECK(first->direct);
  CHECK(places.AddDirect("d0") == first);
  for (std::size_t i = 1; i <= Places::kDirect; ++i) places.AddDirect("d" + std::to_string(i));
  CHECK(places.ById("d0") == nullptr);
  CHECK(places.ById("d1") != nullptr);
  CHECK(places.ByName("ops/deploys") != nullptr);
  CHECK(places.All().size() == Places::kDirect + 1);
  // Whoever still holds it may go on.
  CHECK(first->name == "d0");
}
