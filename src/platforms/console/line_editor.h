#pragma once

// LineEditor: libedit on the terminal behind standard input, driven by the loop: history, completion, the usual keys.
// It opens the terminal anew, twice: Asio makes the descriptor it waits on non-blocking, for everyone who shares it,
// and the shell that started us does. libedit's state is global, so there may be one at a time.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/result.h"

namespace shipmate::platforms::console {

class LineEditor {
 public:
  using Completer = std::function<std::vector<std::string>(const std::string& line)>;

  /// kNotFound when standard input is not a terminal that can be opened again.
  static Result<std::unique_ptr<LineEditor>> Open(Executor executor, std::string prompt, Completer completer);
  /// Gives the terminal back as it was.
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  /// The next line, without its end; nullopt at end of input (Ctrl-D). Lines enter the history.
  Task<std::optional<std::string>> NextLine();
  /// Prints `text` above the line being edited.
  void Print(const std::string& text);

 private:
  class Impl;
  explicit LineEditor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shipmate::platforms::console
