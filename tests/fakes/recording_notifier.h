#pragma once

// RecordingNotifier: keeps every event in order, for a test to compare or to wait for.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "service/notifier.h"

namespace shipmate::tests {

/// One recorded event; fields that its kind does not have keep their defaults.
struct RecordedEvent {
  enum class Kind {
    kService,
    kDeployStarted,
    kDeploySucceeded,
    kDeployFailed,
    kWebhook,
    kConfirmation,
    kNews,
  };
  Kind kind = Kind::kService;
  std::string name;
  std::string event;  ///< of kService
  std::string step;   ///< of kDeployFailed
  std::string output;
  service::EventDetail detail;
  service::DeployDetail deploy;
  service::WebhookInfo info;
  service::Question question;
  service::DeployNews news;

  bool operator==(const RecordedEvent&) const = default;

  /// One word for a compact comparison: "web started", "web deploy-started", "web deploy-failed", ...
  std::string Summary() const {
    switch (kind) {
      case Kind::kService:
        return name + " " + event;
      case Kind::kDeployStarted:
        return name + " deploy-started";
      case Kind::kDeploySucceeded:
        return name + " deploy-succeeded";
      case Kind::kDeployFailed:
        return name + " deploy-failed";
      case Kind::kWebhook:
        return name + " webhook";
      case Kind::kConfirmation:
        return name + " confirmation";
      case Kind::kNews:
        return name + " " + NewsWord();
    }
    return name;
  }

 private:
  std::string NewsWord() const {
    using News = service::DeployNews::Kind;
    switch (news.kind) {
      case News::kQueued:
        return "deploy-queued";
      case News::kProgress:
        return "deploy-step";
      case News::kConfirmed:
        return "confirmed";
      case News::kDeclined:
        return "declined";
      case News::kExpired:
        return "expired";
      case News::kRefused:
        return "refused";
      case News::kSuperseded:
        return "superseded";
      case News::kHeld:
        return "held";
      case News::kCancelled:
        return "deploy-cancelled";
      case News::kInterrupted:
        return "deploy-interrupted";
      case News::kFrozen:
        return "frozen";
      case News::kUnfrozen:
        return "unfrozen";
    }
    return "news";
  }
};

class RecordingNotifier final : public service::Notifier {
 public:
  using Kind = RecordedEvent::Kind;

  std::vector<RecordedEvent> events;
  /// Apart from the events, for there are many.
  std::vector<deploy::Record> records;
  std::vector<service::DeployNews> progress;
  /// Called after each event; may be empty.
  std::function<void(const RecordedEvent&)> on_event;

  std::vector<std::string> Summaries() const {
    std::vector<std::string> out;
    for (const RecordedEvent& event : events) out.push_back(event.Summary());
    return out;
  }
  std::size_t Count(const std::string& summary) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(events, [&summary](const RecordedEvent& event) { return event.Summary() == summary; }));
  }
  /// The newest event with that summary; nullptr when there is none.
  const RecordedEvent* Find(const std::string& summary) const {
    for (auto event = events.rbegin(); event != events.rend(); ++event) {
      if (event->Summary() == summary) return &*event;
    }
    return nullptr;
  }

  void ServiceEvent(const std::string& name, const std::string& event, const service::EventDetail& detail) override {
    RecordedEvent record{.kind = Kind::kService, .name = name};
    record.event = event;
    record.detail = detail;
    Keep(std::move(record));
  }
  void DeployStarted(const std::string& name, const service::DeployDetail& detail) override {
    RecordedEvent record{.kind = Kind::kDeployStarted, .name = name};
    record.deploy = detail;
    Keep(std::move(record));
  }
  void DeploySucceeded(const std::string& name, const std::string& output,
                       const service::DeployDetail& detail) override {
    RecordedEvent record{.kind = Kind::kDeploySucceeded, .name = name};
    record.output = output;
    record.deploy = detail;
    Keep(std::move(record));
  }
  void DeployFailed(const std::string& name, const std::string& step, const std::string& output,
                    const service::DeployDetail& detail) override {
    RecordedEvent record{.kind = Kind::kDeployFailed, .name = name};
    record.step = step;
    record.output = output;
    record.deploy = detail;
    Keep(std::move(record));
  }
  void WebhookReceived(const std::string& name, const service::WebhookInfo& info) override {
    RecordedEvent record{.kind = Kind::kWebhook, .name = name};
    record.info = info;
    Keep(std::move(record));
  }
  void ConfirmationRequested(const std::string& name, const service::Question& question) override {
    RecordedEvent record{.kind = Kind::kConfirmation, .name = name};
    record.info = question.info;
    record.question = question;
    Keep(std::move(record));
  }
  void DeployRecorded(const deploy::Record& record) override { records.push_back(record); }
  void DeployNewsCame(const std::string& name, const service::DeployNews& news) override {
    if (news.kind == service::DeployNews::Kind::kProgress) return progress.push_back(news);
    RecordedEvent record{.kind = Kind::kNews, .name = name};
    record.news = news;
    Keep(std::move(record));
  }

 private:
  void Keep(RecordedEvent event) {
    events.push_back(event);
    if (on_event) on_event(event);
  }
};

}  // namespace shipmate::tests
