#include "history/audit.h"

#include <doctest/doctest.h>

#include "base/secret.h"
#include "fakes/fake_clock.h"
#include "fakes/temp_dir.h"
#include "history/schema.h"

using namespace shipmate;
using history::Audit;
using history::CommandRecord;
using history::Seen;
using shipmate::tests::FakeClock;
using shipmate::tests::TempDir;

namespace {

std::unique_ptr<store::Database> Open(const std::string& path = ":memory:") {
  auto database = store::Database::Open(path, history::Migrations());
  if (!database) FAIL(database.error().what);
  return std::move(*database);
}

CommandRecord Stop(std::string message_id) {
  return {.platform = "discord",
          .message_id = std::move(message_id),
          .channel = "440000000000000004",
          .actor_id = "220000000000000002",
          .actor_name = "alice",
          .text = "!stop api",
          .decision = "allowed",
          .result = "",
          .at = {}};
}

Seen Begin(Audit& audit, const CommandRecord& command) {
  const auto begun = audit.Begin(command);
  if (!begun) FAIL(begun.error().what);
  return *begun;
}

}  // namespace

TEST_CASE("a command is written before it runs, and its result after") {
  const auto database = Open();
  FakeClock clock;
  Audit audit(*database, clock, nullptr);
  CHECK(Begin(audit, Stop("1")) == Seen::kNew);
  auto latest = audit.Latest(10);
  REQUIRE(latest.has_value());
  REQUIRE(latest->size() == 1);
  CommandRecord expected = Stop("1");
  expected.at = clock.WallNow();
  CHECK((latest->front() == expected) == true);
  clock.Advance(std::chrono::seconds(2));
  REQUIRE(audit.Finish("discord", "1", "api: stopped").has_value());
  REQUIRE(audit.Finish("discord", "2", "nothing to write to").has_value());
  expected.result = "api: stopped";
  latest = audit.Latest(10);
  REQUIRE(latest->size() == 1);
  CHECK((latest->front() == expected) == true);
}

TEST_CASE("a message is acted upon once, after a restart too; the same id on another platform is another") {
  const TempDir dir;
  FakeClock clock;
  {
    const auto database = Open(dir / "history.db");
    Audit audit(*database, clock, nullptr);
    CHECK(Begin(audit, Stop("1")) == Seen::kNew);
    CHECK(Begin(audit, Stop("1")) == Seen::kBefore);
  }
  const auto database = Open(dir / "history.db");
  Audit audit(*database, clock, nullptr);
  CommandRecord other = Stop("1");
  other.text = "!stop everything";
  CHECK(Begin(audit, other) == Seen::kBefore);
  CHECK(audit.Latest(10)->front().text == "!stop api");
  other.platform = "mattermost";
  CHECK(Begin(audit, other) == Seen::kNew);
}

TEST_CASE("what an earlier run left without a result is found, oldest first") {
  const auto database = Open();
  FakeClock clock;
  Audit audit(*database, clock, nullptr);
  for (const std::string& id : {std::string("1"), std::string("2"), std::string("3")}) {
    REQUIRE(audit.Begin(Stop(id)).has_value());
  }
  REQUIRE(audit.Finish("discord", "2", "").has_value());
  const auto left = audit.Unanswered();
  REQUIRE(left.has_value());
  REQUIRE(left->size() == 2);
  CHECK(left->at(0).message_id == "1");
  CHECK(left->at(1).message_id == "3");
}

TEST_CASE("the trail is bounded by age and count") {
  const auto database = Open();
  FakeClock clock;
  Audit audit(*database, clock, nullptr, {.age = std::chrono::hours(24), .rows = 3});
  for (int i = 0; i < 5; ++i) {
    REQUIRE(audit.Begin(Stop(std::to_string(i))).has_value());
    REQUIRE(audit.Finish("discord", std::to_string(i), "done").has_value());
  }
  REQUIRE(audit.Tidy().has_value());
  auto latest = audit.Latest(10);
  REQUIRE(latest->size() == 3);
  CHECK(latest->front().message_id == "4");
  CHECK(latest->back().message_id == "2");
  clock.Advance(std::chrono::hours(25));
  REQUIRE(audit.Begin(Stop("5")).has_value());
  REQUIRE(audit.Tidy().has_value());
  latest = audit.Latest(10);
  REQUIRE(latest->size() == 1);
  CHECK(latest->front().message_id == "5");
}

TEST_CASE("who is refused cannot drive out what others did") {
  const auto database = Open();
  FakeClock clock;
  Audit audit(*database, clock, nullptr, {.age = std::chrono::hours(24), .rows = 3});
  REQUIRE(audit.Begin(Stop("done")).has_value());
  for (int i = 0; i < 20; ++i) {
    CommandRecord refused = Stop(std::to_string(i));
    refused.decision = "refused: needs operator, has none";
    REQUIRE(audit.Begin(refused).has_value());
  }
  REQUIRE(audit.Tidy().has_value());
  const auto latest = audit.Latest(10);
  REQUIRE(latest->size() == 4);
  CHECK(latest->front().message_id == "19");
  CHECK(latest->back().message_id == "done");
}

TEST_CASE("T-12: a known secret is not written") {
  const auto database = Open();
  FakeClock clock;
  auto masker = std::make_shared<base::Masker>();
  masker->Add(base::Secret("s3cret-token"));
  Audit audit(*database, clock, masker);
  CommandRecord command = Stop("1");
  command.text = "!x s3cret-token";
  command.actor_name = "s3cret-token";
  REQUIRE(audit.Begin(command).has_value());
  REQUIRE(audit.Finish("discord", "1", "no s3cret-token here").has_value());
  const CommandRecord row = audit.Latest(1)->front();
  CHECK(row.text == "!x ***");
  CHECK(row.actor_name == "***");
  CHECK(row.result == "no *** here");
}

TEST_CASE("whatever was pasted, a row is small and valid UTF-8") {
  const auto database = Open();
  FakeClock clock;
  Audit audit(*database, clock, nullptr);
  CommandRecord command = Stop("1");
  command.text = "!x " + std::string(100'000, 'x') + "\xff";
  command.actor_name = std::string(5000, '\xff');
  REQUIRE(audit.Begin(command).has_value());
  const CommandRecord row = audit.Latest(1)->front();
  CHECK(row.text.size() == 500);
  CHECK(row.actor_name.size() <= 400);
}

TEST_CASE("a database that does not work is an error, not a silence") {
  const auto database = Open();
  FakeClock clock;
  Audit audit(*database, clock, nullptr);
  REQUIRE(database->Execute("DROP TABLE command", {}).has_value());
  CHECK_FALSE(audit.Begin(Stop("1")).has_value());
  CHECK_FALSE(audit.Finish("discord", "1", "x").has_value());
  CHECK_FALSE(audit.Latest(1).has_value());
  CHECK_FALSE(audit.Unanswered().has_value());
}
