// The table in restart_policy.h, cell by cell, and what an end is followed by.
#include "service/restart_policy.h"

#include <doctest/doctest.h>

#include <csignal>

#include "fakes/fake_clock.h"

namespace shipmate::service {

namespace {

using namespace std::chrono_literals;
using Kind = RestartAction::Kind;
using Phase = RestartPolicy::Phase;
using Action = RestartAction;

constexpr os::ExitStatus kUnknown;

os::ExitStatus Code(int code) {
  return {.code = code};
}

config::ServiceConfig Settings() {
  config::ServiceConfig config;
  config.start_limit = {.count = 4, .window = 60s};
  return config;
}

/// A policy with its time. Random is 1: waits are whole.
struct Bench {
  explicit Bench(const config::ServiceConfig& config = Settings()) : policy(config) {}

  Action Spawned() { return policy.Spawned(clock.Now()); }
  Action Ended(const os::ExitStatus& status = Code(1), std::chrono::milliseconds uptime = 5s) {
    return policy.Ended(status, uptime, clock.Now(), 1);
  }
  Action Unwell(std::chrono::milliseconds uptime = 5s) { return policy.Unwell(uptime, clock.Now(), 1); }
  Action StartFailed() { return policy.StartFailed(clock.Now(), 1); }
  Action Due() { return policy.Due(clock.Now()); }
  void Reach(Phase phase) {
    if (phase == Phase::kUp) Spawned();
    if (phase == Phase::kBackoff) Ended();
    if (phase == Phase::kFailed) policy.RestoreFailed("4 crashes in 1m");
    REQUIRE(policy.GetPhase() == phase);
  }

  tests::FakeClock clock;
  RestartPolicy policy;
};

constexpr Phase kPhases[] = {Phase::kDown, Phase::kUp, Phase::kBackoff, Phase::kFailed};

}  // namespace

TEST_CASE("a person's start and stop: down, and everything forgotten, from every phase") {
  for (const Phase phase : kPhases) {
    for (const bool start : {true, false}) {
      CAPTURE(static_cast<int>(phase));
      Bench bench;
      bench.Reach(phase);
      CHECK((start ? bench.policy.PersonStarts() : bench.policy.PersonStops()) == Action{});
      CHECK(bench.policy.GetPhase() == Phase::kDown);
      CHECK(bench.policy.Crashes() == 0);
      CHECK(bench.policy.Incident() == 0);
      CHECK(bench.policy.Reason().empty());
      // A wait that was under way is void.
      CHECK(bench.Due() == Action{});
    }
  }
}

TEST_CASE("spawned: up from every phase, and watched where there is an incident") {
  for (const Phase phase : kPhases) {
    CAPTURE(static_cast<int>(phase));
    Bench bench;
    bench.Reach(phase);
    const Action watch{.kind = Kind::kWatch, .delay = 10s};
    CHECK(bench.Spawned() == (phase == Phase::kBackoff ? watch : Action{}));
    CHECK(bench.policy.GetPhase() == Phase::kUp);
  }
}

TEST_CASE("an end and a failed start are a crash in every phase") {
  for (const Phase phase : kPhases) {
    for (const bool spawned : {true, false}) {
      CAPTURE(static_cast<int>(phase));
      Bench bench;
      bench.Reach(phase);
      const bool second = phase == Phase::kBackoff;
      CHECK((spawned ? bench.Ended() : bench.StartFailed()) == Action{.kind = Kind::kStart, .delay = second ? 2s : 1s});
      CHECK(bench.policy.GetPhase() == Phase::kBackoff);
      CHECK(bench.policy.Crashes() == (second ? 2 : 1));
      CHECK(bench.policy.Incident() == 1);
    }
  }
}

TEST_CASE("due: starts what waits, and nothing else") {
  for (const Phase phase : kPhases) {
    CAPTURE(static_cast<int>(phase));
    Bench bench;
    bench.Reach(phase);
    CHECK(bench.Due() == (phase == Phase::kBackoff ? Action{.kind = Kind::kStart} : Action{}));
  }
}

TEST_CASE("due while up in an incident: watched on until the run is stable, then recovered, once") {
  Bench bench;
  bench.Ended();
  bench.clock.Advance(2s);
  bench.Ended();
  bench.clock.Advance(3s);
  bench.Spawned();
  bench.clock.Advance(4s);
  CHECK(bench.Due() == Action{.kind = Kind::kWatch, .delay = 6s});
  bench.clock.Advance(6s);
  CHECK(bench.Due() == Action{.kind = Kind::kRecovered});
  CHECK(bench.policy.RecoveredCrashes() == 2);
  CHECK(bench.policy.DownFor() == 5s);
  CHECK(bench.policy.Incident() == 0);
  CHECK(bench.Due() == Action{});
  bench.Ended();
  CHECK(bench.policy.Incident() == 2);
}

TEST_CASE("which ends are followed by a start") {
  struct Row {
    config::RestartWhen when;
    os::ExitStatus status;
    Kind kind;
    Phase phase;
  };
  using When = config::RestartWhen;
  const Row rows[] = {
      {When::kAlways, Code(0), Kind::kStart, Phase::kBackoff},
      {When::kAlways, Code(1), Kind::kStart, Phase::kBackoff},
      {When::kAlways, kUnknown, Kind::kStart, Phase::kBackoff},
      {When::kOnFailure, Code(0), Kind::kLeave, Phase::kDown},
      {When::kOnFailure, Code(143), Kind::kLeave, Phase::kDown},
      {When::kOnFailure, {.signal = SIGTERM}, Kind::kLeave, Phase::kDown},
      {When::kOnFailure, Code(1), Kind::kStart, Phase::kBackoff},
      {When::kOnFailure, {.signal = SIGKILL}, Kind::kStart, Phase::kBackoff},
      {When::kOnFailure, kUnknown, Kind::kStart, Phase::kBackoff},
      {When::kNo, Code(0), Kind::kLeave, Phase::kDown},
      {When::kNo, Code(1), Kind::kLeave, Phase::kFailed},
      {When::kNo, kUnknown, Kind::kLeave, Phase::kFailed},
  };
  for (const Row& row : rows) {
    CAPTURE(row.status.Describe());
    CAPTURE(static_cast<int>(row.when));
    auto config = Settings();
    config.restart = row.when;
    Bench bench(config);
    bench.Spawned();
    CHECK(bench.Ended(row.status).kind == row.kind);
    CHECK(bench.policy.GetPhase() == row.phase);
    CHECK(bench.policy.Reason() == (row.phase == Phase::kFailed ? row.status.Describe() : ""));
  }
  auto config = Settings();
  config.restart = When::kNo;
  Bench bench(config);
  CHECK(bench.StartFailed() == Action{.kind = Kind::kLeave});
  CHECK(bench.policy.Reason() == "it could not be started");
}

TEST_CASE("waits grow by the factor up to the most; random draws between the half and the whole") {
  auto config = Settings();
  config.start_limit.count = 0;
  config.backoff = {.initial = 100ms, .max = 1s, .factor = 3};
  Bench bench(config);
  CHECK(bench.Ended().delay == 100ms);
  CHECK(bench.Ended().delay == 300ms);
  CHECK(bench.Ended().delay == 900ms);
  CHECK(bench.Ended().delay == 1s);
  for (int i = 0; i < 5000; ++i) bench.Ended();
  CHECK(bench.Ended().delay == 1s);
  CHECK(bench.policy.Ended(Code(1), 5s, bench.clock.Now(), 0).delay == 500ms);
  config.backoff.initial = 0ms;
  bench.policy.Configure(config);
  CHECK(bench.Ended() == Action{.kind = Kind::kStart});
}

TEST_CASE("after a run that had proved itself the first start comes at once, and the waits begin with the next") {
  Bench bench;
  CHECK(bench.Ended(Code(1), 10s) == Action{.kind = Kind::kStart});
  CHECK(bench.Ended(Code(1), 10s).delay == 1s);
  CHECK(bench.StartFailed().delay == 2s);
  bench.policy.PersonStarts();
  CHECK(bench.Ended(Code(1), 9999ms).delay == 1s);
  bench.policy.PersonStarts();
  CHECK(bench.StartFailed().delay == 1s);
}

TEST_CASE("an end for its health is a crash in every phase and by all settings; that it is over is not said") {
  for (const Phase phase : kPhases) {
    CAPTURE(static_cast<int>(phase));
    auto config = Settings();
    config.restart = config::RestartWhen::kNo;
    Bench bench(config);
    bench.Reach(phase == Phase::kBackoff ? Phase::kDown : phase);
    if (phase == Phase::kBackoff) bench.Unwell();
    CHECK(bench.Unwell() == Action{.kind = Kind::kStart, .delay = phase == Phase::kBackoff ? 2s : 1s});
    CHECK(bench.policy.GetPhase() == Phase::kBackoff);
    bench.Spawned();
    bench.clock.Advance(10s);
    CHECK(bench.Due() == Action{});
    CHECK(bench.policy.Crashes() == 0);
  }
  Bench bench;
  CHECK(bench.Unwell(10s) == Action{.kind = Kind::kStart});
  CHECK(bench.Ended().delay == 1s);
  CHECK(bench.Unwell().delay == 2s);
  CHECK(bench.Unwell() == Action{.kind = Kind::kGiveUp});
  bench.policy.PersonStarts();
  bench.Unwell();
  bench.Ended();
  bench.Spawned();
  bench.clock.Advance(10s);
  CHECK(bench.Due() == Action{.kind = Kind::kRecovered});
}

TEST_CASE("so many crashes within the window: given up; spread wider, never") {
  Bench bench;
  for (int i = 0; i < 3; ++i) {
    CHECK(bench.Ended().kind == Kind::kStart);
    bench.clock.Advance(19s);
  }
  CHECK(bench.Ended() == Action{.kind = Kind::kGiveUp});
  CHECK(bench.policy.GetPhase() == Phase::kFailed);
  CHECK(bench.policy.Reason() == "4 crashes in 1m");
  CHECK(bench.policy.Crashes() == 4);
  bench.policy.PersonStarts();
  for (int i = 0; i < 50; ++i) {
    CHECK(bench.Ended().kind == Kind::kStart);
    bench.clock.Advance(21s);
  }
}

TEST_CASE("incidents close upon one another need ever longer runs to end; a long run makes them short again") {
  Bench bench;
  const auto incident = [&](std::chrono::milliseconds uptime) {
    bench.Ended(Code(1), uptime);
    const Action watch = bench.Spawned();
    bench.clock.Advance(watch.delay);
    CHECK(bench.Due() == Action{.kind = Kind::kRecovered});
    return watch.delay;
  };
  CHECK(incident(1h) == 10s);
  CHECK(incident(61s) == 20s);
  CHECK(incident(61s) == 40s);
  CHECK(incident(319s) == 80s);
  CHECK(incident(1h) == 10s);
  CHECK(incident(1s) == 20s);
  bench.policy.PersonStarts();
  CHECK(incident(1s) == 10s);
}

TEST_CASE("a start that is held is not made, and the incident goes on") {
  Bench bench;
  bench.Ended();
  bench.policy.Hold();
  CHECK(bench.Due() == Action{});
  CHECK(bench.Spawned() == Action{.kind = Kind::kWatch, .delay = 10s});
}

}  // namespace shipmate::service
