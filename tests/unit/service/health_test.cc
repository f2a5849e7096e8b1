// HealthMachine, cell by cell: each case compares the exact actions.

#include "service/health.h"

#include <doctest/doctest.h>

#include <chrono>

using namespace shipmate;
using service::HealthMachine;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Actions = HealthMachine::Actions;
using News = HealthMachine::News;
using Probe = HealthMachine::Probe;
using Word = HealthMachine::Word;

namespace {

const base::SteadyTime kStart{hours(5)};

config::HealthConfig Rules(config::HealthConfig::OnUnhealthy policy) {
  config::HealthConfig rules;
  rules.interval = seconds(10);
  rules.start_period = seconds(5);
  rules.threshold = 2;
  rules.on_unhealthy = policy;
  return rules;
}
config::HealthConfig Reports() {
  return Rules(config::HealthConfig::OnUnhealthy::kReport);
}
config::HealthConfig Restarts() {
  return Rules(config::HealthConfig::OnUnhealthy::kRestart);
}

Actions At(milliseconds when) {
  return {.probe_at = kStart + when};
}
Actions Tell(milliseconds when, News news) {
  return {.probe_at = kStart + when, .news = news};
}

HealthMachine Healthy() {
  HealthMachine machine(Reports());
  static_cast<void>(machine.Started(kStart));
  static_cast<void>(machine.Probed(Probe::kSucceeded, kStart));
  return machine;
}

}  // namespace

TEST_CASE("health: a start is probed quickly, then slower, and at the end of its period") {
  HealthMachine machine(Reports());
  CHECK(machine.GetWord() == Word::kUnknown);
  CHECK(machine.Started(kStart) == At(milliseconds(100)));
  CHECK(machine.GetWord() == Word::kStarting);
  CHECK(machine.Probed(Probe::kFailed, kStart + milliseconds(100)) == At(milliseconds(300)));
  CHECK(machine.Probed(Probe::kFailed, kStart + milliseconds(300)) == At(milliseconds(700)));
  CHECK(machine.Probed(Probe::kFailed, kStart + milliseconds(700)) == At(milliseconds(1500)));
  CHECK(machine.Probed(Probe::kFailed, kStart + milliseconds(1500)) == At(milliseconds(2500)));
  CHECK(machine.Probed(Probe::kFailed, kStart + milliseconds(4999)) == At(seconds(5)));
  CHECK(machine.GetWord() == Word::kStarting);
  CHECK(machine.Probed(Probe::kFailed, kStart + seconds(5)) == Tell(seconds(15), News::kUnhealthy));
  CHECK(machine.GetWord() == Word::kUnhealthy);
}

TEST_CASE("health: a start that works is no news") {
  HealthMachine machine(Reports());
  static_cast<void>(machine.Started(kStart));
  CHECK(machine.Probed(Probe::kSucceeded, kStart + seconds(1)) == At(seconds(11)));
  CHECK(machine.GetWord() == Word::kHealthy);
}

TEST_CASE("health: a late success of a start counts") {
  HealthMachine machine(Reports());
  static_cast<void>(machine.Started(kStart));
  CHECK(machine.Probed(Probe::kSucceeded, kStart + seconds(6)) == At(seconds(16)));
  CHECK(machine.GetWord() == Word::kHealthy);
}

TEST_CASE("health: failures in a row make it unhealthy, once; a success makes it healthy") {
  HealthMachine machine = Healthy();
  CHECK(machine.Probed(Probe::kFailed, kStart + seconds(10)) == At(seconds(20)));
  CHECK(machine.Probed(Probe::kSucceeded, kStart + seconds(20)) == At(seconds(30)));
  CHECK(machine.Probed(Probe::kFailed, kStart + seconds(30)) == At(seconds(40)));
  CHECK(machine.GetWord() == Word::kHealthy);
  CHECK(machine.Probed(Probe::kFailed, kStart + seconds(40)) == Tell(seconds(50), News::kUnhealthy));
  CHECK(machine.GetWord() == Word::kUnhealthy);
  CHECK(machine.Probed(Probe::kFailed, kStart + seconds(50)) == At(seconds(60)));
  CHECK(machine.Probed(Probe::kSucceeded, kStart + seconds(60)) == Tell(seconds(70), News::kHealthy));
  CHECK(machine.GetWord() == Word::kHealthy);
  CHECK(machine.Probed(Probe::kSucceeded, kStart + seconds(70)) == At(seconds(80)));
}

TEST_CASE("health: what is found running is unknown until a probe tells, and has its threshold") {
  HealthMachine machine(Reports());
  CHECK(machine.Found(kStart, hours(1)) == At(seconds(0)));
  CHECK(machine.GetWord() == Word::kUnknown);
  CHECK(machine.Probed(Probe::kFailed, kStart) == At(seconds(10)));
  CHECK(machine.GetWord() == Word::kUnknown);
  CHECK(machine.Probed(Probe::kFailed, kStart + seconds(10)) == Tell(seconds(20), News::kUnhealthy));

  HealthMachine working(Reports());
  static_cast<void>(working.Found(kStart, hours(1)));
  CHECK(working.Probed(Probe::kSucceeded, kStart) == At(seconds(10)));
  CHECK(working.GetWord() == Word::kHealthy);
}

TEST_CASE("health: what is found young keeps the rest of its start period") {
  HealthMachine machine(Reports());
  CHECK(machine.Found(kStart, seconds(4)) == At(seconds(0)));
  CHECK(machine.GetWord() == Word::kStarting);
  CHECK(machine.Probed(Probe::kFailed, kStart + milliseconds(950)) == At(seconds(1)));
  CHECK(machine.Probed(Probe::kFailed, kStart + seconds(1)) == Tell(seconds(11), News::kUnhealthy));
}

TEST_CASE("health: what does not run is unknown, and looked at again") {
  HealthMachine machine = Healthy();
  CHECK(machine.NotRunning(kStart + seconds(10)) == At(seconds(20)));
  CHECK(machine.GetWord() == Word::kUnknown);
}

TEST_CASE("health: restarts at once, then after waits that double, and tells once") {
  HealthMachine machine(Restarts());
  static_cast<void>(machine.Started(kStart));
  CHECK(machine.Probed(Probe::kFailed, kStart + seconds(5)) ==
        Actions{.probe_at = kStart + seconds(15), .news = News::kUnhealthy, .restart = true});
  // The next instance does not work either: 10 seconds from the last restart on are over when its period is.
  static_cast<void>(machine.Started(kStart + seconds(6)));
  CHECK(machine.Probed(Probe::kFailed, kStart + seconds(11)) == At(seconds(21)));
  CHECK(machine.Probed(Probe::kFailed, kStart + seconds(21)) ==
        Actions{.probe_at = kStart + seconds(31), .restart = true});
  static_cast<void>(machine.Started(kStart + seconds(22)));
  CHECK(machine.Probed(Probe::kFailed, kStart + seconds(27)) == At(seconds(37)));
  CHECK(machine.Probed(Probe::kFailed, kStart + seconds(37)) == At(seconds(47)));
  CHECK(machine.Probed(Probe::kFailed, kStart + seconds(47)).restart);
  // It works at last.
  static_cast<void>(machine.Started(kStart + seconds(48)));
  CHECK(machine.Probed(Probe::kSucceeded, kStart + seconds(49)) == Tell(seconds(59), News::kHealthy));
  // Not for long: the wait of before still counts.
  static_cast<void>(machine.Probed(Probe::kFailed, kStart + seconds(59)));
  CHECK(machine.Probed(Probe::kFailed, kStart + seconds(69)) == Tell(seconds(79), News::kUnhealthy));
  CHECK(machine.Probed(Probe::kFailed, kStart + seconds(79)) == At(seconds(89)));
  CHECK(machine.Probed(Probe::kFailed, kStart + seconds(89)).restart);
}

TEST_CASE("health: a good while makes restarts forgotten") {
  HealthMachine machine(Restarts());
  static_cast<void>(machine.Started(kStart));
  CHECK(machine.Probed(Probe::kFailed, kStart + seconds(5)).restart);
  static_cast<void>(machine.Started(kStart + seconds(5)));
  static_cast<void>(machine.Probed(Probe::kSucceeded, kStart + seconds(6)));
  static_cast<void>(machine.Probed(Probe::kSucceeded, kStart + seconds(66)));
  static_cast<void>(machine.Probed(Probe::kFailed, kStart + seconds(67)));
  CHECK(machine.Probed(Probe::kFailed, kStart + seconds(68)) ==
        Actions{.probe_at = kStart + seconds(78), .news = News::kUnhealthy, .restart = true});
}

TEST_CASE("health: the longest wait between restarts") {
  HealthMachine machine(Restarts());
  auto now = kStart;
  static_cast<void>(machine.Started(now));
  int restarts = 0;
  while (restarts < 12) {
    now += seconds(5);
    restarts += machine.Probed(Probe::kFailed, now).restart ? 1 : 0;
  }
  CHECK_FALSE(machine.Probed(Probe::kFailed, now + minutes(10) - seconds(1)).restart);
  CHECK(machine.Probed(Probe::kFailed, now + minutes(10)).restart);
}

TEST_CASE("health: a stop ends the story") {
  HealthMachine machine = Healthy();
  static_cast<void>(machine.Probed(Probe::kFailed, kStart + seconds(10)));
  static_cast<void>(machine.Probed(Probe::kFailed, kStart + seconds(20)));
  machine.Stopped();
  CHECK(machine.GetWord() == Word::kUnknown);
  static_cast<void>(machine.Started(kStart + seconds(30)));
  CHECK(machine.Probed(Probe::kSucceeded, kStart + seconds(31)) == At(seconds(41)));
}

TEST_CASE("health: new settings count from the next probe on") {
  HealthMachine machine = Healthy();
  auto rules = Restarts();
  rules.threshold = 1;
  rules.interval = seconds(1);
  machine.Configure(rules);
  CHECK(machine.Probed(Probe::kFailed, kStart + seconds(10)) ==
        Actions{.probe_at = kStart + seconds(11), .news = News::kUnhealthy, .restart = true});
}

TEST_CASE("health: words") {
  CHECK(service::ToString(Word::kUnknown) == "");
  CHECK(service::ToString(Word::kStarting) == "starting");
  CHECK(service::ToString(Word::kHealthy) == "healthy");
  CHECK(service::ToString(Word::kUnhealthy) == "unhealthy");
}
