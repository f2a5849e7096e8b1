#include "webhook/push_rules.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/text.h"

using namespace shipmate;
using webhook::Judge;
using webhook::ListHolds;
using webhook::PathMatches;
using webhook::Push;

namespace {

config::ServiceConfig Service() {
  config::ServiceConfig service;
  service.name = "api";
  service.repo = "github.com/acme/app";
  service.branch = "main";
  return service;
}

Push PushTo(const std::string& ref) {
  Push push;
  SetRef(push, ref);
  push.info.repo = "acme/app";
  push.repo_address = "https://github.com/acme/app.git";
  push.files_known = true;
  return push;
}

std::string Why(const Push& push, const config::ServiceConfig& service) {
  const auto ruling = Judge(push, service);
  if (!ruling) return "(other repository)";
  return ruling->deploys ? "(deploys)" : ruling->why;
}

}  // namespace

TEST_CASE("the branch, compared whole") {
  CHECK(Why(PushTo("refs/heads/main"), Service()) == "(deploys)");
  CHECK(Why(PushTo("refs/heads/dev"), Service()) == "branch dev, service deploys main");
  CHECK(Why(PushTo("refs/heads/mainline"), Service()) == "branch mainline, service deploys main");
  CHECK(Why(PushTo("refs/heads/Main"), Service()) == "branch Main, service deploys main");
  CHECK(Why(PushTo("main"), Service()) == "main is neither a branch nor a tag");
  CHECK(Why(PushTo("refs/notes/commits"), Service()) == "refs/notes/commits is neither a branch nor a tag");
  CHECK(Why(PushTo("refs/heads/"), Service()) == "branch , service deploys main");
  config::ServiceConfig deep = Service();
  deep.branch = "feature/deploy-v2";
  CHECK(Why(PushTo("refs/heads/feature/deploy-v2"), deep) == "(deploys)");
  deep.branch = "";
  CHECK(Why(PushTo("refs/heads/"), deep) == "branch , service deploys no branch");
}

TEST_CASE("a branch that carries what a shell would run only fits its own name") {
  for (const char* name : {"$(touch /tmp/x)", "`id`", "main;id", "--upload-pack=x", "main\nid"}) {
    CHECK(Why(PushTo("refs/heads/" + std::string(name)), Service()).find("service deploys main") != std::string::npos);
  }
  const std::string shown = Why(PushTo("refs/heads/a\n\x1b[2Jb" + std::string(200, 'x')), Service());
  CHECK(base::EscapeControls(shown) == shown);
  CHECK(shown.size() < 150);
}

TEST_CASE("the repository in every spelling; another host is another repository") {
  config::ServiceConfig service = Service();
  for (const char* spelled :
       {"acme/app", "github.com/acme/app", "https://github.com/Acme/App", "git@github.com:acme/app.git",
        "ssh://git@github.com:22/acme/app", "https://www.github.com/acme/app/"}) {
    CAPTURE(std::string(spelled));
    service.repo = spelled;
    CHECK(Why(PushTo("refs/heads/main"), service) == "(deploys)");
  }
  for (const char* other : {"", "acme/app2", "gitlab.com/acme/app", "app", "evil/acme/app"}) {
    CAPTURE(std::string(other));
    service.repo = other;
    CHECK(Why(PushTo("refs/heads/main"), service) == "(other repository)");
  }
  Push bare = PushTo("refs/heads/main");
  bare.repo_address = "";
  CHECK(Why(bare, Service()) == "(deploys)");
}

TEST_CASE("a deleted branch or tag never deploys") {
  Push push = PushTo("refs/heads/main");
  push.deleted = true;
  CHECK(Why(push, Service()) == "branch main was deleted");
  push = PushTo("refs/tags/v1");
  push.deleted = true;
  config::ServiceConfig service = Service();
  service.tags = {"*"};
  CHECK(Why(push, service) == "tag v1 was deleted");
}

TEST_CASE("tags deploy where the service asks for them") {
  CHECK(Why(PushTo("refs/tags/v1.0"), Service()) == "tag v1.0, service deploys main");
  CHECK(Why(PushTo("refs/tags/main"), Service()) == "tag main, service deploys main");
  config::ServiceConfig service = Service();
  service.tags = {"v*", "!*-rc*"};
  CHECK(Why(PushTo("refs/tags/v1.0"), service) == "(deploys)");
  CHECK(Why(PushTo("refs/tags/v1.0-rc1"), service) == "tag v1.0-rc1, service deploys main and tags v*, !*-rc*");
  service.branch = "";
  CHECK(Why(PushTo("refs/tags/nightly"), service) == "tag nightly, service deploys tags v*, !*-rc*");
  CHECK(Why(PushTo("refs/heads/v1"), service) == "branch v1, service deploys tags v*, !*-rc*");
}

TEST_CASE("the newest commit can say that it is not to be deployed") {
  Push push = PushTo("refs/heads/main");
  for (const char* message : {"fix\n\n[skip deploy]", "[Skip Deploy] fix", "fix [deploy skip]", "x [skip cd] y"}) {
    push.info.commit_msg = message;
    CHECK(Why(push, Service()) == "the commit's message says to skip the deploy");
  }
  push.info.commit_msg = "skip deploy of the old machine [skip ci]";
  CHECK(Why(push, Service()) == "(deploys)");
}

TEST_CASE("paths: a push that touches none of them is ignored, unless it cannot be told") {
  config::ServiceConfig service = Service();
  service.paths = {"api/**", "shared/*.proto", "!**/*.md"};
  Push push = PushTo("refs/heads/main");
  const auto with = [&](std::vector<std::string> files) {
    push.files = std::move(files);
    return Why(push, service);
  };
  CHECK(with({"web/a.ts", "api/b.cc"}) == "(deploys)");
  CHECK(with({"shared/x.proto"}) == "(deploys)");
  CHECK(with({"web/a.ts", "api/README.md"}) == "none of its 2 files is among api/**, shared/*.proto, !**/*.md");
  CHECK(with({}) == "none of its 0 files is among api/**, shared/*.proto, !**/*.md");
  push.forced = true;
  CHECK(with({"web/a.ts"}) == "(deploys)");
  push.forced = false;
  push.files_known = false;
  CHECK(with({"web/a.ts"}) == "(deploys)");
  push = PushTo("refs/tags/v1");
  service.tags = {"*"};
  CHECK(with({"web/a.ts"}) == "(deploys)");
}

TEST_CASE("patterns of paths") {
  struct Case {
    const char* pattern;
    std::vector<const char*> fits;
    std::vector<const char*> misses;
  };
  const std::vector<Case> cases = {
      {"api", {"api", "api/x", "api/x/y"}, {"apis", "apix/y", "x/api", "ap"}},
      {"/api", {"api", "api/x"}, {"x/api"}},
      {"api/", {"api/x", "api/x/y"}, {"api", "apis/x"}},
      {"api/*", {"api/x", "api/x/y"}, {"api", "x/api/y"}},
      {"api/**", {"api/x", "api/x/y"}, {"api", "apix"}},
      {"*", {"a", "a/b/c", ".github/x"}, {}},
      {"**", {"a", "a/b/c"}, {}},
      {"*.md", {"README.md"}, {"docs/a.md", "README.mdx"}},
      {"**/*.md", {"README.md", "docs/a.md", "docs/x/a.md"}, {"a.mdx", "docs/a.txt"}},
      {"**/b", {"b", "a/b", "a/b/c", "a/a/b"}, {"ab", "a/ab", "a/bc"}},
      {"a/**/z", {"a/z", "a/b/z", "a/b/c/z"}, {"az", "a/bz", "z"}},
      {"a/**/b/**/c", {"a/b/c", "a/x/b/y/c", "a/b/b/c"}, {"a/c", "a/b"}},
      {"src/*/x?.cc", {"src/a/x1.cc"}, {"src/a/b/x1.cc", "src/a/x/.cc", "src/a/x12.cc"}},
      {"a*b*c", {"abc", "axbxc", "abbcc", "abc/d"}, {"ab/c", "acb"}},
      {"a**b", {"ab", "axb", "a/x/b"}, {"a/x/c"}},
      {"?", {"a", "a/b"}, {"ab", "/a"}},
      {"", {}, {"a"}},
      {"/", {}, {"a"}},
      {"a/*/b/**/*.c", {"a/x/b/f.c", "a/x/b/y/z/f.c"}, {"a/b/f.c", "a/x/y/b/f.c"}},
  };
  for (const Case& c : cases) {
    CAPTURE(std::string(c.pattern));
    for (const char* path : c.fits) {
      CAPTURE(std::string(path));
      CHECK(PathMatches(c.pattern, path));
    }
    for (const char* path : c.misses) {
      CAPTURE(std::string(path));
      CHECK_FALSE(PathMatches(c.pattern, path));
    }
  }
}

TEST_CASE("a hostile pattern takes no long time") {
  std::string pattern;
  for (int i = 0; i < 40; ++i) pattern += "*a**/";
  CHECK_FALSE(PathMatches(pattern + "z", std::string(2000, 'a') + "/" + std::string(2000, 'a')));
}

TEST_CASE("in a list the last pattern that fits decides") {
  const std::vector<std::string> patterns = {"a/**", "!a/b/**", "a/b/c"};
  CHECK(ListHolds(patterns, "a/x", &PathMatches));
  CHECK_FALSE(ListHolds(patterns, "a/b/x", &PathMatches));
  CHECK(ListHolds(patterns, "a/b/c", &PathMatches));
  CHECK_FALSE(ListHolds(patterns, "x", &PathMatches));
  CHECK_FALSE(ListHolds({}, "x", &PathMatches));
}
