#include "history/deploys.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace shipmate::history {

namespace {

constexpr std::size_t kLongestText = 1000;
// Of one service.
constexpr std::int64_t kKept = 200;

std::int64_t Nanoseconds(base::WallTime time) {
  return time.time_since_epoch().count();
}
base::WallTime ToTime(std::int64_t value) {
  return base::WallTime(std::chrono::nanoseconds(value));
}

}  // namespace

Deploys::Deploys(store::Database& database, const base::Clock& clock, std::shared_ptr<const base::Masker> masker)
    : database_(database), clock_(clock), masker_(std::move(masker)) {}

std::string Deploys::Clean(const std::string& text) const {
  const std::string masked = masker_ ? masker_->Mask(text) : text;
  return base::RepairUtf8(base::FirstRunes(masked, kLongestText));
}

void Deploys::DeployRecorded(const deploy::Record& record) {
  auto written = database_.Transaction([&] { return Write(record); });
  if (written && record.steps.empty()) written = Tidy(record.service);
  if (!written) LogError("deploy " + std::to_string(record.id) + " is not recorded: " + written.error().what);
}

Result<void> Deploys::Write(const deploy::Record& record) {
  if (auto done = database_.Execute(
          "INSERT INTO deploy VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
          " ON CONFLICT (id) DO UPDATE SET commit_id = excluded.commit_id, previous = excluded.previous,"
          " subject = excluded.subject, began = excluded.began, ended = excluded.ended, planned = excluded.planned,"
          " result = excluded.result, failed_step = excluded.failed_step, note = excluded.note",
          {static_cast<std::int64_t>(record.id), record.service, record.trigger, Clean(record.actor),
           Clean(record.branch), Clean(record.commit), record.previous_commit, Clean(record.subject),
           Nanoseconds(record.began), Nanoseconds(record.ended), static_cast<std::int64_t>(record.planned),
           record.result, Clean(record.failed_step), Clean(record.note), record.log_file});
      !done) {
    return done;
  }
  std::int64_t number = 0;
  for (const deploy::StepRecord& step : record.steps) {
    if (auto done = database_.Execute(
            "INSERT OR REPLACE INTO deploy_step VALUES (?, ?, ?, ?, ?, ?)",
            {static_cast<std::int64_t>(record.id), ++number, Clean(step.text), Nanoseconds(step.began),
             static_cast<std::int64_t>(step.duration.count()), Clean(step.failure)});
        !done) {
      return done;
    }
  }
  return {};
}

Result<void> Deploys::Tidy(const std::string& service) {
  const auto old = Read(
      "WHERE service = ?1 AND id NOT IN (SELECT id FROM deploy WHERE service = ?1"
      " ORDER BY id DESC LIMIT ?2)",
      {service, kKept});
  if (!old) return Fail(old.error());
  for (const deploy::Record& record : *old) {
    std::error_code ignored;
    std::filesystem::remove(record.log_file, ignored);
    std::filesystem::remove(record.log_file + ".rollback", ignored);
    if (auto done = database_.Execute("DELETE FROM deploy WHERE id = ?", {static_cast<std::int64_t>(record.id)});
        !done) {
      return done;
    }
  }
  return {};
}

Result<void> Deploys::CloseUnfinished() {
  return database_.Execute("UPDATE deploy SET result = 'interrupted', ended = ? WHERE ended = 0",
                           {Nanoseconds(clock_.WallNow())});
}

Result<std::vector<deploy::Record>> Deploys::Read(const std::string& condition,
                                                  const std::vector<store::Value>& parameters) {
  std::vector<deploy::Record> records;
  const auto read = database_.Query(
      "SELECT id, service, trigger_word, actor, branch, commit_id, previous, subject, began, ended, planned, result,"
      " failed_step, note, log_file FROM deploy " +
          condition,
      parameters, [&records](const store::Row& row) {
        deploy::Record record;
        record.id = static_cast<std::uint64_t>(row.Integer(0));
        record.service = row.Text(1);
        record.trigger = row.Text(2);
        record.actor = row.Text(3);
        record.branch = row.Text(4);
        record.commit = row.Text(5);
        record.previous_commit = row.Text(6);
        record.subject = row.Text(7);
        record.began = ToTime(row.Integer(8));
        record.ended = ToTime(row.Integer(9));
        record.planned = static_cast<std::size_t>(row.Integer(10));
        record.result = row.Text(11);
        record.failed_step = row.Text(12);
        record.note = row.Text(13);
        record.log_file = row.Text(14);
        records.push_back(std::move(record));
      });
  if (!read) return Fail(read.error());
  return records;
}

Result<std::vector<deploy::Record>> Deploys::Latest(const std::string& service, std::size_t count) {
  const auto limit = static_cast<std::int64_t>(count);
  if (service.empty()) return Read("ORDER BY id DESC LIMIT ?", {limit});
  return Read("WHERE service = ? ORDER BY id DESC LIMIT ?", {service, limit});
}

Result<std::optional<deploy::Record>> Deploys::Find(std::uint64_t id) {
  const auto key = static_cast<std::int64_t>(id);
  auto found = Read("WHERE id = ?", {key});
  if (!found) return Fail(found.error());
  if (found->empty()) return std::optional<deploy::Record>();
  deploy::Record record = std::move(found->front());
  const auto read =
      database_.Query("SELECT text, began, milliseconds, failure FROM deploy_step WHERE deploy = ? ORDER BY number",
                      {key}, [&record](const store::Row& row) {
                        record.steps.push_back({.text = row.Text(0),
                                                .began = ToTime(row.Integer(1)),
                                                .duration = std::chrono::milliseconds(row.Integer(2)),
                                                .failure = row.Text(3)});
                      });
  if (!read) return Fail(read.error());
  return std::optional<deploy::Record>(std::move(record));
}

}  // namespace shipmate::history
