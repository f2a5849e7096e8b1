#include "service/log_tidy.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>
#include <system_error>

#include "os/guarded_files.h"
#include "service/log_retention.h"
#include "service/logfile.h"

namespace shipmate::service {

namespace {

constexpr std::string_view kTemporary = ".compact";

LogUse UseOf(const std::string& path, const os::FileUse& use, bool current) {
  LogUse result;
  result.file = path;
  result.modified = use.modified;
  result.size = use.size;
  result.used = use.used;
  result.retained_from = use.HasHole() ? use.hole_end : 0;
  result.current = current;
  return result;
}

void Remove(const std::string& path, TidyReport& report) {
  std::error_code error;
  std::filesystem::remove(path, error);
  if (error) report.problems.push_back(fmt::format("removing the log {}: {}", path, error.message()));
}

void Execute(const LogPlan& plan, const std::string& current, TidyReport& report) {
  for (const std::string& path : plan.remove) Remove(path, report);
  for (const LogCut& cut : plan.free) {
    const auto timestamp = cut.file == current ? os::Timestamp::kTouched : os::Timestamp::kKept;
    const auto freed = os::FreeRange(cut.file, cut.begin, cut.end, timestamp);
    if (freed || freed.error().code == Errc::kNotFound) continue;
    std::string problem = freed.error().what;
    if (freed.error().code == Errc::kInvalid) {
      problem += "; its file system cannot free a part of a file, so log_max_size does not hold within a run";
    }
    report.problems.push_back(std::move(problem));
  }
}

void Compact(const LogUse& file, TidyReport& report) {
  const std::string& path = file.file;
  const auto use = os::InspectFile(path);
  if (!use || !use->HasHole()) return;
  const std::string note =
      fmt::format("=== {} bytes were freed here, by log_max_size ===", use->hole_end - use->hole_begin);
  const auto moved = os::CompactFile(path, path + std::string(kTemporary), note);
  if (moved && file.current) report.moved += *moved;
  // A process that still writes to it is met at the end of the next run.
  if (!moved && moved.error().code != Errc::kBusy && moved.error().code != Errc::kNotFound) {
    report.problems.push_back(moved.error().what);
  }
}

void Look(const std::string& path, TidyReport& report) {
  report.current.reset();
  if (path.empty()) return;
  if (auto use = os::InspectFile(path)) report.current = *use;
  report.marked = StartsWithMarker(path);
}

}  // namespace

TidyReport TidyLogs(const TidyRequest& request) {
  TidyReport report;
  const std::string& current = request.current;
  Look(current, report);
  const std::uint64_t own = report.current ? report.current->used : 0;
  if (request.others && request.compaction == Compaction::kNone) {
    report.others = *request.others;
    if (own + report.others < request.bound + os::kFreeUnit) return report;
    if (report.others == 0 && report.current) {
      Execute(PlanLogs({UseOf(current, *report.current, true)}, request.bound, kLogFilesKept), current, report);
      return report;
    }
  }

  const auto spared = os::StatRegularFile(current);
  std::vector<LogUse> files;
  const auto listing = request.listing
                           ? request.listing
                           : std::make_shared<const std::vector<std::string>>(ListLogDirectory(request.dir));
  for (const std::string& path : ChooseLogFiles(*listing, request.dir, request.name, kTemporary)) {
    if (path.ends_with(kTemporary)) {
      Remove(path, report);
      continue;
    }
    const auto entry = os::StatRegularFile(path);
    const auto use = os::InspectFile(path);
    if (!entry || !use) continue;
    files.push_back(UseOf(path, *use, spared && entry->SameFile(*spared)));
  }
  const LogPlan plan = PlanLogs(files, request.bound, kLogFilesKept);
  Execute(plan, current, report);
  std::set<std::string> changed(plan.remove.begin(), plan.remove.end());
  for (const LogCut& cut : plan.free) changed.insert(cut.file);
  report.others = 0;
  for (const LogUse& file : files) {
    const bool may_compact =
        request.compaction == Compaction::kAll || (request.compaction == Compaction::kOthers && !file.current);
    if (may_compact && (file.retained_from > 0 || changed.contains(file.file))) {
      Compact(file, report);
      changed.insert(file.file);
    }
    if (file.current) {
      if (changed.contains(file.file)) Look(current, report);
    } else if (!changed.contains(file.file)) {
      report.others += file.used;
    } else if (const auto use = os::InspectFile(file.file)) {
      report.others += use->used;
    }
  }
  return report;
}

}  // namespace shipmate::service
