#include "deploy/step_log.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "os/guarded_files.h"

namespace shipmate::deploy {

namespace {

// Longer lines are masked in pieces.
constexpr std::size_t kLongestLine = std::size_t{64} * 1024;
constexpr std::size_t kLargestFile = std::size_t{32} * 1024 * 1024;

}  // namespace

StepLog::StepLog(std::size_t limit, std::shared_ptr<const base::Masker> masker)
    : masker_(std::move(masker)), kept_(limit) {}

std::string StepLog::Open(const std::string& path) {
  constexpr unsigned kMode = 0640;
  // Of a state directory before this one, whose deploys had the same numbers.
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  auto file = os::CreateForAppend(path, kMode);
  if (!file) return file.error().what;
  file_ = *std::move(file);
  return "";
}

void StepLog::Add(std::string_view piece) {
  std::size_t at = 0;
  while (at < piece.size()) {
    const std::size_t newline = piece.find('\n', at);
    const std::size_t end = newline == std::string_view::npos ? piece.size() : newline + 1;
    line_ += piece.substr(at, end - at);
    at = end;
    if (newline != std::string_view::npos || line_.size() >= kLongestLine) Flush();
  }
}

void StepLog::Flush() {
  if (line_.empty()) return;
  const std::string line = std::exchange(line_, {});
  Keep(masker_ ? masker_->Mask(line) : line);
}

void StepLog::Keep(std::string_view text) {
  kept_.Add(text);
  if (!file_ || full_) return;
  written_ += text.size();
  full_ = written_ > kLargestFile;
  // A full disk does not fail a deploy.
  static_cast<void>(os::WriteAll(file_.Get(), full_ ? "... (the rest of the output is not kept)\n" : text));
}

}  // namespace shipmate::deploy
