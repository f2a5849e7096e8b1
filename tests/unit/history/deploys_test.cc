#include "history/deploys.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "fakes/fake_clock.h"
#include "fakes/temp_dir.h"
#include "history/schema.h"

using namespace shipmate;
using namespace std::chrono_literals;
using history::Deploys;

namespace {

std::unique_ptr<store::Database> Open() {
  auto database = store::Database::Open(":memory:", history::Migrations());
  if (!database) FAIL(database.error().what);
  return std::move(*database);
}

deploy::Record Record(std::uint64_t id, const std::string& service) {
  deploy::Record record;
  record.id = id;
  record.service = service;
  record.trigger = "push";
  record.actor = "push by bob, confirmed by alice";
  record.branch = "main";
  record.commit = "deadbeefcafe";
  record.previous_commit = "c0ffee1";
  record.subject = "fix it";
  record.began = base::WallTime(1711000000s);
  record.planned = 2;
  record.log_file = "/nowhere/x.log";
  return record;
}

}  // namespace

TEST_CASE("a deploy is found as it was told last, with its steps") {
  const tests::FakeClock clock;
  const auto database = Open();
  Deploys deploys(*database, clock, nullptr);
  deploy::Record record = Record(7, "web");
  deploys.DeployRecorded(record);
  CHECK(deploys.Find(7)->value() == record);
  record.steps = {{.text = "make", .began = record.began, .duration = 12ms, .failure = ""},
                  {.text = "make install", .began = record.began + 1s, .duration = 3s, .failure = "exit status 2"}};
  record.ended = record.began + 5s;
  record.result = "failed";
  record.failed_step = "make install";
  record.note = "Rolled back: c0ffee1 runs again.";
  deploys.DeployRecorded(record);
  CHECK(deploys.Find(7)->value() == record);
  CHECK(!deploys.Find(8)->has_value());
}

TEST_CASE("lists are of one service or of all, the newest first") {
  const tests::FakeClock clock;
  const auto database = Open();
  Deploys deploys(*database, clock, nullptr);
  for (std::uint64_t id = 1; id <= 4; ++id) deploys.DeployRecorded(Record(id, id % 2 == 0 ? "web" : "api"));
  const auto all = deploys.Latest("", 3);
  REQUIRE(all.has_value());
  REQUIRE(all->size() == 3);
  CHECK(all->front().id == 4);
  CHECK(all->back().id == 2);
  const auto web = deploys.Latest("web", 10);
  REQUIRE(web.has_value());
  REQUIRE(web->size() == 2);
  CHECK(web->back().id == 2);
}

TEST_CASE("what an earlier run left unfinished is interrupted") {
  tests::FakeClock clock;
  const auto database = Open();
  Deploys deploys(*database, clock, nullptr);
  deploys.DeployRecorded(Record(1, "web"));
  deploy::Record done = Record(2, "web");
  done.ended = done.began + 1s;
  done.result = "success";
  deploys.DeployRecorded(done);
  REQUIRE(deploys.CloseUnfinished().has_value());
  CHECK(deploys.Find(1)->value().result == "interrupted");
  CHECK(deploys.Find(1)->value().ended == clock.WallNow());
  CHECK(deploys.Find(2)->value() == done);
}

TEST_CASE("the oldest go beyond a number, with their logs, and those of other services stay") {
  const tests::FakeClock clock;
  const tests::TempDir dir;
  const auto database = Open();
  Deploys deploys(*database, clock, nullptr);
  deploys.DeployRecorded(Record(1, "other"));
  deploy::Record first = Record(2, "web");
  first.log_file = dir / "first.log";
  tests::WriteText(first.log_file, "x");
  deploys.DeployRecorded(first);
  for (std::uint64_t id = 3; id <= 202; ++id) deploys.DeployRecorded(Record(id, "web"));
  CHECK(!deploys.Find(2)->has_value());
  CHECK(!std::filesystem::exists(first.log_file));
  CHECK(deploys.Find(3)->has_value());
  CHECK(deploys.Find(1)->has_value());
}
