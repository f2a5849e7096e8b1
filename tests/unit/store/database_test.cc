#include "store/database.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

using namespace shipmate;
using store::Database;
using store::Row;
using store::Value;

namespace {

const std::vector<std::string> kMigrations = {
    "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT UNIQUE, score REAL)",
    "CREATE TABLE tag (note INTEGER NOT NULL REFERENCES note(id), word TEXT); CREATE INDEX tag_word ON tag(word)",
};

class TempDir {
 public:
  TempDir() : path_("/tmp/shipmate-store-XXXXXX") { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::unique_ptr<Database> Open(const std::string& path, const std::vector<std::string>& migrations = kMigrations) {
  auto database = Database::Open(path, migrations);
  if (!database) FAIL(database.error().what);
  return std::move(*database);
}

void Must(const Result<void>& result) {
  if (!result) FAIL(result.error().what);
}

std::int64_t Count(Database& database, const std::string& sql, const std::vector<Value>& parameters = {}) {
  std::int64_t count = -1;
  Must(database.Query(sql, parameters, [&](const Row& row) { count = row.Integer(0); }));
  return count;
}

void AddNote(Database& database, const std::string& text) {
  Must(database.Execute("INSERT INTO note (text) VALUES (?)", {text}));
}

std::string Content(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void Write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

unsigned Mode(const std::string& path) {
  struct stat info{};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 0777U;
}

}  // namespace

TEST_CASE("a new database gets its schema, WAL, and a mode that keeps others out") {
  const TempDir dir;
  const auto database = Open(dir / "x.db");
  CHECK(Count(*database, "PRAGMA user_version") == 2);
  CHECK(Count(*database, "PRAGMA foreign_keys") == 1);
  CHECK(Count(*database, "PRAGMA synchronous") == 1);
  std::string mode;
  Must(database->Query("PRAGMA journal_mode", {}, [&](const Row& row) { mode = row.Text(0); }));
  CHECK(mode == "wal");
  AddNote(*database, "one");
  CHECK(Mode(dir / "x.db") == 0600);
  CHECK(Mode(dir / "x.db-wal") == 0600);
}

TEST_CASE("a database that others could read is closed to them") {
  const TempDir dir;
  Open(dir / "x.db").reset();
  REQUIRE(::chmod((dir / "x.db").c_str(), 0644) == 0);
  const auto database = Open(dir / "x.db");
  CHECK(Mode(dir / "x.db") == 0600);
}

TEST_CASE("every kind of value comes back as it went in") {
  const auto database = Open(":memory:");
  const std::string text("a\0b é \"'", 9);
  Must(database->Execute("INSERT INTO note VALUES (?, ?, ?)", {std::int64_t{-5'000'000'000}, text, 0.5}));
  CHECK(database->Changes() == 1);
  CHECK(database->LastInsertId() == -5'000'000'000);
  Must(database->Execute("INSERT INTO note VALUES (?, ?, ?)", {std::int64_t{7}, "", nullptr}));
  int rows = 0;
  Must(database->Query("SELECT id, text, score FROM note ORDER BY id", {}, [&](const Row& row) {
    if (++rows == 1) {
      CHECK(row.Integer(0) == -5'000'000'000);
      CHECK(row.Text(1) == text);
      CHECK(row.Real(2) == 0.5);
      CHECK_FALSE(row.IsNull(2));
    } else {
      CHECK(row.Integer(0) == 7);
      CHECK(row.Text(1).empty());
      CHECK_FALSE(row.IsNull(1));
      CHECK(row.IsNull(2));
      CHECK(row.Text(2).empty());
    }
  }));
  CHECK(rows == 2);
  Must(database->Execute("UPDATE note SET score = 1", {}));
  CHECK(database->Changes() == 2);
}

TEST_CASE("migrations missing from an old file are applied, and its content stays") {
  const TempDir dir;
  {
    const auto old = Open(dir / "x.db", {kMigrations[0]});
    CHECK(Count(*old, "PRAGMA user_version") == 1);
    AddNote(*old, "kept");
  }
  const auto database = Open(dir / "x.db");
  CHECK(Count(*database, "PRAGMA user_version") == 2);
  CHECK(Count(*database, "SELECT count(*) FROM note WHERE text = 'kept'") == 1);
  CHECK(Count(*database, "SELECT count(*) FROM tag") == 0);
}

TEST_CASE("a migration that fails half way leaves the schema before it") {
  const TempDir dir;
  Open(dir / "x.db", {kMigrations[0]}).reset();
  const auto failed = Database::Open(dir / "x.db", {kMigrations[0], "CREATE TABLE extra (a); CREATE TABLE note (a)"});
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().code == Errc::kInvalid);
  CHECK(failed.error().what == "database " + (dir / "x.db") + ": bringing it to schema 2: table note already exists");
  const auto database = Open(dir / "x.db", {kMigrations[0]});
  CHECK(Count(*database, "PRAGMA user_version") == 1);
  CHECK(Count(*database, "SELECT count(*) FROM sqlite_schema WHERE name = 'extra'") == 0);
}

TEST_CASE("a file of a newer program is refused and left as it is") {
  const TempDir dir;
  Open(dir / "x.db").reset();
  const std::string before = Content(dir / "x.db");
  const auto refused = Database::Open(dir / "x.db", {kMigrations[0]});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::kInvalid);
  CHECK(refused.error().what ==
        "database " + (dir / "x.db") + ": made by a newer Shipmate (schema 2, known here: 1); update Shipmate");
  CHECK(Content(dir / "x.db") == before);
}

TEST_CASE("what is no database, or not ours, is refused and left as it is") {
  const TempDir dir;
  const std::string text = "dear diary, " + std::string(5000, 'x');
  Write(dir / "x.db", text);
  REQUIRE(::chmod((dir / "x.db").c_str(), 0640) == 0);
  const auto refused = Database::Open(dir / "x.db", kMigrations);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::kInvalid);
  CHECK(refused.error().what.ends_with(": file is not a database"));
  CHECK(Content(dir / "x.db") == text);
  CHECK(Mode(dir / "x.db") == 0640);

  // A database without our mark: as another program would leave it.
  {
    const auto other = Open(dir / "other.db");
    Must(other->Execute("PRAGMA application_id = 7", {}));
  }
  const std::string before = Content(dir / "other.db");
  const auto foreign = Database::Open(dir / "other.db", kMigrations);
  REQUIRE_FALSE(foreign.has_value());
  CHECK(foreign.error().code == Errc::kInvalid);
  CHECK(foreign.error().what == "database " + (dir / "other.db") + ": belongs to another program; it is left as it is");
  CHECK(Content(dir / "other.db") == before);

  REQUIRE(std::filesystem::create_directory(dir / "folder.db"));
  const auto folder = Database::Open(dir / "folder.db", kMigrations);
  REQUIRE_FALSE(folder.has_value());
  CHECK(folder.error().what == "database " + (dir / "folder.db") + ": not a regular file");

  const auto nowhere = Database::Open(dir / "no/such/x.db", kMigrations);
  REQUIRE_FALSE(nowhere.has_value());
  CHECK(nowhere.error().code == Errc::kNotFound);
}

TEST_CASE("wrong statements are Results that name the file and the statement") {
  const auto database = Open(":memory:");
  AddNote(*database, "one");
  const auto twice = database->Execute("INSERT INTO note (text) VALUES (?)", {"one"});
  REQUIRE_FALSE(twice.has_value());
  CHECK(twice.error().code == Errc::kRefused);
  CHECK(twice.error().what ==
        "database :memory:: running \"INSERT INTO note (text) VALUES (?)\": UNIQUE constraint failed: note.text");
  // The statement is usable after its failure.
  AddNote(*database, "two");

  const auto orphan = database->Execute("INSERT INTO tag (note) VALUES (99)", {});
  REQUIRE_FALSE(orphan.has_value());
  CHECK(orphan.error().code == Errc::kRefused);

  const auto nonsense = database->Execute("SELEKT 1", {});
  REQUIRE_FALSE(nonsense.has_value());
  CHECK(nonsense.error().what == "database :memory:: preparing \"SELEKT 1\": near \"SELEKT\": syntax error");

  const auto two = database->Execute("DELETE FROM tag; DELETE FROM note", {});
  REQUIRE_FALSE(two.has_value());
  CHECK(two.error().what == "database :memory:: \"DELETE FROM tag; DELETE FROM note\" is not one statement");
  CHECK(Count(*database, "SELECT count(*) FROM note") == 2);

  const auto few = database->Execute("DELETE FROM note WHERE text = ?", {});
  REQUIRE_FALSE(few.has_value());
  CHECK(few.error().what.ends_with("0 parameters given, 1 wanted"));
  CHECK(Count(*database, "SELECT count(*) FROM note") == 2);
}

TEST_CASE("a transaction is kept when its body succeeds, and undone when it fails or throws") {
  const auto database = Open(":memory:");
  Must(database->Transaction([&]() -> Result<void> {
    AddNote(*database, "one");
    AddNote(*database, "two");
    return {};
  }));
  CHECK(Count(*database, "SELECT count(*) FROM note") == 2);

  const auto failed = database->Transaction([&]() -> Result<void> {
    AddNote(*database, "three");
    return Fail(Errc::kBusy, "no");
  });
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error() == Error{Errc::kBusy, "no"});
  CHECK(Count(*database, "SELECT count(*) FROM note") == 2);

  const auto throws = [&]() -> Result<void> {
    AddNote(*database, "three");
    throw std::runtime_error("thrown");
  };
  CHECK_THROWS_AS(Must(database->Transaction(throws)), std::runtime_error);
  CHECK(Count(*database, "SELECT count(*) FROM note") == 2);

  const auto nested = database->Transaction([&] { return database->Transaction([]() -> Result<void> { return {}; }); });
  REQUIRE_FALSE(nested.has_value());
  CHECK(nested.error().what == "database :memory:: a transaction inside a transaction");
  Must(database->Transaction([]() -> Result<void> { return {}; }));
}

TEST_CASE("a deferred constraint that fails at commit undoes the transaction") {
  const auto database = Open(":memory:", {"CREATE TABLE a (id INTEGER PRIMARY KEY);"
                                          "CREATE TABLE b (a INTEGER REFERENCES a(id) DEFERRABLE INITIALLY DEFERRED)"});
  const auto failed =
      database->Transaction([&] { return database->Execute("INSERT INTO b VALUES (?)", {std::int64_t{1}}); });
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().code == Errc::kRefused);
  CHECK(Count(*database, "SELECT count(*) FROM b") == 0);
  Must(database->Transaction([&] { return database->Execute("INSERT INTO a VALUES (?)", {std::int64_t{1}}); }));
}

TEST_CASE("a row callback may use the database, even with the statement it came from, and may throw") {
  const auto database = Open(":memory:");
  for (const char* text : {"a", "b", "c"}) AddNote(*database, text);
  const std::string sql = "SELECT text FROM note ORDER BY text";
  std::string seen;
  Must(database->Query(sql, {}, [&](const Row& outer) {
    seen += outer.Text(0) + ":";
    Must(database->Query(sql, {}, [&](const Row& inner) { seen += inner.Text(0); }));
    seen += " ";
  }));
  CHECK(seen == "a:abc b:abc c:abc ");

  const auto throws = [](const Row&) { throw std::runtime_error("thrown"); };
  CHECK_THROWS_AS(Must(database->Query(sql, {}, throws)), std::runtime_error);
  // The statement was put back: nothing holds the tables.
  Must(database->Execute("DROP TABLE tag", {}));
  CHECK(Count(*database, "SELECT count(*) FROM note") == 3);
}

TEST_CASE("two connections: the second sees what the first committed") {
  const TempDir dir;
  const auto first = Open(dir / "x.db");
  const auto second = Open(dir / "x.db");
  Must(first->Transaction([&]() -> Result<void> {
    AddNote(*first, "one");
    CHECK(Count(*second, "SELECT count(*) FROM note") == 0);
    return {};
  }));
  CHECK(Count(*second, "SELECT count(*) FROM note") == 1);
}

TEST_CASE("a process killed inside a transaction leaves the state before it") {
  const TempDir dir;
  {
    const auto database = Open(dir / "x.db");
    AddNote(*database, "before");
  }
  int pipe_ends[2];
  REQUIRE(::pipe(pipe_ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    // Commits one row, then dies with another one written and not committed.
    auto database = Database::Open(dir / "x.db", kMigrations);
    if (!database || !(*database)->Execute("INSERT INTO note (text) VALUES (?)", {"committed"})) ::_exit(1);
    (void)(*database)->Transaction([&]() -> Result<void> {
      for (int i = 0; i < 2000; ++i) {
        if (!(*database)->Execute("INSERT INTO note (text) VALUES (?)", {std::string(1000, 'x') + std::to_string(i)})) {
          ::_exit(1);
        }
      }
      if (::write(pipe_ends[1], "x", 1) != 1) ::_exit(1);
      while (true) ::pause();
    });
    ::_exit(1);
  }
  ::close(pipe_ends[1]);
  char byte = 0;
  const ssize_t got = ::read(pipe_ends[0], &byte, 1);
  ::kill(child, SIGKILL);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  ::close(pipe_ends[0]);
  REQUIRE(got == 1);
  REQUIRE(WIFSIGNALED(status));

  const auto database = Open(dir / "x.db");
  CHECK(Count(*database, "SELECT count(*) FROM note") == 2);
  CHECK(Count(*database, "SELECT count(*) FROM note WHERE text IN ('before', 'committed')") == 2);
  std::string check;
  Must(database->Query("PRAGMA integrity_check", {}, [&](const Row& row) { check = row.Text(0); }));
  CHECK(check == "ok");
}
