#pragma once

// Deploys: the records of all deploys in history.db, written as they go on, and looked up by people. It is a Notifier
// like any other. Beyond a number the oldest records of a service go, with their log files.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mask.h"
#include "base/result.h"
#include "deploy/record.h"
#include "service/notifier.h"
#include "store/database.h"

namespace shipmate::history {

class Deploys final : public service::Notifier {
 public:
  /// `masker` may be null. REQUIRES: `database` (with the migrations of schema.h) and `clock` outlive it.
  Deploys(store::Database& database, const base::Clock& clock, std::shared_ptr<const base::Masker> masker);

  /// Records that an earlier run of the program left unfinished are marked as interrupted.
  Result<void> CloseUnfinished();
  /// The newest `count`, newest first; of `service` only where that is not empty. Without their steps.
  Result<std::vector<deploy::Record>> Latest(const std::string& service, std::size_t count);
  Result<std::optional<deploy::Record>> Find(std::uint64_t id);

  void DeployRecorded(const deploy::Record& record) override;
  void ServiceEvent(const std::string&, const std::string&, const service::EventDetail&) override {}
  void DeployStarted(const std::string&, const service::DeployDetail&) override {}
  void DeploySucceeded(const std::string&, const std::string&, const service::DeployDetail&) override {}
  void DeployFailed(const std::string&, const std::string&, const std::string&, const service::DeployDetail&) override {
  }
  void WebhookReceived(const std::string&, const service::WebhookInfo&) override {}
  void ConfirmationRequested(const std::string&, const service::Question&) override {}
  void DeployNewsCame(const std::string&, const service::DeployNews&) override {}

 private:
  Result<void> Write(const deploy::Record& record);
  Result<void> Tidy(const std::string& service);
  std::string Clean(const std::string& text) const;
  Result<std::vector<deploy::Record>> Read(const std::string& condition, const std::vector<store::Value>& parameters);

  store::Database& database_;
  const base::Clock& clock_;
  const std::shared_ptr<const base::Masker> masker_;
};

}  // namespace shipmate::history
