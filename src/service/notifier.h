#pragma once

// Notifier: the way of events, upwards. Whoever wants to know what happens to services (chat, later history, metrics,
// the live page) is a Notifier in the MultiNotifier. Calls come from the loop, in order, and must return at once: they
// neither suspend nor fail.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "deploy/record.h"
#include "os/exit_watch.h"
#include "service/webhook_info.h"

namespace shipmate::service {

/// Who has heard of an end before its event comes.
enum class Told {
  kNobody,
  kInAnswer,  ///< the answer of the command under way tells it
  kInDeploy,  ///< the deploy's failure tells it
};

/// What is known beside the word of a ServiceEvent.
struct EventDetail {
  /// Counts the starts of this service; a pair of service and generation names one process instance.
  std::uint64_t generation = 0;
  /// Process services only; 0 = not known.
  int pid = 0;
  /// For `exited` and `failed`: how, after how long, and the end of its log (raw bytes, at most 2000).
  std::optional<os::ExitStatus> exit;
  std::chrono::milliseconds uptime{0};
  std::string log_tail;
  /// For `unhealthy`: why. For `restarted` and `stopped` because of that: "unhealthy: ...". For what happened to a unit
  /// without our doing: the unit manager's word for its end ("exit-code"), "outside" for a start. For `failed` of an
  /// incident, and the crash that led to it: why it is left to a person: "5 crashes in 1m".
  std::string reason;
  /// For `start-failed`, and a `failed` whose last crash had no exit: a phrase that says why.
  std::string error;

  /// The crash or row of crashes that the event belongs to, ascending in one run of ours; 0 = none.
  std::uint64_t incident = 0;
  /// Of the incident so far.
  unsigned crashes = 0;
  /// For `exited` and `start-failed`: after what time it is started again, if it is.
  std::optional<std::chrono::milliseconds> next_start;
  /// For `recovered`: from the first crash to the last start.
  std::chrono::milliseconds down{0};
  Told told = Told::kNobody;
  /// For `started` and `restarted`: nobody asked for it.
  bool automatic = false;
  /// For `started`, and an `exited` that was a success: of a run that its schedule began.
  bool scheduled = false;

  bool operator==(const EventDetail&) const = default;
};

/// Which deploy an event belongs to.
struct DeployDetail {
  /// Unique in this state directory; ascending.
  std::uint64_t id = 0;
  /// Who asked, as shown: "alice", "push by bob", "console".
  std::string actor;
  /// How long it took; for results.
  std::chrono::milliseconds duration{0};
  /// What is deployed, where it is known.
  std::string branch;
  std::string commit;
  std::string subject;
  /// For results: what else a person should know, such as a commit that is not the one asked for.
  std::string note;
  /// For failures: what was done about it, and what runs now; "" = nothing was done.
  std::string aftermath;

  bool operator==(const DeployDetail&) const = default;
};

/// What else there is to tell of a deploy, or of the question whether it may begin.
struct DeployNews {
  enum class Kind {
    kQueued,       ///< it waits; `why` says for what
    kProgress,     ///< step `step` of `steps` begins
    kConfirmed,    ///< `actor` said yes
    kDeclined,     ///< `actor` said no
    kExpired,      ///< nobody answered in time
    kRefused,      ///< it does not take place; `why`
    kSuperseded,   ///< something newer took its place; `why`
    kHeld,         ///< remembered until a freeze ends; `why`
    kCancelled,    ///< by `actor`; where, when it had begun
    kInterrupted,  ///< Shipmate ended while it ran; where
    kFrozen,       ///< no deploys from now on; `why`
    kUnfrozen,     ///< deploys again
  };
  Kind kind = Kind::kQueued;
  /// The deploy's; the same from the question to the end. 0 = it is about no single deploy.
  std::uint64_t id = 0;
  std::string actor;
  std::string why;
  std::string branch;
  std::string commit;
  std::string subject;
  /// From 1; 0 = before the first step.
  std::size_t step = 0;
  std::size_t steps = 0;
  std::string step_text;

  bool operator==(const DeployNews&) const = default;
};

/// A deploy that waits for a person's word.
struct Question {
  std::uint64_t id = 0;
  WebhookInfo info;
  /// Who wishes it, as shown.
  std::string actor;
  std::chrono::seconds ttl{0};
  /// What to add to the command that confirms, so that it means this question and no other: the start of the commit.
  std::string token;

  bool operator==(const Question&) const = default;
};

class Notifier {
 public:
  virtual ~Notifier() = default;
  /// `event` is one of started, stopped, restarted, unhealthy, healthy (again); exited and start-failed (a crash, where
  /// an incident is given); failed (given up after the crashes of an incident; without one, a unit's end that its
  /// manager calls so); recovered (the incident is over); run-missed and run-skipped (of a schedule; `reason` is a
  /// sentence that says which, and what becomes of it).
  virtual void ServiceEvent(const std::string& name, const std::string& event, const EventDetail& detail) = 0;
  virtual void DeployStarted(const std::string& name, const DeployDetail& detail) = 0;
  virtual void DeploySucceeded(const std::string& name, const std::string& output, const DeployDetail& detail) = 0;
  /// `step` is the text of the step that failed, or "restart".
  virtual void DeployFailed(const std::string& name, const std::string& step, const std::string& output,
                            const DeployDetail& detail) = 0;
  virtual void WebhookReceived(const std::string& name, const WebhookInfo& info) = 0;
  virtual void ConfirmationRequested(const std::string& name, const Question& question) = 0;
  /// `name` is "" for what concerns every service.
  virtual void DeployNewsCame(const std::string& name, const DeployNews& news) = 0;
  /// How a deploy stands: when it begins, after each step, and last when it has ended.
  virtual void DeployRecorded(const deploy::Record& record) = 0;
};

/// Passes every event to each member in order. Members are not owned and must outlive it.
class MultiNotifier final : public Notifier {
 public:
  MultiNotifier() = default;
  explicit MultiNotifier(std::vector<Notifier*> members) : members_(std::move(members)) {}
  void Add(Notifier& member) { members_.push_back(&member); }

  void ServiceEvent(const std::string& name, const std::string& event, const EventDetail& detail) override;
  void DeployStarted(const std::string& name, const DeployDetail& detail) override;
  void DeploySucceeded(const std::string& name, const std::string& output, const DeployDetail& detail) override;
  void DeployFailed(const std::string& name, const std::string& step, const std::string& output,
                    const DeployDetail& detail) override;
  void WebhookReceived(const std::string& name, const WebhookInfo& info) override;
  void ConfirmationRequested(const std::string& name, const Question& question) override;
  void DeployNewsCame(const std::string& name, const DeployNews& news) override;
  void DeployRecorded(const deploy::Record& record) override;

 private:
  std::vector<Notifier*> members_;
};

/// Does nothing.
class NopNotifier final : public Notifier {
 public:
  void ServiceEvent(const std::string&, const std::string&, const EventDetail&) override {}
  void DeployStarted(const std::string&, const DeployDetail&) override {}
  void DeploySucceeded(const std::string&, const std::string&, const DeployDetail&) override {}
  void DeployFailed(const std::string&, const std::string&, const std::string&, const DeployDetail&) override {}
  void WebhookReceived(const std::string&, const WebhookInfo&) override {}
  void ConfirmationRequested(const std::string&, const Question&) override {}
  void DeployNewsCame(const std::string&, const DeployNews&) override {}
  void DeployRecorded(const deploy::Record&) override {}
};

}  // namespace shipmate::service
