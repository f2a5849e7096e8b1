#include "chat/outbox_store.h"

#include <doctest/doctest.h>

#include "fakes/temp_dir.h"

namespace shipmate::chat {
namespace {

using namespace std::chrono_literals;

const base::WallTime kNow(500h);

OutgoingItem Item(const std::string& key) {
  OutgoingItem item;
  item.post = {.channel = "c1", .text = "text of " + key, .reply_to = "m", .key = key};
  item.headline = "headline";
  item.created = kNow;
  return item;
}

struct World {
  World() { Open(); }
  void Open() {
    store.reset();
    database.reset();
    database = std::move(*store::Database::Open(directory / "outbox.db", OutboxStore::Migrations()));
    store.emplace(*database);
  }
  OutgoingItem Inserted(OutgoingItem item) {
    item.row = store->Insert("discord", item).value().value();
    return item;
  }
  std::vector<std::string> Waiting() {
    std::vector<std::string> keys;
    for (const OutgoingItem& item : store->Waiting("discord").value()) keys.push_back(item.post.key);
    return keys;
  }

  tests::TempDir directory;
  std::unique_ptr<store::Database> database;
  std::optional<OutboxStore> store;
};

TEST_CASE("everything of a message comes back, in order, after the file was opened anew") {
  World world;
  OutgoingItem item = Item("k1");
  item.priority = Priority::kReply;
  item.slot = "deploy:api:7";
  item.failure = true;
  item.post.tone = Tone::kFailure;
  item.post.choices = {{.kind = Choice::Kind::kYes, .command = "confirm api c0ffee1"},
                       {.kind = Choice::Kind::kNo, .command = "decline api c0ffee1"}};
  item.alone = true;
  item.post.attachments = {{.name = "all.log", .bytes = std::string("a\0b\xff", 4)}};
  world.Inserted(item);
  world.Inserted(Item("k2"));
  world.Open();
  const auto waiting = world.store->Waiting("discord").value();
  REQUIRE(waiting.size() == 2);
  CHECK(waiting[0].post == item.post);
  CHECK(waiting[0].priority == Priority::kReply);
  CHECK(waiting[0].slot == "deploy:api:7");
  CHECK(waiting[0].headline == "headline");
  CHECK(waiting[0].failure);
  CHECK(waiting[0].post.tone == item.post.tone);
  CHECK(waiting[0].post.choices == item.post.choices);
  CHECK(waiting[0].alone);
  CHECK(waiting[0].created == kNow);
  CHECK(waiting[0].tried == base::WallTime());
  CHECK(waiting[1].post.key == "k2");
  CHECK(world.store->Waiting("mattermost").value().empty());
}

TEST_CASE("a key is told once, whatever became of it") {
  World world;
  const OutgoingItem posted = world.Inserted(Item("k1"));
  const OutgoingItem left_out = world.Inserted(Item("k2"));
  CHECK_FALSE(world.store->Insert("discord", Item("k1")).value().has_value());
  CHECK(world.store->MarkPosted("discord", posted, "900", kNow).has_value());
  CHECK(world.store->MarkGivenUp({left_out}, kNow).has_value());
  world.Open();
  CHECK(world.Waiting().empty());
  CHECK_FALSE(world.store->Insert("discord", Item("k1")).value().has_value());
  CHECK_FALSE(world.store->Insert("discord", Item("k2")).value().has_value());
  CHECK(world.store->Insert("mattermost", Item("k1")).value().has_value());
  OutgoingItem elsewhere = Item("k1");
  elsewhere.post.channel = "c2";
  CHECK(world.store->Insert("discord", elsewhere).value().has_value());
}

TEST_CASE("a message in doubt is remembered with what was known then") {
  World world;
  OutgoingItem item = world.Inserted(Item("k1"));
  item.tried = kNow + 1s;
  item.after = "899";
  item.post.text += "\n(2h ago)";
  CHECK(world.store->MarkTried(item).has_value());
  const auto waiting = world.store->Waiting("discord").value();
  CHECK(waiting.at(0).tried == kNow + 1s);
  CHECK(waiting.at(0).after == "899");
  CHECK(waiting.at(0).post.text == item.post.text);
}

TEST_CASE("the post of an edit key, and the last one of a channel") {
  World world;
  OutgoingItem item = Item("k1");
  item.slot = "s";
  item = world.Inserted(item);
  CHECK(world.store->PostOf("discord", "c1", "s").value().empty());
  CHECK(world.store->MarkPosted("discord", item, "900", kNow).has_value());
  world.Open();
  CHECK(world.store->PostOf("discord", "c1", "s").value() == "900");
  CHECK(world.store->PostOf("discord", "c2", "s").value().empty());
  CHECK(world.store->PlaceOf("discord", "c1").value().latest == "900");
  // An edit does not make an old post the last one.
  CHECK(world.store->MarkPosted("discord", world.Inserted(Item("k2")), "901", kNow).has_value());
  CHECK(world.store->MarkEdited(item, kNow).has_value());
  CHECK(world.store->PlaceOf("discord", "c1").value().latest == "901");
  CHECK(world.store->ForgetPost("discord", "c1", "s").has_value());
  CHECK(world.store->PostOf("discord", "c1", "s").value().empty());
}

TEST_CASE("what was left out is counted until it was told") {
  World world;
  CHECK(world.store->MarkLeftOut("discord", "c1", {world.Inserted(Item("k1")), world.Inserted(Item("k2"))}, kNow)
            .has_value());
  CHECK(world.store->MarkLeftOut("discord", "c1", {world.Inserted(Item("k3"))}, kNow).has_value());
  world.Open();
  CHECK(world.Waiting().empty());
  CHECK(world.store->PlaceOf("discord", "c1").value().left_out == 3);
  CHECK(world.store->TellLeftOut("discord", Item("line")).value() != 0);
  CHECK(world.store->PlaceOf("discord", "c1").value().left_out == 0);
  CHECK(world.Waiting() == std::vector<std::string>{"line"});
}

TEST_CASE("a summary takes the place of its notices in one step") {
  World world;
  const std::vector<OutgoingItem> flood = {world.Inserted(Item("k1")), world.Inserted(Item("k2"))};
  CHECK(world.store->Replace("discord", flood, Item("flood"), kNow).value() != 0);
  CHECK(world.Waiting() == std::vector<std::string>{"flood"});
}

TEST_CASE("what is old is forgotten") {
  World world;
  OutgoingItem done = Item("done");
  done.slot = "s";
  done = world.Inserted(done);
  CHECK(world.store->MarkPosted("discord", done, "900", kNow).has_value());
  world.Inserted(Item("waits"));
  CHECK(world.store->Tidy(kNow + 1h, 2h, 2h).has_value());
  CHECK(world.Waiting().size() == 1);
  CHECK_FALSE(world.store->Insert("discord", Item("done")).value().has_value());
  CHECK(world.store->Tidy(kNow + 5h, 2h, 2h).has_value());
  CHECK(world.Waiting().empty());
  CHECK(world.store->PostOf("discord", "c1", "s").value().empty());
  CHECK(world.store->Insert("discord", Item("done")).value().has_value());
}

}  // namespace
}  // namespace shipmate::chat
