#pragma once

// WebhookInfo: what a forge's push told, and its one-message text.

#include <string>
#include <string_view>

namespace shipmate::service {

struct WebhookInfo {
  std::string repo;
  std::string branch;
  std::string compare;
  std::string pusher;
  std::string commit_id;
  std::string commit_msg;
  std::string commit_url;
  std::string author;
  std::string timestamp;

  /// The first seven bytes of the commit id; all of a shorter one.
  std::string ShortSHA() const;
  /// The first non-empty line of the message without `\r`; beyond 300 code points the first 300 and "...".
  std::string ShortMessage() const;
  /// "Webhook for <wrapped>: ..." in Markdown; `wrapped` is the service's name as the platform emphasises it. Every
  /// part is cut to one line; see the tests for the exact forms.
  std::string FormatMessage(std::string_view wrapped) const;

  bool operator==(const WebhookInfo&) const = default;
};

}  // namespace shipmate::service
