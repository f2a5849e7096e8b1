#include "chat/outbox_store.h"

#include <utility>

#include "base/text.h"

namespace shipmate::chat {

namespace {

using store::Row;
using store::Value;

std::int64_t Nanoseconds(base::WallTime time) {
  return time.time_since_epoch().count();
}
base::WallTime Time(std::int64_t nanoseconds) {
  return base::WallTime(std::chrono::nanoseconds(nanoseconds));
}

// One line each: "yes confirm api c0ffee1".
std::string WriteChoices(const std::vector<Choice>& choices) {
  std::string text;
  for (const Choice& choice : choices) {
    text += (choice.kind == Choice::Kind::kYes ? "yes " : "no ") + choice.command + "\n";
  }
  return text;
}

std::vector<Choice> ReadChoices(const std::string& text) {
  std::vector<Choice> choices;
  for (const std::string_view line : base::Split(text, '\n')) {
    const std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos) continue;
    choices.push_back({.kind = line.starts_with("yes ") ? Choice::Kind::kYes : Choice::Kind::kNo,
                       .command = std::string(line.substr(blank + 1))});
  }
  return choices;
}

// Written to disk: the numbers never change their meaning.
Tone ToneOf(std::int64_t number) {
  return number == 1 ? Tone::kSuccess : number == 2 ? Tone::kFailure : Tone::kNews;
}
std::int64_t NumberOf(Tone tone) {
  return tone == Tone::kSuccess ? 1 : tone == Tone::kFailure ? 2 : 0;
}

}  // namespace

const std::vector<std::string>& OutboxStore::Migrations() {
  static const std::vector<std::string> kMigrations = {
      // A row is kept when its message is done: its key tells that the event was told.
      "CREATE TABLE message (id INTEGER PRIMARY KEY AUTOINCREMENT, platform TEXT NOT NULL, channel TEXT NOT NULL, "
      "key TEXT NOT NULL, priority INTEGER NOT NULL, slot TEXT NOT NULL, text TEXT NOT NULL, headline TEXT NOT NULL, "
      "failure INTEGER NOT NULL, alone INTEGER NOT NULL, reply_to TEXT NOT NULL, file_name TEXT NOT NULL, "
      "file_bytes BLOB NOT NULL, created INTEGER NOT NULL, tried INTEGER NOT NULL, after TEXT NOT NULL, "
      "done INTEGER NOT NULL, UNIQUE (platform, channel, key));"
      "CREATE INDEX message_waiting ON message (platform, id) WHERE done = 0;"
      "CREATE INDEX message_done ON message (done) WHERE done > 0;"
      "CREATE TABLE post (platform TEXT NOT NULL, channel TEXT NOT NULL, slot TEXT NOT NULL, id TEXT NOT NULL, "
      "at INTEGER NOT NULL, PRIMARY KEY (platform, channel, slot)) WITHOUT ROWID;"
      "CREATE TABLE place (platform TEXT NOT NULL, channel TEXT NOT NULL, latest TEXT NOT NULL DEFAULT '', "
      "left_out INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (platform, channel)) WITHOUT ROWID;",
      "ALTER TABLE message ADD COLUMN tone INTEGER NOT NULL DEFAULT 0;"
      "ALTER TABLE message ADD COLUMN choices TEXT NOT NULL DEFAULT '';",
  };
  return kMigrations;
}

Result<std::optional<std::int64_t>> OutboxStore::Insert(const std::string& platform, const OutgoingItem& item) {
  const Attachment file = item.post.attachments.empty() ? Attachment() : item.post.attachments.front();
  const auto inserted = database_.Execute(
      "INSERT INTO message (platform, channel, key, priority, slot, text, headline, failure, alone, reply_to, "
      "file_name, file_bytes, created, tried, after, tone, choices, done) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0) "
      "ON CONFLICT DO NOTHING",
      {platform, item.post.channel, item.post.key, static_cast<std::int64_t>(item.priority), item.slot, item.post.text,
       item.headline, std::int64_t{item.failure}, std::int64_t{item.alone}, item.post.reply_to, file.name, file.bytes,
       Nanoseconds(item.created), Nanoseconds(item.tried), item.after, NumberOf(item.post.tone),
       WriteChoices(item.post.choices)});
  if (!inserted) return Fail(inserted.error());
  if (database_.Changes() == 0) return std::optional<std::int64_t>();
  return std::optional<std::int64_t>(database_.LastInsertId());
}

Result<void> OutboxStore::MarkTried(const OutgoingItem& item) {
  return database_.Execute("UPDATE message SET tried = ?, after = ?, text = ? WHERE id = ?",
                           {Nanoseconds(item.tried), item.after, item.post.text, item.row});
}

Result<void> OutboxStore::Strike(const OutgoingItem& item, base::WallTime now) {
  if (item.row == 0) return {};
  return database_.Execute("UPDATE message SET done = ?, text = '', file_bytes = '' WHERE id = ?",
                           {Nanoseconds(now), item.row});
}

Result<void> OutboxStore::StrikeAll(const std::vector<OutgoingItem>& items, base::WallTime now) {
  for (const OutgoingItem& item : items) {
    if (auto struck = Strike(item, now); !struck) return struck;
  }
  return {};
}

Result<void> OutboxStore::MarkPosted(const std::string& platform, const OutgoingItem& item, const std::string& post,
                                     base::WallTime now) {
  return database_.Transaction([&]() -> Result<void> {
    auto done = Strike(item, now);
    if (!done || post.empty()) return done;
    if (!item.slot.empty()) {
      done = database_.Execute(
          "INSERT INTO post (platform, channel, slot, id, at) VALUES (?, ?, ?, ?, ?) "
          "ON CONFLICT DO UPDATE SET id = excluded.id, at = excluded.at",
          {platform, item.post.channel, item.slot, post, Nanoseconds(now)});
      if (!done) return done;
    }
    return database_.Execute(
        "INSERT INTO place (platform, channel, latest) VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET latest = excluded.latest",
        {platform, item.post.channel, post});
  });
}

Result<void> OutboxStore::MarkGivenUp(const std::vector<OutgoingItem>& items, base::WallTime now) {
  return database_.Transaction([&] { return StrikeAll(items, now); });
}

Result<void> OutboxStore::MarkLeftOut(const std::string& platform, const std::string& channel,
                                      const std::vector<OutgoingItem>& items, base::WallTime now) {
  return database_.Transaction([&]() -> Result<void> {
    auto done = StrikeAll(items, now);
    if (!done) return done;
    return database_.Execute(
        "INSERT INTO place (platform, channel, left_out) VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET left_out = left_out + excluded.left_out",
        {platform, channel, static_cast<std::int64_t>(items.size())});
  });
}

Result<std::int64_t> OutboxStore::Replace(const std::string& platform, const std::vector<OutgoingItem>& items,
                                          const OutgoingItem& instead, base::WallTime now) {
  std::int64_t row = 0;
  const auto replaced = database_.Transaction([&]() -> Result<void> {
    const auto inserted = Insert(platform, instead);
    if (!inserted) return Fail(inserted.error());
    row = inserted->value_or(0);
    return StrikeAll(items, now);
  });
  if (!replaced) return Fail(replaced.error());
  return row;
}

Result<std::int64_t> OutboxStore::TellLeftOut(const std::string& platform, const OutgoingItem& line) {
  std::int64_t row = 0;
  const auto told = database_.Transaction([&]() -> Result<void> {
    const auto inserted = Insert(platform, line);
    if (!inserted) return Fail(inserted.error());
    row = inserted->value_or(0);
    return database_.Execute("UPDATE place SET left_out = 0 WHERE platform = ? AND channel = ?",
                             {platform, line.post.channel});
  });
  if (!told) return Fail(told.error());
  return row;
}

Result<std::vector<OutgoingItem>> OutboxStore::Waiting(const std::string& platform) {
  std::vector<OutgoingItem> items;
  const auto read = database_.Query(
      "SELECT id, channel, key, priority, slot, text, headline, failure, alone, reply_to, file_name, file_bytes, "
      "created, tried, after, tone, choices FROM message WHERE platform = ? AND done = 0 ORDER BY id",
      {platform}, [&items](const Row& row) {
        OutgoingItem item;
        item.row = row.Integer(0);
        item.post.channel = row.Text(1);
        item.post.key = row.Text(2);
        item.priority = static_cast<Priority>(row.Integer(3) & 3);
        item.slot = row.Text(4);
        item.post.text = row.Text(5);
        item.headline = row.Text(6);
        item.failure = row.Integer(7) != 0;
        item.alone = row.Integer(8) != 0;
        item.post.reply_to = row.Text(9);
        if (std::string name = row.Text(10); !name.empty()) {
          item.post.attachments.push_back({.name = std::move(name), .bytes = row.Text(11)});
        }
        item.created = Time(row.Integer(12));
        item.tried = Time(row.Integer(13));
        item.after = row.Text(14);
        item.post.tone = ToneOf(row.Integer(15));
        item.post.choices = ReadChoices(row.Text(16));
        items.push_back(std::move(item));
      });
  if (!read) return Fail(read.error());
  return items;
}

Result<std::string> OutboxStore::PostOf(const std::string& platform, const std::string& channel,
                                        const std::string& slot) {
  std::string id;
  const auto read = database_.Query("SELECT id FROM post WHERE platform = ? AND channel = ? AND slot = ?",
                                    {platform, channel, slot}, [&id](const Row& row) { id = row.Text(0); });
  if (!read) return Fail(read.error());
  return id;
}

Result<void> OutboxStore::ForgetPost(const std::string& platform, const std::string& channel, const std::string& slot) {
  return database_.Execute("DELETE FROM post WHERE platform = ? AND channel = ? AND slot = ?",
                           {platform, channel, slot});
}

Result<OutboxStore::Place> OutboxStore::PlaceOf(const std::string& platform, const std::string& channel) {
  Place place;
  const auto read = database_.Query("SELECT latest, left_out FROM place WHERE platform = ? AND channel = ?",
                                    {platform, channel}, [&place](const Row& row) {
                                      place.latest = row.Text(0);
                                      place.left_out = static_cast<std::size_t>(row.Integer(1));
                                    });
  if (!read) return Fail(read.error());
  return place;
}

Result<void> OutboxStore::Tidy(base::WallTime now, std::chrono::hours memory, std::chrono::hours age) {
  return database_.Transaction([&]() -> Result<void> {
    auto done = database_.Execute("DELETE FROM message WHERE done > 0 AND done < ?", {Nanoseconds(now - memory)});
    if (done) done = database_.Execute("DELETE FROM post WHERE at < ?", {Nanoseconds(now - memory)});
    // What its platform did not take up in all that time; with a margin, since a channel tells what it left out itself.
    if (done) {
      done = database_.Execute("DELETE FROM message WHERE done = 0 AND created < ?", {Nanoseconds(now - 2 * age)});
    }
    return done;
  });
}

}  // namespace shipmate::chat
