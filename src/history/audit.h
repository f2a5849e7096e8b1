#pragma once

// Audit: every command that was given, who gave it, where, what was decided and what came of it; and, by the same rows,
// which messages were acted upon already, so that none is acted upon twice, whatever was killed in between. In
// history.db; bounded by age and count. Known secrets are masked before anything is written. Used on the loop: each
// call is one small transaction.

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mask.h"
#include "base/result.h"
#include "store/database.h"

namespace shipmate::history {

struct CommandRecord {
  /// Together they name a message, once for all time.
  std::string platform;
  std::string message_id;
  std::string channel;
  std::string actor_id;
  std::string actor_name;
  std::string text;
  /// "allowed", "refused: needs admin, has none", "not understood", "missed".
  std::string decision;
  /// The first line of the answer; "" while there is none.
  std::string result;
  base::WallTime at;
  bool operator==(const CommandRecord&) const = default;
};

/// What is kept.
struct AuditLimits {
  std::chrono::hours age{std::chrono::days(365)};
  /// Of commands that ran, and as many of those that did not.
  std::size_t rows = 50'000;
};

enum class Seen { kNew, kBefore };

class Audit {
 public:
  /// `masker` may be null. REQUIRES: `database` (with the migrations of schema.h) and `clock` outlive it.
  Audit(store::Database& database, const base::Clock& clock, std::shared_ptr<const base::Masker> masker,
        AuditLimits limits = {});

  /// Writes the row of a command that is about to run; its time is now, its result is not written. kBefore: the message
  /// was acted upon already, and nothing was written.
  Result<Seen> Begin(const CommandRecord& command);
  /// Writes what came of it. No effect on a message that is not there.
  Result<void> Finish(const std::string& platform, const std::string& message_id, const std::string& result);
  /// The newest `count` rows, newest first.
  Result<std::vector<CommandRecord>> Latest(std::size_t count);
  /// The rows without a result, oldest first: what a run of the program before this one left.
  Result<std::vector<CommandRecord>> Unanswered();
  /// Remembers the newest message read in a channel: what came after it was missed.
  Result<void> NoteSeen(const std::string& platform, const std::string& channel, const std::string& message_id);
  /// "" when nothing was ever read there.
  Result<std::string> LastSeen(const std::string& platform, const std::string& channel);
  /// Drops what is beyond the limits. Begin does it from time to time.
  Result<void> Tidy();

 private:
  std::string Clean(const std::string& text, std::size_t runes) const;
  Result<std::vector<CommandRecord>> Read(const std::string& condition, const std::vector<store::Value>& parameters);

  store::Database& database_;
  const base::Clock& clock_;
  std::shared_ptr<const base::Masker> masker_;
  AuditLimits limits_;
  std::size_t begun_ = 0;
};

}  // namespace shipmate::history
