#include "service/notifier.h"

namespace shipmate::service {

void MultiNotifier::ServiceEvent(const std::string& name, const std::string& event, const EventDetail& detail) {
  for (Notifier* member : members_) member->ServiceEvent(name, event, detail);
}

void MultiNotifier::DeployStarted(const std::string& name, const DeployDetail& detail) {
  for (Notifier* member : members_) member->DeployStarted(name, detail);
}

void MultiNotifier::DeploySucceeded(const std::string& name, const std::string& output, const DeployDetail& detail) {
  for (Notifier* member : members_) member->DeploySucceeded(name, output, detail);
}

void MultiNotifier::DeployFailed(const std::string& name, const std::string& step, const std::string& output,
                                 const DeployDetail& detail) {
  for (Notifier* member : members_) member->DeployFailed(name, step, output, detail);
}

void MultiNotifier::WebhookReceived(const std::string& name, const WebhookInfo& info) {
  for (Notifier* member : members_) member->WebhookReceived(name, info);
}

void MultiNotifier::ConfirmationRequested(const std::string& name, const Question& question) {
  for (Notifier* member : members_) member->ConfirmationRequested(name, question);
}

void MultiNotifier::DeployNewsCame(const std::string& name, const DeployNews& news) {
  for (Notifier* member : members_) member->DeployNewsCame(name, news);
}

void MultiNotifier::DeployRecorded(const deploy::Record& record) {
  for (Notifier* member : members_) member->DeployRecorded(record);
}

}  // namespace shipmate::service
