#include "service/notifier.h"

#include <doctest/doctest.h>

#include "fakes/recording_notifier.h"

using namespace shipmate;
using tests::RecordedEvent;
using tests::RecordingNotifier;

namespace {

void SendAll(service::Notifier& notifier) {
  service::EventDetail detail;
  detail.generation = 3;
  detail.pid = 12;
  detail.exit = os::ExitStatus{.code = 3};
  detail.uptime = std::chrono::seconds(5);
  detail.log_tail = "bye";
  service::DeployDetail deploy;
  deploy.id = 7;
  deploy.actor = "alice";
  deploy.duration = std::chrono::seconds(9);
  service::WebhookInfo info;
  info.repo = "acme/app";
  info.branch = "main";
  notifier.ServiceEvent("web", "exited", detail);
  notifier.DeployStarted("web", deploy);
  notifier.DeploySucceeded("web", "out", deploy);
  notifier.DeployFailed("web", "make", "err", deploy);
  notifier.WebhookReceived("web", info);
  notifier.ConfirmationRequested("web",
                                 {.id = 3, .info = info, .actor = "", .ttl = std::chrono::minutes(10), .token = ""});
}

}  // namespace

TEST_CASE("each event reaches every member with equal arguments") {
  RecordingNotifier first;
  RecordingNotifier second;
  service::MultiNotifier multi({&first});
  multi.Add(second);
  SendAll(multi);

  CHECK(first.Summaries() == std::vector<std::string>{"web exited", "web deploy-started", "web deploy-succeeded",
                                                      "web deploy-failed", "web webhook", "web confirmation"});
  CHECK(first.events == second.events);

  RecordingNotifier direct;
  SendAll(direct);
  CHECK(first.events == direct.events);
  REQUIRE(first.Find("web deploy-failed") != nullptr);
  CHECK(first.Find("web deploy-failed")->step == "make");
  CHECK(first.Find("web deploy-failed")->output == "err");
  CHECK(first.Find("web deploy-failed")->deploy.actor == "alice");
  CHECK(first.Find("web confirmation")->question.ttl == std::chrono::minutes(10));
  CHECK(first.Find("web exited")->detail.exit->code == 3);
}

TEST_CASE("members are called in the order in which they were given") {
  std::vector<int> order;
  RecordingNotifier first;
  RecordingNotifier second;
  first.on_event = [&order](const RecordedEvent&) { order.push_back(1); };
  second.on_event = [&order](const RecordedEvent&) { order.push_back(2); };
  service::MultiNotifier multi({&second, &first});
  multi.ServiceEvent("web", "started", {});
  multi.ServiceEvent("web", "stopped", {});
  CHECK(order == std::vector<int>{2, 1, 2, 1});
}

TEST_CASE("an empty MultiNotifier and a NopNotifier take every event") {
  service::MultiNotifier empty;
  service::NopNotifier nop;
  CHECK_NOTHROW(SendAll(empty));
  CHECK_NOTHROW(SendAll(nop));
  RecordingNotifier recorder;
  service::MultiNotifier mixed({&nop, &empty, &recorder});
  SendAll(mixed);
  CHECK(recorder.events.size() == 6);
}
