#include "service/repo_name.h"

#include <doctest/doctest.h>

namespace shipmate::service {

TEST_CASE("spellings of one repository are one, others are not") {
  for (const char* spelling : {"github.com/o/r", "o/r", "https://github.com/o/r", "https://github.com/o/r.git",
                               "git@github.com:o/r.git", "ssh://git@github.com/o/r", "ssh://git@github.com:22/o/r.git/",
                               "GitHub.com/O/R/", "http://www.github.com/o/r"}) {
    CAPTURE(std::string(spelling));
    CHECK(SameRepo(spelling, "https://github.com/o/r"));
    CHECK(SameRepo("o/r", spelling));
  }
  CHECK_FALSE(SameRepo("gitlab.com/o/r", "github.com/o/r"));
  CHECK_FALSE(SameRepo("o/r", "o/r2"));
  CHECK_FALSE(SameRepo("o/r", "x/o/r"));
  CHECK_FALSE(SameRepo("", ""));
  CHECK_FALSE(SameRepo("https://github.com/", "https://github.com"));
}

TEST_CASE("groups within groups keep their path") {
  CHECK(ParseRepoName("https://gitlab.example.org/a/b/c.git").path == "a/b/c");
  CHECK(ParseRepoName("gitlab.example.org/a/b/c").host == "gitlab.example.org");
  CHECK(ParseRepoName("a/b/c").host == "");
}

}  // namespace shipmate::service
