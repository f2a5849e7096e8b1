// What becomes of messages when the platform fails, and when the program ends in the middle of it.

#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <random>
#include <set>

#include "chat/outbox.h"
#include "fakes/fake_clock.h"
#include "fakes/fake_frontend.h"
#include "fakes/temp_dir.h"
#include "unit/run_task.h"

namespace shipmate::chat {
namespace {

using namespace std::chrono_literals;
using tests::FakeFrontend;
using Names = std::vector<std::string>;

Message Say(const std::string& text) {
  Message message;
  message.headline.Plain(text);
  return message;
}

/// What a platform shows, and how it treats a key that it knows.
struct Platform {
  struct Post {
    std::string id;
    std::string text;
    std::string key;
    base::WallTime at;
  };

  const Post& Take(const Outgoing& outgoing, base::WallTime now) {
    for (const Post& post : posts) {
      if (post.key == outgoing.key && now - post.at < window) return post;
    }
    posts.push_back({.id = std::to_string(++ids), .text = outgoing.text, .key = outgoing.key, .at = now});
    return posts.back();
  }
  Names Texts() const {
    Names texts;
    for (const Post& post : posts) texts.push_back(post.text);
    return texts;
  }

  std::chrono::minutes window{5};
  std::vector<Post> posts;
  int ids = 1000;
};

/// One run of the program: it ends as by kill -9, unless Close is called.
struct Run {
  Run(const std::string& directory, Platform& its_platform, tests::FakeClock& its_clock)
      : platform(its_platform), clock(its_clock) {
    frontend.abilities = {.edits = true, .files = true, .lasting = true, .repeat_window = 2min, .edit_interval = 0ms};
    frontend.on_send = [this](const Outgoing& outgoing) -> Result<void> {
      if (fail_before) return Fail(*fail_before);
      platform.Take(outgoing, clock.WallNow());
      if (fail_after) return Fail(*fail_after);
      return {};
    };
    frontend.id_of = [this](const Outgoing& outgoing) { return platform.Take(outgoing, clock.WallNow()).id; };
    frontend.on_find = [this](const Doubt& doubt) -> Result<std::optional<Posted>> {
      if (fail_find) return Fail(*fail_find);
      for (const Platform::Post& post : platform.posts) {
        if (post.text == doubt.outgoing.text && post.id > doubt.after && post.at >= doubt.since - 1min) {
          return std::optional<Posted>({.id = post.id});
        }
      }
      return std::optional<Posted>();
    };
    database = std::move(*store::Database::Open(directory + "/outbox.db", OutboxStore::Migrations()));
    outbox = std::make_unique<Outbox>(
        loop.get_executor(),
        OutboxOptions{.clock = &clock, .database = database.get(), .first_retry = 10ms, .longest_retry = 20ms});
    outbox->Add(frontend);
  }

  void Settle() {
    loop.restart();
    while (loop.poll() > 0) {
    }
  }
  /// Lets time pass until `condition` holds, at most for the limit.
  bool Until(const std::function<bool()>& condition) {
    for (int i = 0; i < 3000 && !condition(); ++i) {
      clock.Advance(5ms);
      loop.restart();
      loop.run_for(5ms);
    }
    return condition();
  }
  void Close() { tests::RunTask(loop, outbox->Close(30s)); }

  Platform& platform;
  tests::FakeClock& clock;
  boost::asio::io_context loop;
  FakeFrontend frontend{"discord"};
  std::unique_ptr<store::Database> database;
  std::unique_ptr<Outbox> outbox;
  std::optional<Error> fail_before;
  std::optional<Error> fail_after;
  std::optional<Error> fail_find;
};

struct World {
  void Start() {
    run.reset();
    run = std::make_unique<Run>(directory.Path(), platform, clock);
  }
  void Kill() { run.reset(); }

  tests::TempDir directory;
  Platform platform;
  tests::FakeClock clock;
  std::unique_ptr<Run> run;
};

const Error kDown{.code = Errc::kTimeout, .what = "status 503"};

TEST_CASE("what was not sent when the program was killed goes out after the next start, in order") {
  World world;
  world.Start();
  world.run->frontend.HoldReady(world.run->loop.get_executor());
  for (const char* text : {"one", "two", "three"}) world.run->outbox->Notice("service", "api", text, Say(text));
  world.Kill();
  world.Start();
  world.run->Settle();
  CHECK(world.platform.Texts() == Names{"one", "two", "three"});
  world.run->Close();
  world.Start();
  world.run->Close();
  CHECK(world.platform.posts.size() == 3);
}

TEST_CASE("an event that is told again after a restart is told once") {
  World world;
  for (int i = 0; i < 3; ++i) {
    world.Start();
    world.run->outbox->Notice("service", "api", "service:api:4:exited", Say("api: exited"));
    world.run->Settle();
    world.Kill();
    world.clock.Advance(1h);
  }
  CHECK(world.platform.Texts() == Names{"api: exited"});
}

TEST_CASE("killed between the post and its acknowledgement: repeated while the key is known, then looked for") {
  for (const auto pause : {std::chrono::minutes(1), std::chrono::minutes(60)}) {
    CAPTURE(pause.count());
    World world;
    world.Start();
    world.run->outbox->Notice("service", "api", "zero", Say("api: exited"));
    world.run->Settle();
    world.run->frontend.HoldAcknowledgements(world.run->loop.get_executor());
    world.run->outbox->Notice("service", "api", "one", Say("api: exited"));
    world.run->outbox->Notice("service", "api", "two", Say("two"));
    world.run->Settle();
    CHECK(world.platform.posts.size() == 2);
    world.Kill();
    world.clock.Advance(pause);
    world.Start();
    world.run->Settle();
    // The first post has the same text, but it is known to be another message's.
    CHECK(world.platform.posts.size() == 3);
    CHECK(world.platform.Texts()[1] == "api: exited");
    CHECK(world.platform.Texts()[2].starts_with("two"));
    CHECK(world.run->frontend.doubts.size() == (pause == 1min ? 0 : 1));
    if (pause == 60min) CHECK(world.run->frontend.doubts.at(0).after == world.platform.posts[0].id);
    if (pause == 60min) CHECK(world.platform.Texts()[2] == "two\n(1h ago)");
    world.run->Close();
  }
}

TEST_CASE("killed between the intent and the post: it is not found, and posted") {
  World world;
  world.Start();
  world.run->fail_before = kDown;
  world.run->outbox->Notice("service", "api", "one", Say("one"));
  world.run->Settle();
  world.Kill();
  world.clock.Advance(5min);
  world.Start();
  world.run->Settle();
  CHECK(world.run->frontend.doubts.size() == 1);
  CHECK(world.platform.Texts() == Names{"one"});
  world.run->Close();
}

TEST_CASE("a time-out after success, for longer than the key is known") {
  World world;
  world.Start();
  world.run->fail_after = kDown;
  world.run->outbox->Notice("service", "api", "one", Say("one"));
  world.run->Settle();
  CHECK(world.platform.posts.size() == 1);
  CHECK(world.run->Until([&] { return world.run->frontend.sent.size() > 3; }));
  CHECK(world.platform.posts.size() == 1);
  world.clock.Advance(10min);
  CHECK(world.run->Until([&] { return !world.run->frontend.doubts.empty(); }));
  world.run->Close();
  CHECK(world.platform.Texts() == Names{"one"});
}

TEST_CASE("a channel whose history cannot be read: posted rather than lost") {
  World world;
  world.Start();
  world.run->fail_after = kDown;
  world.run->outbox->Notice("service", "api", "one", Say("one"));
  world.run->Settle();
  world.Kill();
  world.clock.Advance(1h);
  world.Start();
  world.run->fail_find = Error{.code = Errc::kRefused, .what = "no right to read"};
  world.run->Settle();
  CHECK(world.platform.posts.size() == 2);
  world.run->Close();

  // What only fails for now is waited for.
  world.Start();
  world.run->fail_after = kDown;
  world.run->outbox->Notice("service", "api", "two", Say("two"));
  world.run->Settle();
  world.Kill();
  world.clock.Advance(1h);
  world.Start();
  world.run->fail_find = kDown;
  world.run->Settle();
  CHECK(world.platform.posts.size() == 3);
  world.run->fail_find.reset();
  world.run->Close();
  CHECK(world.platform.posts.size() == 3);
}

TEST_CASE("a long outage: answers and news wait, the order is kept, and lateness is told") {
  World world;
  world.Start();
  world.run->fail_before = kDown;
  for (const char* text : {"one", "two"}) world.run->outbox->Notice("service", "api", text, Say(text));
  CHECK(world.run->Until([&] { return world.run->frontend.sent.size() >= 5; }));
  world.clock.Advance(3h);
  world.run->outbox->Notice("service", "api", "three", Say("three"));
  world.run->fail_before.reset();
  world.run->outbox->Reply(world.run->frontend, "c1", "m", "r", Say("answer"));
  CHECK(world.run->Until([&] { return world.platform.posts.size() == 4; }));
  // The first was tried before anybody knew how long it would take.
  CHECK(world.platform.Texts() == Names{"answer", "one", "two\n(3h ago)", "three"});
  world.run->Close();
}

TEST_CASE("Retry-After is obeyed, and an answer does not wait for it") {
  World world;
  world.Start();
  world.run->fail_before = Error{.code = Errc::kRateLimited, .what = "held back", .retry_after = 300ms};
  world.run->outbox->Notice("service", "api", "one", Say("one"));
  world.run->Settle();
  CHECK(world.run->frontend.sent.size() == 1);
  world.run->fail_before.reset();
  world.run->outbox->Reply(world.run->frontend, "c1", "m", "r", Say("answer"));
  world.run->Settle();
  CHECK(world.platform.Texts() == Names{"answer"});
  const auto before = world.clock.Now();
  CHECK(world.run->Until([&] { return world.platform.posts.size() == 2; }));
  CHECK(world.clock.Now() - before >= 290ms);
  world.run->Close();
}

TEST_CASE("what is too old is left out, with a count, also after a restart") {
  World world;
  world.Start();
  world.run->frontend.HoldReady(world.run->loop.get_executor());
  for (const char* text : {"one", "two"}) world.run->outbox->Notice("service", "api", text, Say(text));
  world.Kill();
  world.clock.Advance(25h);
  world.Start();
  world.run->outbox->Notice("service", "api", "three", Say("three"));
  world.run->Settle();
  CHECK(world.platform.Texts() == Names{"2 notices left out", "three"});
  world.run->Close();
}

TEST_CASE("a summary is one message, whenever the program is killed") {
  for (const bool posted : {false, true}) {
    World world;
    world.Start();
    if (posted) {
      world.run->frontend.HoldAcknowledgements(world.run->loop.get_executor());
    } else {
      world.run->fail_before = kDown;
    }
    for (int i = 0; i < 50; ++i) {
      const std::string text = "crash " + std::to_string(i);
      world.run->outbox->Notice("service", "api", text, Say(text));
    }
    world.run->Settle();
    world.Kill();
    world.clock.Advance(1h);
    world.Start();
    world.run->Settle();
    world.run->Close();
    REQUIRE(world.platform.posts.size() == 1);
    CHECK(world.platform.posts[0].text.starts_with("**50 notices at once**"));
  }
}

TEST_CASE("the post of an edit key is found after a restart") {
  World world;
  world.Start();
  Message message = Say("confirm?");
  message.edit_key = "confirm:api:1";
  world.run->outbox->Notice("deploy", "api", "confirm:api:1:asked", message);
  world.run->Settle();
  world.Kill();
  world.Start();
  message.headline = Text("confirmed by alice");
  world.run->outbox->Notice("deploy", "api", "confirm:api:1:answered", message);
  world.run->Settle();
  CHECK(world.platform.posts.size() == 1);
  REQUIRE(world.run->frontend.edits.size() == 1);
  CHECK(world.run->frontend.edits[0].text == "confirmed by alice");
  world.run->Close();
}

TEST_CASE("an edit that was not made when the program was killed is made after the next start") {
  World world;
  world.Start();
  Message message = Say("started");
  message.edit_key = "deploy:1";
  world.run->outbox->Notice("deploy", "api", "deploy:1:started", message);
  world.run->Settle();
  world.run->frontend.on_edit = [](const Revision&) -> Result<void> { return Fail(kDown); };
  message.headline = Text("succeeded");
  world.run->outbox->Notice("deploy", "api", "deploy:1:succeeded", message);
  world.run->Settle();
  world.Kill();
  world.Start();
  world.run->Settle();
  REQUIRE(world.run->frontend.edits.size() == 1);
  CHECK(world.run->frontend.edits[0].text == "succeeded");
  CHECK(world.platform.posts.size() == 1);
  world.run->Close();
}

TEST_CASE("an answer goes out before it is recorded, and is kept when it is acknowledged or recorded") {
  World world;
  world.Start();
  int kept = 0;
  const auto answer = [&](const std::string& key) {
    return Answer{.channel = "c1", .reply_to = "m", .key = key, .message = Say(key), .kept = [&kept] { ++kept; }};
  };
  world.run->outbox->Reply(world.run->frontend, answer("quick"));
  CHECK(kept == 0);
  world.run->Settle();
  CHECK(kept == 1);
  CHECK(world.run->database->Query("SELECT 1 FROM message", {}, [](const store::Row&) { FAIL("a row"); }).has_value());

  world.run->frontend.HoldAcknowledgements(world.run->loop.get_executor());
  world.run->outbox->Reply(world.run->frontend, answer("slow"));
  world.run->outbox->Reply(world.run->frontend, answer("waiting"));
  world.run->Settle();
  CHECK(kept == 1);
  CHECK(world.run->Until([&] { return kept == 3; }));
  world.Kill();
  world.Start();
  world.run->Settle();
  CHECK(world.platform.Texts() == Names{"quick", "slow", "waiting"});
  // Who comes late with another answer for the same command is not heard.
  Answer late = answer("slow");
  late.message = Say("interrupted by a restart");
  late.record = Answer::Record::kFirst;
  world.run->outbox->Reply(world.run->frontend, std::move(late));
  CHECK(kept == 4);
  world.run->Close();
  CHECK(world.platform.posts.size() == 3);
}

TEST_CASE("what a shutdown cannot send waits for the next start") {
  World world;
  world.Start();
  world.run->frontend.HoldSends(world.run->loop.get_executor());
  int kept = 0;
  world.run->outbox->Reply(
      world.run->frontend,
      {.channel = "c1", .reply_to = "m", .key = "r", .message = Say("answer"), .kept = [&kept] { ++kept; }});
  world.run->outbox->Notice("service", "api", "one", Say("one"));
  tests::RunTask(world.run->loop, world.run->outbox->Close(20ms));
  CHECK(kept == 1);
  world.Start();
  world.run->Close();
  CHECK(world.platform.Texts() == Names{"answer", "one"});
}

TEST_CASE("a rejected token ends the sending there; all waits for the next start") {
  World world;
  world.Start();
  world.run->fail_before = Error{.code = Errc::kAuth, .what = "the token was rejected"};
  for (const char* text : {"one", "two"}) world.run->outbox->Notice("service", "api", text, Say(text));
  world.run->Settle();
  CHECK(world.run->frontend.sent.size() == 1);
  world.run->Close();
  world.Start();
  world.run->Close();
  CHECK(world.platform.Texts() == Names{"one", "two"});
}

TEST_CASE("what will never be posted is given up, and what cannot be stored is posted") {
  World world;
  world.Start();
  world.run->fail_before = Error{.code = Errc::kRefused, .what = "no right to write"};
  world.run->outbox->Notice("service", "api", "one", Say("one"));
  world.run->Settle();
  world.run->fail_before.reset();
  CHECK(world.run->database->Execute("DROP TABLE message", {}).has_value());
  world.run->outbox->Notice("service", "api", "two", Say("two"));
  world.run->Settle();
  CHECK(world.platform.Texts() == Names{"two"});
  world.run->Close();
}

TEST_CASE("notices of a channel that is not configured any more are dropped; answers go where they were asked") {
  World world;
  world.Start();
  world.run->frontend.HoldReady(world.run->loop.get_executor());
  world.run->outbox->Notice("service", "api", "one", Say("one"));
  world.run->outbox->Reply(world.run->frontend, "dm", "m", "r", Say("answer"));
  CHECK(world.run->database->Execute("UPDATE message SET channel = 'gone'", {}).has_value());
  world.run->Until([&] { return world.clock.Now() > base::SteadyTime(1000h + 1s); });
  world.Kill();
  world.Start();
  world.run->Settle();
  CHECK(world.platform.Texts() == Names{"answer"});
  CHECK(world.run->frontend.sent.at(0).channel == "dm");
  world.run->Close();
}

TEST_CASE("killed at any point, any number of times: every announcement is seen exactly once, in order") {
  std::mt19937 random(11);
  const auto any = [&random](unsigned below) { return static_cast<unsigned>(random() % below); };
  World world;
  std::size_t told = 0;
  for (int life = 0; life < 150; ++life) {
    world.Start();
    Run& run = *world.run;
    const unsigned fault = any(6);
    if (fault == 0) run.fail_before = kDown;
    if (fault == 1) run.fail_after = kDown;
    if (fault == 2) run.frontend.HoldAcknowledgements(run.loop.get_executor());
    if (fault == 3) run.frontend.HoldReady(run.loop.get_executor());
    for (unsigned events = any(3); events > 0; --events) {
      // The same words may be told of two events.
      const std::string key = "event-" + std::to_string(told);
      run.outbox->Notice("service", "api", key, Say("event " + std::to_string(told++ / 2)));
    }
    run.loop.restart();
    for (unsigned steps = any(40); steps > 0; --steps) run.loop.poll_one();
    world.Kill();
    const std::chrono::seconds pauses[] = {1s, 30s, 400s};
    world.clock.Advance(pauses[any(3)]);
  }
  world.Start();
  CHECK(world.run->Until([&] { return world.platform.posts.size() >= told; }));
  world.run->Close();
  REQUIRE(world.platform.posts.size() == told);
  for (std::size_t i = 0; i < told; ++i) CHECK(world.platform.posts[i].key == "event-" + std::to_string(i) + "@c1");
}

}  // namespace
}  // namespace shipmate::chat
