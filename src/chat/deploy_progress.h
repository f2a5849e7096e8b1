#pragma once

// DeployProgress: what is known of the deploys that run, step by step, and how that reads. It is told of each by the
// service's events, and forgets a deploy at its end. It posts nothing.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "chat/message.h"
#include "deploy/record.h"
#include "service/notifier.h"

namespace shipmate::chat {

class DeployProgress {
 public:
  /// How the deploy stands after `record`; an ended one is forgotten.
  void Take(const deploy::Record& record);
  /// `news` of kind kProgress: a step begins, at `now`.
  void Take(const service::DeployNews& news, base::SteadyTime now);
  void Forget(std::uint64_t id) { running_.erase(id); }

  bool Empty() const { return running_.empty(); }
  std::vector<std::uint64_t> Running() const;
  /// The service that deploy `id` is of; "" when it is not known.
  std::string ServiceOf(std::uint64_t id) const;
  /// Whether the last step has succeeded, and what follows is not a step.
  bool StepsDone(std::uint64_t id) const;
  /// "Deploying api: step 2 of 4, `make`, for 12s (abc1234, alice)", and the steps before it with their times; nullopt
  /// when there is nothing to tell before its end.
  std::optional<Message> Describe(std::uint64_t id, base::SteadyTime now) const;

 private:
  struct Entry {
    deploy::Record record;
    std::size_t step = 0;
    std::string step_text;
    std::size_t done_before = 0;
    base::SteadyTime step_began;
  };
  std::map<std::uint64_t, Entry> running_;
};

/// The edit key of all that is told of one deploy.
std::string DeployPost(const std::string& service, std::uint64_t id);
/// " (12s, abc1234, alice)", of what is given.
std::string DeployRemark(const std::string& lasted, const std::string& commit, const std::string& actor);

}  // namespace shipmate::chat
