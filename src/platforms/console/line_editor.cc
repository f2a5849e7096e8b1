#include "platforms/console/line_editor.h"

#include <editline/readline.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <utility>

#include "base/text.h"
#include "os/unique_fd.h"

namespace shipmate::platforms::console {

namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

constexpr int kHistoryLines = 500;

}  // namespace

class LineEditor::Impl {
 public:
  Impl(Executor executor, std::string prompt, Completer completer, os::UniqueFd wait, File in, File out)
      : waiter_(executor, wait.Release()),
        in_(std::move(in)),
        out_(std::move(out)),
        prompt_(std::move(prompt)),
        completer_(std::move(completer)) {
    current_ = this;
    rl_instream = in_.get();
    rl_outstream = out_.get();
    rl_readline_name = "shipmate";
    using_history();
    stifle_history(kHistoryLines);
    rl_attempted_completion_function = &Impl::Complete;
  }
  ~Impl() {
    if (editing_) rl_callback_handler_remove();
    current_ = nullptr;
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Task<std::optional<std::string>> NextLine() {
    while (lines_.empty() && !ended_) {
      // Shows the prompt. Done for each line anew, so that an answer is printed before the next prompt.
      if (!std::exchange(editing_, true)) rl_callback_handler_install(prompt_.c_str(), &Impl::OnLine);
      co_await waiter_.async_wait(boost::asio::posix::descriptor_base::wait_read, boost::asio::use_awaitable);
      if (HungUp()) break;
      rl_callback_read_char();
    }
    if (lines_.empty()) co_return std::nullopt;
    std::string line = std::move(lines_.front());
    lines_.pop_front();
    co_return line;
  }

  void Print(const std::string& text) {
    if (editing_) {
      // Back to the start of the edited line, which may take several rows; it is drawn again below the text.
      int rows = 0;
      int columns = 0;
      rl_get_screen_size(&rows, &columns);
      const int before = columns > 0 ? (static_cast<int>(prompt_.size()) + rl_point) / columns : 0;
      if (before > 0) std::fprintf(out_.get(), "\x1b[%dA", before);
      std::fputs("\r\x1b[J", out_.get());
    }
    std::fprintf(out_.get(), "%s\n", text.c_str());
    std::fflush(out_.get());
    if (editing_) rl_forced_update_display();
  }

 private:
  // A closed terminal stays readable for ever, and libedit says nothing of it.
  bool HungUp() {
    pollfd state{.fd = waiter_.native_handle(), .events = POLLIN, .revents = 0};
    return poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0;
  }

  static void OnLine(char* line) {
    Impl& self = *current_;
    self.editing_ = false;
    rl_callback_handler_remove();
    if (line == nullptr) {
      self.ended_ = true;
      std::fputc('\n', self.out_.get());
      std::fflush(self.out_.get());
      return;
    }
    if (!base::Trim(line).empty()) add_history(line);
    self.lines_.emplace_back(line);
    std::free(line);
  }

  // A null-terminated array from malloc, as the interface wants: first what all candidates share, then each.
  static char** Complete(const char* /*word*/, int start, int /*end*/) {
    rl_attempted_completion_over = 1;
    Impl& self = *current_;
    const std::string line(rl_line_buffer, static_cast<std::size_t>(rl_point));
    std::vector<std::string> candidates = self.completer_(line);
    if (candidates.empty()) return nullptr;
    const std::string typed = line.substr(static_cast<std::size_t>(start));
    std::string shared = candidates.front();
    for (const std::string& candidate : candidates) {
      std::size_t same = 0;
      while (same < shared.size() && same < candidate.size() && shared[same] == candidate[same]) ++same;
      shared.resize(same);
    }
    if (shared.size() < typed.size()) shared = typed;
    auto** matches = static_cast<char**>(std::calloc(candidates.size() + 2, sizeof(char*)));
    if (matches == nullptr) return nullptr;
    matches[0] = strdup(shared.c_str());
    if (candidates.size() > 1) {
      for (std::size_t i = 0; i < candidates.size(); ++i) matches[i + 1] = strdup(candidates[i].c_str());
    }
    return matches;
  }

  // libedit's callbacks carry no pointer of ours.
  static Impl* current_;

  boost::asio::posix::stream_descriptor waiter_;
  File in_;
  File out_;
  std::string prompt_;
  Completer completer_;
  std::deque<std::string> lines_;
  bool editing_ = false;
  bool ended_ = false;
};

LineEditor::Impl* LineEditor::Impl::current_ = nullptr;

Result<std::unique_ptr<LineEditor>> LineEditor::Open(Executor executor, std::string prompt, Completer completer) {
  const char* terminal = isatty(STDIN_FILENO) != 0 ? ttyname(STDIN_FILENO) : nullptr;
  if (terminal == nullptr) return Fail(Errc::kNotFound, "standard input is not a terminal");
  const std::string path = terminal;
  os::UniqueFd wait(::open(path.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC));
  os::UniqueFd edit(::open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  os::UniqueFd write(::open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!wait || !edit || !write) return FailErrno(errno, "opening the terminal " + path);
  File in(fdopen(edit.Get(), "r"));
  if (!in) return FailErrno(errno, "opening the terminal " + path);
  edit.Release();
  File out(fdopen(write.Get(), "w"));
  if (!out) return FailErrno(errno, "opening the terminal " + path);
  write.Release();
  return std::unique_ptr<LineEditor>(new LineEditor(std::make_unique<Impl>(
      std::move(executor), std::move(prompt), std::move(completer), std::move(wait), std::move(in), std::move(out))));
}

LineEditor::LineEditor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LineEditor::~LineEditor() = default;

Task<std::optional<std::string>> LineEditor::NextLine() {
  return impl_->NextLine();
}
void LineEditor::Print(const std::string& text) {
  impl_->Print(text);
}

}  // namespace shipmate::platforms::console
