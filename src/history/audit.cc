#include "history/audit.h"

#include <cstdint>

#include "base/text.h"

namespace shipmate::history {

namespace {

// Enough to see what was asked and what came of it, whatever was pasted.
constexpr std::size_t kLongestText = 500;
constexpr std::size_t kLongestName = 100;
constexpr std::size_t kTidyEach = 500;

std::int64_t Nanoseconds(base::WallTime time) {
  return time.time_since_epoch().count();
}

}  // namespace

Audit::Audit(store::Database& database, const base::Clock& clock, std::shared_ptr<const base::Masker> masker,
             AuditLimits limits)
    : database_(database), clock_(clock), masker_(std::move(masker)), limits_(limits) {}

std::string Audit::Clean(const std::string& text, std::size_t runes) const {
  const std::string masked = masker_ ? masker_->Mask(text) : text;
  return base::RepairUtf8(base::FirstRunes(masked, runes));
}

Result<Seen> Audit::Begin(const CommandRecord& command) {
  if (begun_++ % kTidyEach == 0) {
    if (auto tidied = Tidy(); !tidied) return Fail(tidied.error());
  }
  const auto written = database_.Execute(
      "INSERT INTO command (platform, message_id, channel, actor_id, actor_name, text, decision, at)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (platform, message_id) DO NOTHING",
      {command.platform, command.message_id, Clean(command.channel, kLongestName),
       Clean(command.actor_id, kLongestName), Clean(command.actor_name, kLongestName),
       Clean(command.text, kLongestText), Clean(command.decision, kLongestText), Nanoseconds(clock_.WallNow())});
  if (!written) return Fail(written.error());
  return database_.Changes() == 0 ? Seen::kBefore : Seen::kNew;
}

Result<void> Audit::Finish(const std::string& platform, const std::string& message_id, const std::string& result) {
  return database_.Execute("UPDATE command SET result = ? WHERE platform = ? AND message_id = ?",
                           {Clean(result, kLongestText), platform, message_id});
}

Result<std::vector<CommandRecord>> Audit::Read(const std::string& condition,
                                               const std::vector<store::Value>& parameters) {
  std::vector<CommandRecord> rows;
  const auto read = database_.Query(
      "SELECT platform, message_id, channel, actor_id, actor_name, text, decision, result, at FROM command " +
          condition,
      parameters, [&rows](const store::Row& row) {
        rows.push_back({.platform = row.Text(0),
                        .message_id = row.Text(1),
                        .channel = row.Text(2),
                        .actor_id = row.Text(3),
                        .actor_name = row.Text(4),
                        .text = row.Text(5),
                        .decision = row.Text(6),
                        .result = row.Text(7),
                        .at = base::WallTime(std::chrono::nanoseconds(row.Integer(8)))});
      });
  if (!read) return Fail(read.error());
  return rows;
}

Result<std::vector<CommandRecord>> Audit::Latest(std::size_t count) {
  return Read("ORDER BY id DESC LIMIT ?", {static_cast<std::int64_t>(count)});
}

Result<std::vector<CommandRecord>> Audit::Unanswered() {
  return Read("WHERE result IS NULL ORDER BY id", {});
}

Result<void> Audit::NoteSeen(const std::string& platform, const std::string& channel, const std::string& message_id) {
  return database_.Execute(
      "INSERT INTO last_seen (platform, channel, message_id) VALUES (?, ?, ?)"
      " ON CONFLICT (platform, channel) DO UPDATE SET message_id = excluded.message_id",
      {platform, channel, message_id});
}

Result<std::string> Audit::LastSeen(const std::string& platform, const std::string& channel) {
  std::string last;
  const auto read = database_.Query("SELECT message_id FROM last_seen WHERE platform = ? AND channel = ?",
                                    {platform, channel}, [&last](const store::Row& row) { last = row.Text(0); });
  if (!read) return Fail(read.error());
  return last;
}

Result<void> Audit::Tidy() {
  // Rows are added in the order of time, but for a clock that was set back.
  auto old = database_.Execute("DELETE FROM command WHERE at < ? AND result IS NOT NULL",
                               {Nanoseconds(clock_.WallNow() - limits_.age)});
  if (!old) return old;
  // Counted apart, so that nobody drives out what was done by asking for what he may not.
  const std::vector<store::Value> beyond = {static_cast<std::int64_t>(limits_.rows)};
  auto ran = database_.Execute(
      "DELETE FROM command WHERE decision = 'allowed' AND id <="
      " (SELECT id FROM command WHERE decision = 'allowed' ORDER BY id DESC LIMIT 1 OFFSET ?)",
      beyond);
  if (!ran) return ran;
  return database_.Execute(
      "DELETE FROM command WHERE decision <> 'allowed' AND id <="
      " (SELECT id FROM command WHERE decision <> 'allowed' ORDER BY id DESC LIMIT 1 OFFSET ?)",
      beyond);
}

}  // namespace shipmate::history
