#include "gate/store.h"

#include <utility>

namespace shipmate::gate {

namespace {

using store::Row;
using store::Value;

// Append only: each entry brings the file one version further.
const std::vector<std::string>& Migrations() {
  static const std::vector<std::string> migrations = {
      R"(
CREATE TABLE wishes (
  id INTEGER PRIMARY KEY, service TEXT NOT NULL, state INTEGER NOT NULL, kind INTEGER NOT NULL,
  trigger_word TEXT NOT NULL, actor TEXT NOT NULL, actor_id TEXT NOT NULL, confirmer TEXT NOT NULL,
  ref TEXT NOT NULL, exact INTEGER NOT NULL, replaces_question INTEGER NOT NULL,
  requested INTEGER NOT NULL, expires INTEGER NOT NULL,
  repo TEXT NOT NULL, branch TEXT NOT NULL, compare TEXT NOT NULL, pusher TEXT NOT NULL, commit_id TEXT NOT NULL,
  commit_msg TEXT NOT NULL, commit_url TEXT NOT NULL, author TEXT NOT NULL, timestamp TEXT NOT NULL);
CREATE TABLE deliveries (
  id INTEGER PRIMARY KEY, forge TEXT NOT NULL, delivery TEXT NOT NULL, body TEXT NOT NULL, service TEXT NOT NULL,
  deploy INTEGER NOT NULL, at INTEGER NOT NULL, UNIQUE (forge, body, service));
CREATE INDEX deliveries_of_deploy ON deliveries (deploy);
CREATE TABLE heads (
  service TEXT NOT NULL, ref TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL, PRIMARY KEY (service, ref));
CREATE TABLE ended (
  id INTEGER PRIMARY KEY, service TEXT NOT NULL, branch TEXT NOT NULL, commit_id TEXT NOT NULL, subject TEXT NOT NULL,
  success INTEGER NOT NULL, at INTEGER NOT NULL);
CREATE INDEX ended_of_service ON ended (service, id);
CREATE TABLE freezes (
  service TEXT PRIMARY KEY, reason TEXT NOT NULL, actor TEXT NOT NULL, actor_id TEXT NOT NULL, since INTEGER NOT NULL,
  until INTEGER NOT NULL);
CREATE TABLE verdicts (id INTEGER PRIMARY KEY, service TEXT NOT NULL, text TEXT NOT NULL, at INTEGER NOT NULL);
CREATE INDEX verdicts_of_service ON verdicts (service, id))"};
  return migrations;
}

// Forges redeliver within days, not thousands of pushes later.
constexpr std::int64_t kKeptDeliveries = 10000;
constexpr std::int64_t kKeptEnded = 100;
constexpr std::int64_t kKeptVerdicts = 20;

std::int64_t ToInteger(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}
std::int64_t ToInteger(base::WallTime time) {
  return time.time_since_epoch().count();
}
base::WallTime ToTime(std::int64_t value) {
  return base::WallTime(std::chrono::nanoseconds(value));
}

Wish ReadWish(const Row& row) {
  Wish wish;
  int column = 0;
  wish.id = static_cast<std::uint64_t>(row.Integer(column++));
  wish.service = row.Text(column++);
  wish.state = static_cast<Wish::State>(row.Integer(column++));
  wish.kind = static_cast<Wish::Kind>(row.Integer(column++));
  wish.trigger = row.Text(column++);
  wish.actor = row.Text(column++);
  wish.actor_id = row.Text(column++);
  wish.confirmer = row.Text(column++);
  wish.ref = row.Text(column++);
  wish.exact = row.Integer(column++) != 0;
  wish.replaces_question = row.Integer(column++) != 0;
  wish.requested = ToTime(row.Integer(column++));
  wish.expires = ToTime(row.Integer(column++));
  wish.info.repo = row.Text(column++);
  wish.info.branch = row.Text(column++);
  wish.info.compare = row.Text(column++);
  wish.info.pusher = row.Text(column++);
  wish.info.commit_id = row.Text(column++);
  wish.info.commit_msg = row.Text(column++);
  wish.info.commit_url = row.Text(column++);
  wish.info.author = row.Text(column++);
  wish.info.timestamp = row.Text(column++);
  return wish;
}

}  // namespace

Result<std::unique_ptr<GateStore>> GateStore::Open(const std::string& path) {
  auto database = store::Database::Open(path, Migrations());
  if (!database) return Fail(database.error());
  return std::unique_ptr<GateStore>(new GateStore(*std::move(database)));
}

Result<void> GateStore::PutWish(const Wish& wish) {
  const service::WebhookInfo& info = wish.info;
  return database_->Execute(
      "INSERT OR REPLACE INTO wishes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {ToInteger(wish.id),
       wish.service,
       static_cast<std::int64_t>(wish.state),
       static_cast<std::int64_t>(wish.kind),
       wish.trigger,
       wish.actor,
       wish.actor_id,
       wish.confirmer,
       wish.ref,
       std::int64_t{wish.exact},
       std::int64_t{wish.replaces_question},
       ToInteger(wish.requested),
       ToInteger(wish.expires),
       info.repo,
       info.branch,
       info.compare,
       info.pusher,
       info.commit_id,
       info.commit_msg,
       info.commit_url,
       info.author,
       info.timestamp});
}

Result<void> GateStore::RemoveWish(std::uint64_t id) {
  return database_->Execute("DELETE FROM wishes WHERE id = ?", {ToInteger(id)});
}

Result<std::vector<Wish>> GateStore::Wishes() {
  std::vector<Wish> wishes;
  const auto read = database_->Query("SELECT * FROM wishes ORDER BY id", {},
                                     [&wishes](const Row& row) { wishes.push_back(ReadWish(row)); });
  if (!read) return Fail(read.error());
  return wishes;
}

Result<void> GateStore::AddDelivery(const Delivery& delivery) {
  if (auto added = database_->Execute(
          "INSERT OR REPLACE INTO deliveries (forge, delivery, body, service, deploy, at) VALUES (?, ?, ?, ?, ?, ?)",
          {delivery.forge, delivery.delivery_id, delivery.body_sha256, delivery.service, ToInteger(delivery.deploy_id),
           ToInteger(delivery.at)});
      !added) {
    return added;
  }
  return database_->Execute("DELETE FROM deliveries WHERE id <= ?", {database_->LastInsertId() - kKeptDeliveries});
}

Result<std::optional<Delivery>> GateStore::FindDelivery(const std::string& forge, const std::string& body_sha256,
                                                        const std::string& service) {
  std::optional<Delivery> found;
  const auto read =
      database_->Query("SELECT delivery, deploy, at FROM deliveries WHERE forge = ? AND body = ? AND service = ?",
                       {forge, body_sha256, service}, [&](const Row& row) {
                         found = Delivery{.forge = forge,
                                          .delivery_id = row.Text(0),
                                          .body_sha256 = body_sha256,
                                          .service = service,
                                          .deploy_id = static_cast<std::uint64_t>(row.Integer(1)),
                                          .at = ToTime(row.Integer(2))};
                       });
  if (!read) return Fail(read.error());
  return found;
}

Result<void> GateStore::ForgetDeliveries(std::uint64_t deploy_id) {
  return database_->Execute("DELETE FROM deliveries WHERE deploy = ?", {ToInteger(deploy_id)});
}

Result<void> GateStore::PutRefHead(const RefHead& head) {
  return database_->Execute("INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?)",
                            {head.service, head.ref, head.before, head.after});
}

Result<std::optional<RefHead>> GateStore::FindRefHead(const std::string& service, const std::string& ref) {
  std::optional<RefHead> found;
  const auto read = database_->Query(
      "SELECT before, after FROM heads WHERE service = ? AND ref = ?", {service, ref}, [&](const Row& row) {
        found = RefHead{.service = service, .ref = ref, .before = row.Text(0), .after = row.Text(1)};
      });
  if (!read) return Fail(read.error());
  return found;
}

Result<void> GateStore::AddEnded(const EndedDeploy& ended) {
  if (auto added = database_->Execute("INSERT OR REPLACE INTO ended VALUES (?, ?, ?, ?, ?, ?, ?)",
                                      {ToInteger(ended.id), ended.service, ended.branch, ended.commit, ended.subject,
                                       std::int64_t{ended.success}, ToInteger(ended.at)});
      !added) {
    return added;
  }
  // What succeeded is kept longer than what failed: it is what one can go back to.
  return database_->Execute(
      "DELETE FROM ended WHERE service = ?1 AND success = ?2 AND id NOT IN "
      "(SELECT id FROM ended WHERE service = ?1 AND success = ?2 ORDER BY id DESC LIMIT ?3)",
      {ended.service, std::int64_t{ended.success}, kKeptEnded});
}

Result<std::vector<EndedDeploy>> GateStore::Ended(const std::string& service) {
  std::vector<EndedDeploy> found;
  const auto read = database_->Query(
      "SELECT id, branch, commit_id, subject, success, at FROM ended WHERE service = ? ORDER BY id DESC", {service},
      [&](const Row& row) {
        found.push_back({.id = static_cast<std::uint64_t>(row.Integer(0)),
                         .service = service,
                         .branch = row.Text(1),
                         .commit = row.Text(2),
                         .subject = row.Text(3),
                         .success = row.Integer(4) != 0,
                         .at = ToTime(row.Integer(5))});
      });
  if (!read) return Fail(read.error());
  return found;
}

Result<void> GateStore::PutFreeze(const Freeze& freeze) {
  return database_->Execute(
      "INSERT OR REPLACE INTO freezes VALUES (?, ?, ?, ?, ?, ?)",
      {freeze.service, freeze.reason, freeze.actor, freeze.actor_id, ToInteger(freeze.since), ToInteger(freeze.until)});
}

Result<void> GateStore::RemoveFreeze(const std::string& service) {
  return database_->Execute("DELETE FROM freezes WHERE service = ?", {service});
}

Result<std::vector<Freeze>> GateStore::Freezes() {
  std::vector<Freeze> found;
  const auto read = database_->Query("SELECT service, reason, actor, actor_id, since, until FROM freezes", {},
                                     [&found](const Row& row) {
                                       found.push_back({.service = row.Text(0),
                                                        .reason = row.Text(1),
                                                        .actor = row.Text(2),
                                                        .actor_id = row.Text(3),
                                                        .since = ToTime(row.Integer(4)),
                                                        .until = ToTime(row.Integer(5))});
                                     });
  if (!read) return Fail(read.error());
  return found;
}

Result<void> GateStore::AddVerdict(const Verdict& verdict) {
  if (auto added = database_->Execute("INSERT INTO verdicts (service, text, at) VALUES (?, ?, ?)",
                                      {verdict.service, verdict.text, ToInteger(verdict.at)});
      !added) {
    return added;
  }
  return database_->Execute(
      "DELETE FROM verdicts WHERE service = ?1 AND id NOT IN "
      "(SELECT id FROM verdicts WHERE service = ?1 ORDER BY id DESC LIMIT ?2)",
      {verdict.service, kKeptVerdicts});
}

Result<std::vector<Verdict>> GateStore::Verdicts(const std::string& service) {
  std::vector<Verdict> found;
  const auto read = database_->Query(
      "SELECT text, at FROM verdicts WHERE service = ? ORDER BY id DESC", {service}, [&](const Row& row) {
        found.push_back({.service = service, .text = row.Text(0), .at = ToTime(row.Integer(1))});
      });
  if (!read) return Fail(read.error());
  return found;
}

}  // namespace shipmate::gate
