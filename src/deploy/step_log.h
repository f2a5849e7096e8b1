#pragma once

// StepLog: the output of a deploy on its way to its log file and into memory. Secrets are masked line by line before
// either; the file is bounded, and so is what is kept.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/mask.h"
#include "os/head_and_tail.h"
#include "os/unique_fd.h"

namespace shipmate::deploy {

class StepLog {
 public:
  /// Keeps `limit` bytes in memory. `masker` may be null.
  StepLog(std::size_t limit, std::shared_ptr<const base::Masker> masker);

  /// Everything goes into the file `path` too, which is made anew. Its failure is for the log only: "" = none.
  std::string Open(const std::string& path);
  void Add(std::string_view piece);
  /// What is left of an unfinished line counts as one.
  void Flush();
  bool AtLineStart() const { return line_.empty() && kept_.AtLineStart(); }
  /// What is kept; see os::HeadAndTail.
  std::string Text() const { return kept_.Text(); }

 private:
  void Keep(std::string_view text);

  const std::shared_ptr<const base::Masker> masker_;
  os::HeadAndTail kept_;
  std::string line_;
  os::UniqueFd file_;
  std::size_t written_ = 0;
  bool full_ = false;
};

}  // namespace shipmate::deploy
