#include "service/log_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <utility>

#include "base/text.h"
#include "base/time_text.h"
#include "os/files.h"
#include "os/guarded_files.h"
#include "os/sparse_file.h"
#include "service/backend.h"
#include "service/logfile.h"

namespace shipmate::service {

namespace {

constexpr std::size_t kPerLine = 256;
constexpr std::size_t kMostForLines = std::size_t{256} * 1024;
// Longer lines are taken as several.
constexpr std::size_t kLongestLine = std::size_t{64} * 1024;
// Of a matching line longer than this only the surroundings of the match are given.
constexpr std::size_t kShownLine = 1000;
constexpr std::size_t kAround = 200;

class Needle {
 public:
  explicit Needle(const std::string& text)
      : text_(text), exact_(std::ranges::any_of(text, [](char c) { return c >= 'A' && c <= 'Z'; })) {}

  std::size_t FindIn(std::string_view line) {
    if (text_.empty()) return 0;
    std::string_view searched = line;
    if (!exact_) {
      lower_ = base::ToLowerAscii(line);
      searched = lower_;
    }
    // Linear in the line whatever the text, unlike std::string_view::find.
    const void* found = ::memmem(searched.data(), searched.size(), text_.data(), text_.size());
    if (found == nullptr) return std::string_view::npos;
    return static_cast<std::size_t>(static_cast<const char*>(found) - searched.data());
  }
  std::size_t Size() const { return text_.size(); }

 private:
  const std::string& text_;
  bool exact_;
  std::string lower_;
};

// `line` cut to the surroundings of what stands at `at`, on code points.
std::string Surroundings(std::string_view line, std::size_t at, std::size_t length) {
  if (line.size() <= kShownLine) return std::string(line);
  std::size_t begin = at > kAround ? at - kAround : 0;
  std::size_t end = std::min(line.size(), at + length + kAround);
  const auto inside = [&](std::size_t offset) {
    return offset < line.size() && (static_cast<unsigned char>(line[offset]) & 0xC0U) == 0x80U;
  };
  for (int i = 0; i < 3 && begin > 0 && inside(begin); ++i) --begin;
  for (int i = 0; i < 3 && inside(end); ++i) ++end;
  return fmt::format("{}{}{}", begin > 0 ? "..." : "", line.substr(begin, end - begin), end < line.size() ? "..." : "");
}

std::vector<os::FileEntry> ListRuns(const LogSource& source) {
  std::vector<os::FileEntry> runs;
  const auto current = os::StatRegularFile(source.current);
  for (const std::string& path : ListLogFiles(source.dir, source.name)) {
    auto entry = os::StatRegularFile(path);
    if (!entry || (current && entry->SameFile(*current))) continue;
    entry->name = path;
    runs.push_back(*std::move(entry));
  }
  std::ranges::sort(runs, {}, [](const os::FileEntry& run) { return std::pair(run.modified, run.name); });
  if (current) {
    runs.push_back(*current);
    runs.back().name = source.current;
  }
  return runs;
}

struct Piece {
  std::string path;
  std::uint64_t size = 0;
  /// Bytes from its end that may be read.
  std::uint64_t wanted = 0;
};

// Oldest first.
Result<std::vector<Piece>> Choose(const LogSource& source, const LogQuery& query, LogAnswer& answer) {
  const std::vector<os::FileEntry> runs = ListRuns(source);
  std::vector<Piece> pieces;
  if (query.previous > 0) {
    if (query.since) return Fail(Errc::kInvalid, "--previous is one run, --since goes by time: use one of them");
    if (query.previous >= runs.size()) {
      const std::size_t earlier = runs.empty() ? 0 : runs.size() - 1;
      return Fail(Errc::kNotFound, earlier == 0 ? "no log of an earlier run is there"
                                                : fmt::format("only {} earlier runs have a log", earlier));
    }
    const os::FileEntry& run = runs[runs.size() - 1 - query.previous];
    answer.notes.push_back(fmt::format("an earlier run, last written to at {}", base::FormatRfc3339(run.modified)));
    pieces.push_back({.path = run.name, .size = run.size, .wanted = run.size});
    return pieces;
  }
  if (runs.empty()) return pieces;
  const os::FileEntry& last = runs.back();
  if (!query.from_file.empty()) {
    const std::uint64_t from = last.name == query.from_file && query.from <= last.size ? query.from : 0;
    pieces.push_back({.path = last.name, .size = last.size, .wanted = last.size - from});
    return pieces;
  }
  if (!query.since) {
    pieces.push_back({.path = last.name, .size = last.size, .wanted = last.size});
    return pieces;
  }
  const base::WallTime begin = source.now - *query.since;
  for (const os::FileEntry& run : runs) {
    if (run.modified < begin) continue;
    std::uint64_t wanted = run.size;
    if (&run == &last) {
      if (source.since_offset) {
        wanted -= std::min(*source.since_offset, run.size);
      } else {
        answer.notes.emplace_back("this run was not watched that far back: some lines may be older");
      }
    }
    if (wanted > 0) pieces.push_back({.path = run.name, .size = run.size, .wanted = wanted});
  }
  return pieces;
}

}  // namespace

std::size_t BytesFor(const LogQuery& query) {
  if (!query.text.empty()) return kLogSearchLimit;
  if (query.lines) return std::clamp(*query.lines * kPerLine, query.bytes, kMostForLines);
  return query.bytes;
}

std::string SelectLines(std::string_view tail, const LogQuery& query) {
  Needle needle(query.text);
  const std::size_t most_bytes = query.lines ? kMostForLines : query.bytes;
  std::deque<std::string> lines;
  std::size_t bytes = 0;
  // From the end, until there is enough.
  while (!tail.empty()) {
    const std::string_view body = tail.substr(0, tail.ends_with('\n') ? tail.size() - 1 : tail.size());
    std::size_t begin = body.rfind('\n');
    begin = begin == std::string_view::npos ? 0 : begin + 1;
    if (tail.size() - begin > kLongestLine) begin = tail.size() - kLongestLine;
    const std::string_view whole = tail.substr(begin);
    const std::string_view line = body.substr(std::min(begin, body.size()));
    tail = tail.substr(0, begin);
    const std::size_t at = needle.FindIn(line);
    if (at == std::string_view::npos) continue;
    std::string shown = query.text.empty() ? std::string(whole) : Surroundings(line, at, needle.Size()) + "\n";
    // The last line is given even if it alone is too much.
    if (!lines.empty() && bytes + shown.size() > most_bytes) break;
    bytes += shown.size();
    lines.push_front(std::move(shown));
    if (query.lines && lines.size() == *query.lines) break;
  }
  std::string text;
  for (const std::string& line : lines) text += line;
  if (text.size() > most_bytes) {
    std::size_t cut = text.size() - most_bytes;
    while (cut < text.size() && (static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U) ++cut;
    text.erase(0, cut);
  }
  return text;
}

Task<Result<LogAnswer>> Backend::ReadLog(LogQuery query) {
  if (query.previous > 0 || query.since || !query.from_file.empty()) {
    co_return Fail(Errc::kInvalid,
                   "only the end of its log can be read here: its manager keeps it; ask that one "
                   "(for a unit, `journalctl -u`)");
  }
  const auto tail = co_await Logs(BytesFor(query));
  if (!tail) co_return Fail(tail.error());
  LogAnswer answer;
  answer.text = SelectLines(*tail, query);
  co_return answer;
}

Result<LogAnswer> ReadLog(const LogSource& source, const LogQuery& query) {
  LogAnswer answer;
  const auto pieces = Choose(source, query, answer);
  if (!pieces) return Fail(pieces.error());
  if (pieces->empty()) return answer;
  answer.file = pieces->back().path;
  answer.end = pieces->back().size;
  const std::size_t budget = BytesFor(query);
  std::size_t left = budget;
  std::string tail;
  bool cut = false;
  for (auto piece = pieces->rbegin(); piece != pieces->rend(); ++piece) {
    if (left == 0) {
      cut = true;
      break;
    }
    const std::size_t wanted = std::min<std::uint64_t>(piece->wanted, left);
    const auto use = os::InspectFile(piece->path);
    if (wanted < piece->wanted && use && use->used > wanted) cut = true;
    std::string text = TailLogFile(piece->path, wanted);
    left -= std::min(left, text.size());
    if (!text.empty() && !text.ends_with('\n') && !tail.empty()) text += '\n';
    tail.insert(0, text);
  }
  answer.text = SelectLines(tail, query);
  if (cut && !query.text.empty()) {
    answer.notes.push_back(fmt::format("only the last {} MiB were searched", budget >> 20U));
  }
  return answer;
}

}  // namespace shipmate::service
