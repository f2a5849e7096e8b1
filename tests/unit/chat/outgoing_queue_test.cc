#include "chat/outgoing_queue.h"

#include <doctest/doctest.h>

#include <random>

namespace shipmate::chat {
namespace {

using namespace std::chrono_literals;
using Names = std::vector<std::string>;

const base::SteadyTime kNow(1000h);

OutgoingItem Item(const std::string& key, Priority priority = Priority::kNotice, const std::string& slot = "") {
  OutgoingItem item;
  item.priority = priority;
  item.post = {.channel = "c", .text = "text of " + key, .reply_to = "", .key = key};
  item.slot = slot;
  item.created = base::WallTime(1h);
  return item;
}

Names Drain(OutgoingQueue& queue, base::SteadyTime now = kNow) {
  Names keys;
  while (auto item = queue.Take(now, 0ms)) keys.push_back(item->post.key);
  return keys;
}

TEST_CASE("what goes first, and in order among its like") {
  OutgoingQueue queue;
  queue.Push(Item("tail", Priority::kTail));
  queue.Push(Item("n1"));
  queue.Push(Item("r1", Priority::kReply));
  queue.Push(Item("n2"));
  queue.Push(Item("ack", Priority::kAcknowledge));
  queue.Push(Item("r2", Priority::kReply));
  CHECK(queue.Size() == 6);
  CHECK_FALSE(queue.NoticesAreNext());
  CHECK(Drain(queue) == Names{"ack", "r1", "r2", "n1", "n2", "tail"});
  CHECK(queue.Empty());
  CHECK(queue.NoticesAreNext());
  CHECK_FALSE(queue.ReadyAt().has_value());
}

TEST_CASE("what has to wait holds up its like and nothing else") {
  OutgoingQueue queue;
  queue.Push(Item("n2"));
  CHECK_FALSE(queue.PutBack(Item("n1"), kNow + 5s).has_value());
  CHECK_FALSE(queue.Take(kNow, 0ms).has_value());
  CHECK(queue.ReadyAt() == kNow + 5s);
  queue.Push(Item("r", Priority::kReply));
  CHECK(Drain(queue) == Names{"r"});
  CHECK(Drain(queue, kNow + 5s) == Names{"n1", "n2"});
}

TEST_CASE("the newest text of an edit key is told, in the place of the oldest") {
  OutgoingQueue queue;
  queue.Push(Item("started", Priority::kNotice, "deploy"));
  queue.Push(Item("other"));
  auto pushed = queue.Push(Item("step 1", Priority::kTail, "deploy"));
  REQUIRE(pushed.superseded.size() == 1);
  CHECK(pushed.superseded[0].post.key == "started");
  pushed = queue.Push(Item("done", Priority::kNotice, "deploy"));
  CHECK(pushed.superseded.at(0).post.key == "step 1");
  CHECK(Drain(queue) == Names{"done", "other"});
}

TEST_CASE("a result is worth more than the passing state that it replaces") {
  OutgoingQueue queue;
  queue.Push(Item("step 1", Priority::kTail, "deploy"));
  queue.Push(Item("other"));
  CHECK(queue.Push(Item("done", Priority::kNotice, "deploy")).superseded.size() == 1);
  const auto first = queue.Take(kNow, 0ms);
  CHECK(first->post.key == "other");
  CHECK(queue.Take(kNow, 0ms)->priority == Priority::kNotice);
}

TEST_CASE("both who wait for a replaced answer are told") {
  OutgoingQueue queue;
  int kept = 0;
  OutgoingItem first = Item("a", Priority::kReply, "s");
  first.kept = [&kept] { kept += 1; };
  first.post.reply_to = "m";
  OutgoingItem second = Item("b", Priority::kReply, "s");
  second.kept = [&kept] { kept += 10; };
  queue.Push(std::move(first));
  const auto pushed = queue.Push(std::move(second));
  CHECK_FALSE(pushed.superseded.at(0).kept);
  const auto taken = queue.Take(kNow, 0ms);
  REQUIRE(taken->kept);
  taken->kept();
  CHECK(kept == 11);
  CHECK(taken->post.reply_to == "m");
}

TEST_CASE("what may have been posted keeps its text") {
  OutgoingQueue queue;
  OutgoingItem doubted = Item("started", Priority::kNotice, "deploy");
  doubted.tried = base::WallTime(2h);
  queue.PutBack(std::move(doubted), kNow);
  CHECK(queue.Push(Item("done", Priority::kNotice, "deploy")).superseded.empty());
  CHECK(Drain(queue) == Names{"started", "done"});
}

TEST_CASE("a failed edit is not put back before a newer one") {
  OutgoingQueue queue;
  queue.Push(Item("step 2", Priority::kTail, "deploy"));
  const auto dropped = queue.PutBack(Item("step 1", Priority::kNotice, "deploy"), kNow);
  REQUIRE(dropped.has_value());
  CHECK(dropped->post.key == "step 1");
  CHECK(queue.Size() == 1);
}

TEST_CASE("passing states keep their distance; results do not wait") {
  OutgoingQueue queue;
  queue.Push(Item("started", Priority::kNotice, "deploy"));
  REQUIRE(queue.Take(kNow, 2s).has_value());
  queue.Push(Item("step 1", Priority::kTail, "deploy"));
  CHECK_FALSE(queue.Take(kNow + 1s, 2s).has_value());
  CHECK(queue.ReadyAt() == kNow + 2s);
  queue.Push(Item("other"));
  CHECK(queue.Take(kNow + 1s, 2s)->post.key == "other");
  CHECK(queue.Take(kNow + 2s, 2s)->post.key == "step 1");
  queue.Push(Item("done", Priority::kNotice, "deploy"));
  CHECK(queue.Take(kNow + 2s, 2s)->post.key == "done");
}

TEST_CASE("too many notices: the oldest gives way, passing states first") {
  OutgoingQueue queue;
  queue.Push(Item("tail", Priority::kTail));
  for (std::size_t i = 1; i < OutgoingQueue::kCapacity; ++i) {
    CHECK(queue.Push(Item("n" + std::to_string(i))).left_out.empty());
  }
  CHECK(queue.Push(Item("a")).left_out.at(0).post.key == "tail");
  CHECK(queue.Push(Item("b")).left_out.at(0).post.key == "n1");
  CHECK(queue.Push(Item("answer", Priority::kReply)).left_out.at(0).post.key == "n2");
  CHECK(queue.Size() == OutgoingQueue::kCapacity);
}

TEST_CASE("too many answers: the oldest gives way, and a notice beside them is left out") {
  OutgoingQueue queue;
  for (std::size_t i = 0; i < OutgoingQueue::kCapacity; ++i) {
    CHECK_FALSE(queue.Push(Item("r" + std::to_string(i), Priority::kReply)).refused.has_value());
  }
  CHECK(queue.Push(Item("late", Priority::kAcknowledge)).refused.value().post.key == "r0");
  CHECK(queue.Push(Item("later", Priority::kReply)).refused.value().post.key == "r1");
  CHECK(queue.Push(Item("notice")).left_out.at(0).post.key == "notice");
  CHECK(queue.Size() == OutgoingQueue::kCapacity);
}

TEST_CASE("a flood is taken whole, but for what a person must answer and what is in doubt") {
  OutgoingQueue queue;
  for (std::size_t i = 0; i + 1 < OutgoingQueue::kFloodFrom; ++i) queue.Push(Item("n" + std::to_string(i)));
  OutgoingItem asking = Item("confirm?");
  asking.alone = true;
  queue.Push(asking);
  queue.Push(Item("answer", Priority::kReply));
  CHECK(queue.TakeFlood().empty());
  queue.Push(Item("last"));
  CHECK(queue.TakeFlood().size() == OutgoingQueue::kFloodFrom);
  CHECK(Drain(queue) == Names{"answer", "confirm?"});

  for (std::size_t i = 0; i < 20; ++i) queue.Push(Item("n" + std::to_string(i)));
  OutgoingItem doubted = Item("doubted");
  doubted.tried = base::WallTime(2h);
  queue.PutBack(std::move(doubted), kNow);
  CHECK(queue.TakeFlood().empty());
  CHECK(queue.Take(kNow, 0ms)->post.key == "doubted");
  CHECK(queue.TakeFlood().size() == 20);
}

TEST_CASE("old notices are taken out, answers are not") {
  OutgoingQueue queue;
  queue.Push(Item("old"));
  queue.Push(Item("old answer", Priority::kReply));
  OutgoingItem fresh = Item("fresh");
  fresh.created = base::WallTime(5h);
  queue.Push(fresh);
  const auto old = queue.TakeOlder(base::WallTime(4h));
  REQUIRE(old.size() == 1);
  CHECK(old[0].post.key == "old");
  CHECK(Drain(queue) == Names{"old answer", "fresh"});
}

TEST_CASE("items are found by their serial number") {
  OutgoingQueue queue;
  OutgoingItem item = Item("x", Priority::kReply);
  item.serial = 7;
  queue.Push(item);
  REQUIRE(queue.Find(7) != nullptr);
  CHECK(queue.Find(7)->post.key == "x");
  CHECK(queue.Find(8) == nullptr);
  int visited = 0;
  queue.ForEach([&visited](OutgoingItem&) { ++visited; });
  CHECK(visited == 1);
}

TEST_CASE("whatever is pushed, nothing is lost without a word and nothing comes twice") {
  std::mt19937 random(5);
  const auto any = [&random](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); };
  for (int round = 0; round < 200; ++round) {
    OutgoingQueue queue;
    std::size_t out = 0;
    std::map<std::string, int> seen;
    const auto count = [&](const std::string& key) {
      ++out;
      CHECK(++seen[key] == 1);
    };
    const int pushes = any(1500);
    std::string last_of_slot;
    for (int i = 0; i < pushes; ++i) {
      const std::string key = std::to_string(i);
      const auto pushed =
          queue.Push(Item(key, static_cast<Priority>(any(4)), any(4) == 0 ? "s" + std::to_string(any(5)) : ""));
      if (pushed.refused) count(pushed.refused->post.key);
      for (const auto& item : pushed.superseded) count(item.post.key);
      for (const auto& item : pushed.left_out) count(item.post.key);
      CHECK(queue.Size() <= 2 * OutgoingQueue::kCapacity);
      if (any(3) == 0) {
        if (auto item = queue.Take(kNow, 0ms)) {
          if (any(4) == 0) {
            if (const auto dropped = queue.PutBack(std::move(*item), kNow)) count(dropped->post.key);
          } else {
            count(item->post.key);
          }
        }
      }
      if (any(50) == 0) {
        for (const auto& item : queue.TakeFlood()) count(item.post.key);
      }
    }
    for (const std::string& key : Drain(queue)) count(key);
    CHECK(out == static_cast<std::size_t>(pushes));
  }
}

}  // namespace
}  // namespace shipmate::chat
