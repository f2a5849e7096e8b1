#include "store/database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <filesystem>
#include <map>
#include <utility>

#include "base/text.h"
#include "os/files.h"

namespace shipmate::store {

namespace {

// "SHPM": marks the files as ours (https://www.sqlite.org/fileformat2.html, "Application ID").
constexpr int kApplicationId = 0x5348504D;
// How long another process (a backup, a shell) may hold the file before a statement fails.
constexpr int kBusyMilliseconds = 5000;
constexpr unsigned kMode = 0600;

struct StatementDeleter {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, StatementDeleter>;

struct HandleDeleter {
  // Waits for statements that are still open, so that the order of destruction does not matter.
  void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
};
using Handle = std::unique_ptr<sqlite3, HandleDeleter>;

Errc ToErrc(int code) {
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Errc::kBusy;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_ERROR:
    case SQLITE_MISMATCH:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
      return Errc::kInvalid;
    case SQLITE_CONSTRAINT:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      return Errc::kRefused;
    case SQLITE_TOOBIG:
      return Errc::kTooLarge;
    default:
      return Errc::kIo;
  }
}

// Ends a use of a kept statement, whichever way it ends.
class Use {
 public:
  explicit Use(sqlite3_stmt* statement) : statement_(statement) {}
  ~Use() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  sqlite3_stmt* statement_;
};

int Bind(sqlite3_stmt* statement, int index, const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return sqlite3_bind_int64(statement, index, *integer);
  if (const auto* real = std::get_if<double>(&value)) return sqlite3_bind_double(statement, index, *real);
  if (const auto* text = std::get_if<std::string>(&value)) {
    // The parameters outlive the step, so SQLite need not copy them.
    return sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  return sqlite3_bind_null(statement, index);
}

}  // namespace

bool Row::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
std::int64_t Row::Integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}
double Row::Real(int column) const {
  return sqlite3_column_double(statement_, column);
}

std::string Row::Text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_, column);
  if (text == nullptr) return "";
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return {reinterpret_cast<const char*>(text), size};
}

class Database::Impl {
 public:
  Impl(std::string path, Handle handle) : path_(std::move(path)), handle_(std::move(handle)) {}

  std::unexpected<Error> Failure(std::string_view attempt) const {
    const int code = sqlite3_extended_errcode(handle_.get());
    return Fail(ToErrc(code), fmt::format("database {}: {}: {}", path_, attempt,
                                          base::EscapeControls(sqlite3_errmsg(handle_.get()))));
  }
  std::unexpected<Error> Failure(Errc code, std::string_view text) const {
    return Fail(code, fmt::format("database {}: {}", path_, text));
  }

  // One or more statements without parameters or rows.
  Result<void> Run(const std::string& sql, std::string_view attempt) {
    if (sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return Failure(attempt);
    return {};
  }

  Result<std::int64_t> ReadInteger(const std::string& sql) {
    std::int64_t value = 0;
    const auto done = Query(sql, {}, [&value](const Row& row) { value = row.Integer(0); });
    if (!done) return Fail(done.error());
    return value;
  }

  Result<void> Query(const std::string& sql, const std::vector<Value>& parameters,
                     const std::function<void(const Row&)>& on_row) {
    const auto [kept, added] = kept_.try_emplace(sql);
    // A callback may run the very statement that called it; that one then gets a copy of its own.
    Statement own;
    Statement& statement = kept->second && sqlite3_stmt_busy(kept->second.get()) != 0 ? own : kept->second;
    if (!statement) {
      auto prepared = Prepare(sql);
      if (!prepared) {
        if (added) kept_.erase(kept);
        return Fail(prepared.error());
      }
      statement = std::move(*prepared);
    }
    return Step(statement.get(), parameters, on_row);
  }

  Result<void> Transaction(const std::function<Result<void>()>& body) {
    if (in_transaction_) return Failure(Errc::kInvalid, "a transaction inside a transaction");
    if (auto begun = Run("BEGIN IMMEDIATE", "beginning a transaction"); !begun) return begun;
    in_transaction_ = true;
    Result<void> done;
    try {
      done = body();
    } catch (...) {
      RollBack();
      throw;
    }
    if (done) done = Run("COMMIT", "committing a transaction");
    if (!done) RollBack();
    in_transaction_ = false;
    return done;
  }

  sqlite3* handle() const { return handle_.get(); }

 private:
  Result<Statement> Prepare(const std::string& sql) {
    sqlite3_stmt* raw = nullptr;
    const char* rest = nullptr;
    const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, &rest);
    Statement statement(raw);
    if (code != SQLITE_OK) return Failure(fmt::format("preparing \"{}\"", base::EscapeControls(sql)));
    const std::string_view left(rest, static_cast<std::size_t>(sql.data() + sql.size() - rest));
    if (!statement || !base::Trim(left).empty()) {
      return Failure(Errc::kInvalid, fmt::format("\"{}\" is not one statement", base::EscapeControls(sql)));
    }
    return statement;
  }

  Result<void> Step(sqlite3_stmt* statement, const std::vector<Value>& parameters,
                    const std::function<void(const Row&)>& on_row) {
    const Use use(statement);
    const auto attempt = [statement] {
      return fmt::format("running \"{}\"", base::EscapeControls(sqlite3_sql(statement)));
    };
    if (std::cmp_not_equal(sqlite3_bind_parameter_count(statement), parameters.size())) {
      return Failure(Errc::kInvalid, fmt::format("{}: {} parameters given, {} wanted", attempt(), parameters.size(),
                                                 sqlite3_bind_parameter_count(statement)));
    }
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (Bind(statement, static_cast<int>(i) + 1, parameters[i]) != SQLITE_OK) return Failure(attempt());
    }
    while (true) {
      const int code = sqlite3_step(statement);
      if (code == SQLITE_DONE) return {};
      if (code != SQLITE_ROW) return Failure(attempt());
      on_row(Row(statement));
    }
  }

  void RollBack() {
    in_transaction_ = false;
    // A full disk or an I/O error may have rolled it back already (https://www.sqlite.org/lang_transaction.html).
    if (sqlite3_get_autocommit(handle_.get()) == 0) {
      sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    }
  }

  const std::string path_;
  // Before the statements, which are then finalized first.
  const Handle handle_;
  std::map<std::string, Statement> kept_;
  bool in_transaction_ = false;
};

namespace {

// Makes the file if there is none, and keeps other users out of it: SQLite gives its -wal and -shm the same mode.
Result<void> PrepareFile(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    return os::WriteFileAtomically(path, "", kMode, os::Sync::kNone);
  }
  if (error) return Fail(Errc::kIo, fmt::format("database {}: {}", path, error.message()));
  if (status.type() != std::filesystem::file_type::regular) {
    return Fail(Errc::kInvalid, fmt::format("database {}: not a regular file", path));
  }
  return {};
}

Result<void> KeepOthersOut(const std::string& path) {
  std::error_code error;
  std::filesystem::permissions(path, static_cast<std::filesystem::perms>(kMode), error);
  if (error) return Fail(Errc::kRefused, fmt::format("database {}: setting mode 0600: {}", path, error.message()));
  return {};
}

}  // namespace

Result<std::unique_ptr<Database>> Database::Open(const std::string& path, const std::vector<std::string>& migrations) {
  const bool in_memory = path == ":memory:";
  if (!in_memory) {
    if (auto prepared = PrepareFile(path); !prepared) return Fail(prepared.error());
  }
  sqlite3* raw = nullptr;
  const int flags =
      SQLITE_OPEN_READWRITE | (in_memory ? SQLITE_OPEN_MEMORY : 0) | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  auto impl = std::make_unique<Impl>(path, Handle(raw));
  if (raw == nullptr) return impl->Failure(Errc::kIo, "opening it: out of memory");
  if (code != SQLITE_OK) return impl->Failure("opening it");
  sqlite3_busy_timeout(raw, kBusyMilliseconds);

  // Nothing is written before it is known to be ours.
  const auto version = impl->ReadInteger("PRAGMA user_version");
  if (!version) return Fail(version.error());
  const auto owner = impl->ReadInteger("PRAGMA application_id");
  if (!owner) return Fail(owner.error());
  const auto tables = impl->ReadInteger("SELECT count(*) FROM sqlite_schema");
  if (!tables) return Fail(tables.error());
  const bool fresh = *version == 0 && *tables == 0 && *owner == 0;
  if (!fresh && *owner != kApplicationId) {
    return impl->Failure(Errc::kInvalid, "belongs to another program; it is left as it is");
  }
  if (std::cmp_greater(*version, migrations.size())) {
    return impl->Failure(Errc::kInvalid,
                         fmt::format("made by a newer Shipmate (schema {}, known here: {}); update Shipmate", *version,
                                     migrations.size()));
  }

  if (!in_memory) {
    if (auto closed = KeepOthersOut(path); !closed) return Fail(closed.error());
  }
  if (auto set = impl->Run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON",
                           "setting it up");
      !set) {
    return Fail(set.error());
  }
  if (fresh) {
    const auto marked =
        impl->Run(fmt::format("PRAGMA application_id = {}", kApplicationId), "marking it as Shipmate's");
    if (!marked) return Fail(marked.error());
  }
  for (auto next = static_cast<std::size_t>(*version); next < migrations.size(); ++next) {
    const auto migrated = impl->Transaction([&] {
      return impl->Run(fmt::format("{};\nPRAGMA user_version = {}", migrations[next], next + 1),
                       fmt::format("bringing it to schema {}", next + 1));
    });
    if (!migrated) return Fail(migrated.error());
  }
  return std::unique_ptr<Database>(new Database(std::move(impl)));
}

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::~Database() = default;

Result<void> Database::Execute(const std::string& sql, const std::vector<Value>& parameters) {
  return impl_->Query(sql, parameters, [](const Row&) {});
}

Result<void> Database::Query(const std::string& sql, const std::vector<Value>& parameters,
                             const std::function<void(const Row&)>& on_row) {
  return impl_->Query(sql, parameters, on_row);
}

Result<void> Database::Transaction(const std::function<Result<void>()>& body) {
  return impl_->Transaction(body);
}
std::int64_t Database::Changes() const {
  return sqlite3_changes64(impl_->handle());
}
std::int64_t Database::LastInsertId() const {
  return sqlite3_last_insert_rowid(impl_->handle());
}

}  // namespace shipmate::store
