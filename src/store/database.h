#pragma once

// Database: one SQLite file (WAL, synchronous=NORMAL: survives the death of the process; foreign keys on), with
// numbered migrations, prepared statements and transactions. Used from one thread. Errors are Results that name the
// file.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace shipmate::store {

using Value = std::variant<std::nullptr_t, std::int64_t, double, std::string>;

/// One row of a query; columns by position.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
  bool IsNull(int column) const;
  std::int64_t Integer(int column) const;
  double Real(int column) const;
  std::string Text(int column) const;

 private:
  sqlite3_stmt* statement_;
};

class Database {
 public:
  /// Opens or creates `path` (mode 0600; ":memory:" for tests) and brings its schema to `migrations.size()`, applying
  /// each missing migration in a transaction of its own (recorded in `user_version`). kInvalid when the file was made
  /// by a newer program, or is no database: then it is left as it is.
  static Result<std::unique_ptr<Database>> Open(const std::string& path, const std::vector<std::string>& migrations);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Runs one statement with `?` parameters bound in order; statements are prepared once and kept.
  Result<void> Execute(const std::string& sql, const std::vector<Value>& parameters);
  /// Runs one query; `on_row` is called for each row.
  Result<void> Query(const std::string& sql, const std::vector<Value>& parameters,
                     const std::function<void(const Row&)>& on_row);
  /// Runs `body` in a transaction: committed when it succeeds, rolled back when it fails or throws.
  Result<void> Transaction(const std::function<Result<void>()>& body);
  /// Rows changed by the last Execute.
  std::int64_t Changes() const;
  std::int64_t LastInsertId() const;

 private:
  class Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shipmate::store
