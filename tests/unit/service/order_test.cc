#include "service/order.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

using namespace shipmate;
using service::Step;

namespace {

using Names = std::vector<std::string>;

config::ServiceConfig Node(std::string name, Names after, Names required) {
  config::ServiceConfig node;
  node.name = std::move(name);
  node.after = std::move(after);
  node.requires_services = std::move(required);
  return node;
}

}  // namespace

TEST_CASE("order: each after what it names; what is required must go well") {
  const std::vector<config::ServiceConfig> services{Node("api", {"cache"}, {"db"}), Node("cache", {}, {}),
                                                    Node("db", {"disk"}, {}), Node("disk", {}, {}),
                                                    Node("web", {"gone"}, {"api"})};
  CHECK(service::StartOrder(services) == std::vector<Step>{{.name = "cache"},
                                                           {.name = "disk"},
                                                           {.name = "db", .wait_for = {1}},
                                                           {.name = "api", .wait_for = {0, 2}, .needs = {2}},
                                                           {.name = "web", .wait_for = {3}, .needs = {3}}});
  CHECK(service::StopOrder(services) == std::vector<Step>{{.name = "web"},
                                                          {.name = "api", .wait_for = {0}},
                                                          {.name = "db", .wait_for = {1}},
                                                          {.name = "disk", .wait_for = {2}},
                                                          {.name = "cache", .wait_for = {1}}});
}

TEST_CASE("order: nothing to order") {
  CHECK(service::StartOrder({}).empty());
  CHECK(service::StopOrder({}).empty());
  CHECK(service::StartOrder({Node("b", {}, {}), Node("a", {}, {})}) == std::vector<Step>{{.name = "b"}, {.name = "a"}});
}

TEST_CASE("order: named twice is waited for once") {
  CHECK(service::StartOrder({Node("api", {"db"}, {"db"}), Node("db", {}, {})}) ==
        std::vector<Step>{{.name = "db"}, {.name = "api", .wait_for = {0}, .needs = {0}}});
}

TEST_CASE("order: of a circle one wish is dropped") {
  CHECK(service::StartOrder({Node("a", {}, {"b"}), Node("b", {}, {"a"}), Node("c", {"c"}, {})}) ==
        std::vector<Step>{{.name = "b"}, {.name = "a", .wait_for = {0}, .needs = {0}}, {.name = "c"}});
}

TEST_CASE("order: a long chain") {
  std::vector<config::ServiceConfig> chain;
  constexpr int kLength = 1000;
  for (int i = 0; i < kLength; ++i) {
    chain.push_back(Node(std::to_string(i), {}, i + 1 < kLength ? Names{std::to_string(i + 1)} : Names{}));
  }
  const auto steps = service::StartOrder(chain);
  REQUIRE(steps.size() == kLength);
  CHECK(steps.front().name == "999");
  CHECK(steps.back().name == "0");
  CHECK(service::WithRequired(chain, "990").size() == 10);
}

TEST_CASE("order: what a start brings along, and who is left without") {
  const std::vector<config::ServiceConfig> services{Node("api", {"cache"}, {"db"}), Node("db", {}, {"disk"}),
                                                    Node("web", {}, {"api", "db"}), Node("disk", {}, {"gone"})};
  CHECK(service::WithRequired(services, "api") == Names{"api", "db", "disk", "gone"});
  CHECK(service::WithRequired(services, "x") == Names{"x"});
  CHECK(service::Dependants(services, "db") == Names{"api", "web"});
  CHECK(service::Dependants(services, "web").empty());
}
