#pragma once

// How pushes, commits and wishes read in one line.

#include <string>

#include "base/clock.h"
#include "gate/push.h"
#include "gate/wish.h"

namespace shipmate::gate {

/// The first seven characters of a commit.
std::string Short(const std::string& commit);
/// "push by bob": the pusher, else the author, cut and escaped: it comes from outside.
std::string PushActor(const service::WebhookInfo& info);
/// "push of abc1234 to main by bob"
std::string DescribePush(const PushRequest& push);
/// What a wish would deploy: "abc1234 (main)", "the newest of main".
std::string DescribeTarget(const Wish& wish);
/// See service::Question::token: the start of the commit, or "#12" without one.
std::string TokenOf(const Wish& wish);
/// "5m ago", "just now"
std::string Ago(base::WallTime then, base::WallTime now);

}  // namespace shipmate::gate
