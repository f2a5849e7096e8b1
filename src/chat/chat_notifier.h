#pragma once

// ChatNotifier: words each event of the services for the channels, and hands it to the Outbox. A deploy, from the
// question or the queue to its result, is one post that is edited, and so is a row of crashes; where nothing can be
// edited, a deploy's steps are not told, and a row of crashes is told at its beginning, then each time its count
// doubles or some minutes have passed, and at its end.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "async/latch.h"
#include "async/task.h"
#include "base/clock.h"
#include "chat/deploy_progress.h"
#include "chat/outbox.h"
#include "service/notifier.h"

namespace shipmate::chat {

class ChatNotifier final : public service::Notifier {
 public:
  /// `prefix` is what a command starts with, for the hints. REQUIRES: the outbox and the clock outlive it.
  ChatNotifier(Outbox& outbox, const base::Clock& clock, std::string prefix);

  void ServiceEvent(const std::string& name, const std::string& event, const service::EventDetail& detail) override;
  void DeployStarted(const std::string& name, const service::DeployDetail& detail) override;
  void DeploySucceeded(const std::string& name, const std::string& output,
                       const service::DeployDetail& detail) override;
  void DeployFailed(const std::string& name, const std::string& step, const std::string& output,
                    const service::DeployDetail& detail) override;
  void WebhookReceived(const std::string& name, const service::WebhookInfo& info) override;
  void ConfirmationRequested(const std::string& name, const service::Question& question) override;
  void DeployNewsCame(const std::string& name, const service::DeployNews& news) override;
  void DeployRecorded(const deploy::Record& record) override;

  /// While a deploy runs, tells now and then for how long its step has run. Until cancelled. REQUIRES: called once.
  Task<void> KeepTime();
  /// What KeepTime does when it is time.
  void TellProgress();

 private:
  /// A row of crashes that was told and is not over.
  struct CrashRow {
    std::uint64_t incident = 0;
    std::string edit_key;
    std::string last;
    std::optional<base::SteadyTime> told;
  };

  /// Whether the crash that `detail` describes is worth a word where nothing can be edited.
  Message::Stage Worth(const std::string& name, const service::EventDetail& detail);
  void TellCrash(const std::string& name, const std::string& event, const service::EventDetail& detail);
  void TellFailed(const std::string& name, const service::EventDetail& detail);
  void Tell(const std::string& name, const std::string& event, const service::EventDetail& detail,
            const Message& message, Repeat repeat);
  std::string UniqueKey(const std::string& stem);
  void TellProgress(std::uint64_t id);

  Outbox& outbox_;
  const base::Clock& clock_;
  const std::string prefix_;
  // Sets the keys of one run of the program apart from those of the next.
  const std::int64_t run_;
  std::uint64_t events_ = 0;
  std::map<std::string, CrashRow> told_;
  DeployProgress deploys_;
  // Set when a deploy begins and KeepTime sleeps.
  std::shared_ptr<async::Event> wake_;
};

}  // namespace shipmate::chat
