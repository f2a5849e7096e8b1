#pragma once

// ChatNotifier: words each event of the services for the channels, and hands it to the Outbox.

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "chat/outbox.h"
#include "service/notifier.h"

namespace shipmate::chat {

class ChatNotifier final : public service::Notifier {
 public:
  /// `prefix` is what a command starts with, for the hints. REQUIRES: the outbox outlives it.
  ChatNotifier(Outbox& outbox, const base::Clock& clock, std::string prefix);

  void ServiceEvent(const std::string& name, const std::string& event, const service::EventDetail& detail) override;
  void DeployStarted(const std::string& name, const service::DeployDetail& detail) override;
  void DeploySucceeded(const std::string& name, const std::string& output,
                       const service::DeployDetail& detail) override;
  void DeployFailed(const std::string& name, const std::string& step, const std::string& output,
                    const service::DeployDetail& detail) override;
  void WebhookReceived(const std::string& name, const service::WebhookInfo& info) override;
  void ConfirmationRequested(const std::string& name, const service::WebhookInfo& info,
                             std::chrono::seconds ttl) override;

 private:
  std::string UniqueKey(const std::string& stem);

  Outbox& outbox_;
  const std::string prefix_;
  // Sets the keys of one run of the program apart from those of the next.
  const std::int64_t run_;
  std::uint64_t events_ = 0;
};

}  // namespace shipmate::chat
