// `health:`, `after:` and `requires:` of service files.

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "config/load.h"
#include "support.h"

using namespace shipmate::config;
using shipmate::tests::TempDir;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const std::string kRuns = "entrypoint: [run]\ndir: /srv\n";

HealthConfig Good(const std::string& health) {
  const TempDir dir;
  dir.Write("x.yaml", kRuns + "health:\n" + health);
  const auto result = LoadServices(dir.Path(), "/srv");
  if (!result) FAIL(result.error().front());
  return result->value.at(0).health.value();
}

std::vector<std::string> FoundIn(const TempDir& dir) {
  const auto result = LoadServices(dir.Path(), "/srv");
  if (result) return {"(accepted)"};
  std::vector<std::string> problems = result.error();
  for (std::string& problem : problems) {
    const std::string path = dir.Path() + "/";
    if (const auto at = problem.find(path); at != std::string::npos) problem.erase(at, path.size());
  }
  return problems;
}

std::vector<std::string> Bad(const std::string& health) {
  const TempDir dir;
  dir.Write("x.yaml", kRuns + "health:\n" + health);
  return FoundIn(dir);
}

using List = std::vector<std::string>;

}  // namespace

TEST_CASE("health: what is probed, and the usual times") {
  const HealthConfig http = Good("  http: http://127.0.0.1:8080/health?a=b\n");
  CHECK(http.kind == HealthConfig::Kind::kHttp);
  CHECK(http.url == "http://127.0.0.1:8080/health?a=b");
  CHECK(http.status == 0);
  CHECK(http.interval == seconds(10));
  CHECK(http.timeout == seconds(2));
  CHECK(http.start_period == seconds(30));
  CHECK(http.threshold == 3);
  CHECK(http.on_unhealthy == HealthConfig::OnUnhealthy::kReport);

  const HealthConfig tcp = Good(
      "  tcp: '[::1]:5432'\n  interval: 1m\n  timeout: 500ms\n  start_period: 5\n  threshold: 1\n  on_unhealthy: "
      "restart\n");
  CHECK(tcp.kind == HealthConfig::Kind::kTcp);
  CHECK(tcp.host == "::1");
  CHECK(tcp.port == 5432);
  CHECK(tcp.interval == seconds(60));
  CHECK(tcp.timeout == milliseconds(500));
  CHECK(tcp.start_period == seconds(5));
  CHECK(tcp.threshold == 1);
  CHECK(tcp.on_unhealthy == HealthConfig::OnUnhealthy::kRestart);

  CHECK(Good("  exec: [pg_isready, -q]\n").exec == List{"pg_isready", "-q"});
  CHECK(Good("  http: https://example.org\n  status: 204\n").status == 204);
}

TEST_CASE("health: every wrong key with its place and its range") {
  CHECK(Bad("  interval: 1s\n") == List{"x.yaml:4:3: health: needs one of http, tcp and exec"});
  CHECK(Bad("  http: http://a\n  tcp: a:1\n") ==
        List{"x.yaml:5:3: health: takes one of http, tcp and exec; remove the others"});
  CHECK(Bad("  htp: http://a\n").back() == R"(x.yaml:4:3: unknown key "htp" in health (did you mean "http"?))");
  for (const std::string url : {"ftp://a", "127.0.0.1:80", "http://", "http://a:0/", "http://a:70000", "http://u@a/",
                                "'http://a b'", "http://a/#x"}) {
    CAPTURE(url);
    const List problems = Bad("  http: " + url + "\n");
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].starts_with("x.yaml:4:9: health.http: expected a URL such as"));
  }
  for (const std::string address : {"localhost", "a:0", "a:x", "':80'", "'::1:80'", "http://a:80"}) {
    CAPTURE(address);
    const List problems = Bad("  tcp: " + address + "\n");
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].starts_with("x.yaml:4:8: health.tcp: expected host:port"));
  }
  CHECK(Bad("  exec: []\n") == List{"x.yaml:4:9: health.exec: the program is empty"});
  CHECK(Bad("  exec: run me\n").size() == 1);
  CHECK(Bad("  tcp: a:1\n  status: 200\n") == List{"x.yaml:5:3: health.status: is for http alone"});
  CHECK(Bad("  tcp: a:1\n  on_unhealthy: kill\n") ==
        List{R"(x.yaml:5:17: health.on_unhealthy: expected "report" or "restart", found "kill")"});
  for (const std::string wrong : {"interval: 0", "interval: 2h", "timeout: 5ms", "timeout: 2m", "start_period: 0s",
                                  "threshold: 0", "threshold: 101", "status: 99"}) {
    CAPTURE(wrong);
    const List problems = Bad("  http: http://a\n  " + wrong + "\n");
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].starts_with("x.yaml:5:"));
    CHECK(problems[0].find("health." + wrong.substr(0, wrong.find(':'))) != std::string::npos);
  }
  const TempDir dir;
  dir.Write("x.yaml", "type: none\ndir: /srv\nhealth:\n  tcp: a:1\n");
  CHECK(FoundIn(dir) == List{"x.yaml:3:1: health: has nothing to look at: `type: none` runs nothing"});
}

TEST_CASE("after and requires: names of services that run") {
  const TempDir dir;
  dir.Write("api.yaml", kRuns + "after: [cache]\nrequires:\n  - db\n");
  dir.Write("cache.yaml", kRuns);
  dir.Write("db.yaml", kRuns);
  const auto loaded = LoadServices(dir.Path(), "/srv");
  REQUIRE(loaded.has_value());
  CHECK(loaded->value[0].after == List{"cache"});
  CHECK(loaded->value[0].requires_services == List{"db"});

  dir.Write("tool.yaml", "type: none\ndir: /srv\n");
  dir.Write("api.yaml", kRuns + "after: [cahce, tool]\nrequires: [db, nowhere, db]\n");
  CHECK(FoundIn(dir) == List{R"(api.yaml:4:25: requires: names "db" twice)",
                             R"(api.yaml:3:9: after: no service is called "cahce" (did you mean "cache"?))",
                             R"(api.yaml:3:16: after: "tool" runs nothing (`type: none`))",
                             R"(api.yaml:4:16: requires: no service is called "nowhere")"});
}

TEST_CASE("after and requires: a file that is faulty for another reason still counts as a service") {
  const TempDir dir;
  dir.Write("api.yaml", kRuns + "requires: [db]\n");
  dir.Write("db.yaml", "entrypont: [run]\n");
  const List problems = FoundIn(dir);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].find("entrypont") != std::string::npos);
}

TEST_CASE("after and requires: a circle is named once, with its path") {
  const TempDir dir;
  dir.Write("api.yaml", kRuns + "requires: [db]\n");
  dir.Write("db.yaml", kRuns + "after: [disk, api]\n");
  dir.Write("disk.yaml", kRuns);
  dir.Write("web.yaml", kRuns + "after: [api, web]\n");
  CHECK(FoundIn(dir) == List{"db.yaml:3:15: after: goes round in a circle: api -> db -> api; remove one of these",
                             "web.yaml:3:14: after: goes round in a circle: web -> web; remove one of these"});
}

TEST_CASE("what guides Shipmate alone needs no restart") {
  ServiceConfig before;
  before.name = "api";
  ServiceConfig after = before;
  after.health.emplace().url = "http://a";
  after.after = {"db"};
  after.requires_services = {"db"};
  CHECK(before.RunsAlike(after));
  CHECK_FALSE(before == after);
}
