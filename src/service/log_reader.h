#pragma once

// Reading a service's logs for a person: their end, and only their end, whatever their size. For the worker pool.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace shipmate::service {

struct LogQuery {
  /// The most that is given, where `lines` is not set.
  std::size_t bytes = 1500;
  /// The last so many lines.
  std::optional<std::size_t> lines;
  /// Only lines that contain this text; "" for all. Letter case (ASCII) counts if there is a capital in it.
  std::string text;
  /// Only what was written since. Lines carry no time: of the run that goes on (or ended last) it is taken by how large
  /// the file was when, as far back as it was watched; earlier runs that wrote anything since count whole.
  std::optional<std::chrono::milliseconds> since;
  /// 0 for the run that goes on or ended last, 1 for the one before it, and so on.
  std::size_t previous = 0;
  /// Only what lies behind this offset of `from_file`, and whole later files.
  std::string from_file;
  std::uint64_t from = 0;
};

struct LogAnswer {
  /// Raw bytes: nothing is removed or repaired.
  std::string text;
  /// Where the read file ends, to go on from there.
  std::string file;
  std::uint64_t end = 0;
  /// What a reader should know of how the answer came about; finished phrases.
  std::vector<std::string> notes;
};

struct LogSource {
  std::string dir;
  std::string name;
  /// The file in use, or last used; "" when not known.
  std::string current;
  base::WallTime now{};
  /// For `since`: the offset in `current`; nullopt when it was not watched that long.
  std::optional<std::uint64_t> since_offset;
};

/// What is searched at most for `text`, from the end.
inline constexpr std::size_t kLogSearchLimit = std::size_t{8} << 20U;

/// kNotFound when there is no such earlier run; kInvalid for a query that contradicts itself.
Result<LogAnswer> ReadLog(const LogSource& source, const LogQuery& query);

/// The part of `tail`, the end of a log, that `query` asks for by bytes, lines and text. A line over 64 KiB counts as
/// several; of a long one that contains the text its surroundings are given.
std::string SelectLines(std::string_view tail, const LogQuery& query);

/// The bytes of a log's end that SelectLines needs for `query`.
std::size_t BytesFor(const LogQuery& query);

}  // namespace shipmate::service
