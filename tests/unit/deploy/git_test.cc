#include "deploy/git.h"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>
#include <cstdlib>

#include "deploy/secrets.h"
#include "deploy/step_log.h"
#include "fakes/temp_dir.h"
#include "os/child_process.h"
#include "run_task.h"

using namespace shipmate;
using deploy::GitPlace;
using tests::RunTask;
using tests::TempDir;

namespace {

// A repository with one commit on main, tagged v1, and a clone of it.
class Repositories {
 public:
  Repositories() {
    Shell(
        "git init -q -b main forge && cd forge && git config user.name bob && git config user.email bob@example.com"
        " && git commit -q --allow-empty -m 'first things first' && git tag -a v1 -m one");
    Shell("git clone -q forge work");
  }
  void Shell(const std::string& script) {
    const std::string line = "cd " + dir.Path() + " && (" + script + ") >/dev/null 2>&1";
    REQUIRE(std::system(line.c_str()) == 0);
  }
  GitPlace Work() const { return {.dir = dir / "work", .env = os::InheritedEnvironment({})}; }
  template <class T>
  T Run(Task<T> task) {
    return RunTask(loop, std::move(task));
  }

  const TempDir dir;
  boost::asio::io_context loop;
};

}  // namespace

TEST_CASE("names that came from outside are checked before git sees them") {
  CHECK(deploy::IsCommit("0123456789abcdef0123456789abcdef01234567"));
  CHECK(deploy::IsCommit("deadbee"));
  for (const char* bad : {"", "dead", "DEADBEE", "--help", "deadbee;ls", "HEAD", "deadbee\n"}) {
    const std::string text = bad;
    CAPTURE(text);
    CHECK(!deploy::IsCommit(text));
  }
  CHECK(deploy::IsRef("refs/heads/main"));
  CHECK(deploy::IsRef("refs/heads/feature/deploy-v2"));
  for (const char* bad :
       {"main", "refs/heads/a..b", "refs/heads/a b", "refs/heads/$(ls)~", "refs/heads/a:b", "refs/heads/x.lock",
        "refs/heads/\x7f", "refs/heads/", "refs/heads/a\nb", "--upload-pack=x"}) {
    const std::string text = bad;
    CAPTURE(text);
    CHECK(!deploy::IsRef(text));
  }
}

TEST_CASE("the commits of a work tree and of its remote") {
  Repositories all;
  const auto head = all.Run(deploy::HeadCommit(all.Work()));
  REQUIRE(head.has_value());
  CHECK(head->size() == 40);
  const auto branch = all.Run(deploy::RemoteCommits(all.Work(), "refs/heads/main"));
  REQUIRE(branch.has_value());
  CHECK(*branch == std::vector<std::string>{*head});
  // An annotated tag is two: itself, and what it names.
  const auto tag = all.Run(deploy::RemoteCommits(all.Work(), "refs/tags/v1"));
  REQUIRE(tag.has_value());
  REQUIRE(tag->size() == 2);
  CHECK(tag->back() == *head);
  CHECK(all.Run(deploy::RemoteCommits(all.Work(), "refs/heads/none"))->empty());
  CHECK(all.Run(deploy::RemoteCommits(all.Work(), "--upload-pack=touch x")).error().code == Errc::kInvalid);
  CHECK(all.Run(deploy::SubjectOf(all.Work(), *head)) == "first things first");
  CHECK(all.Run(deploy::FullCommit(all.Work(), head->substr(0, 8))).value() == *head);
  CHECK(!all.Run(deploy::FullCommit(all.Work(), "0000000000")).has_value());

  all.Shell("cd forge && git commit -q --allow-empty -m second");
  const auto moved = all.Run(deploy::RemoteCommits(all.Work(), "refs/heads/main"));
  REQUIRE(moved.has_value());
  CHECK(moved->front() != *head);
}

TEST_CASE("what is no work tree says so") {
  const TempDir dir;
  boost::asio::io_context loop;
  const auto head = RunTask(loop, deploy::HeadCommit({.dir = dir.Path(), .env = os::InheritedEnvironment({})}));
  REQUIRE(!head.has_value());
  CHECK(head.error().what.starts_with("git rev-parse: "));
}

TEST_CASE("secrets of the steps are masked in the file and in memory, also in base64 and in URLs") {
  const TempDir dir;
  const auto masker = deploy::MaskerOf({{"API_TOKEN", "s3cret/value"}, {"COLOUR", "greenish"}});
  REQUIRE(masker != nullptr);
  deploy::StepLog log(4096, masker);
  CHECK(log.Open(dir / "x.log").empty());
  // A secret in two pieces.
  log.Add("token s3cret");
  log.Add("/value and greenish\nczNjcmV0L3ZhbHVl\ns3cret%2Fvalue\nlast");
  log.Flush();
  CHECK(log.Text() == "token *** and greenish\n***\n***\nlast");
  CHECK(tests::ReadText(dir / "x.log") == log.Text());
  CHECK(deploy::MaskerOf({{"COLOUR", "greenish"}})->Mask("greenish, https://me:pw@host/") ==
        "greenish, https://***@host/");
}
