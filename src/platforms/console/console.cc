#include "platforms/console/console.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include "async/latch.h"
#include "base/clock.h"
#include "chat/render.h"
#include "platforms/console/line_editor.h"
#include "platforms/console/line_reader.h"
#include "platforms/console/plain_dialect.h"

namespace shipmate::platforms::console {

namespace {

constexpr const char* kPrompt = "shipmate> ";
constexpr const char* kChannel = "console";

/// Who types at this machine: the name of the login, for deploy records.
std::string LoginName() {
  const char* user = std::getenv("USER");
  return user != nullptr && *user != '\0' ? user : "console";
}

class Console final : public chat::Frontend {
 public:
  Console(Executor executor, std::shared_ptr<const base::Masker> masker)
      : executor_(std::move(executor)),
        masker_(std::move(masker)),
        dialect_(isatty(STDOUT_FILENO) != 0 ? Emphasis::kAnsi : Emphasis::kNone),
        channels_{{.id = kChannel}},
        ready_(executor_) {}

  std::string Name() const override { return "console"; }
  const chat::Dialect& GetDialect() const override { return dialect_; }
  const std::vector<config::ChannelConfig>& Channels() const override { return channels_; }

  Task<Result<void>> Run(chat::Inbox& inbox) override {
    inbox_ = &inbox;
    auto editor =
        LineEditor::Open(executor_, kPrompt, [&inbox](const std::string& line) { return inbox.Complete(line); });
    if (editor) {
      editor_ = std::move(*editor);
      Print("Shipmate. Type 'help' for the commands, Ctrl-D to leave; services go on running.");
    } else {
      reader_ = std::make_unique<LineReader>(executor_, STDIN_FILENO);
    }
    ready_.Set();
    co_await Converse();
    editor_.reset();
    co_return Result<void>();
  }

  Task<void> Ready() override { co_await ready_.Wait(); }

  // What has scrolled by can neither be edited nor read later.
  chat::Abilities GetAbilities() const override { return {}; }

  Task<Result<chat::Posted>> Send(chat::Outgoing outgoing) override {
    if (editor_) Print(outgoing.text);
    co_return chat::Posted{};
  }

  Task<Result<void>> Edit(chat::Revision) override {
    co_return Fail(Errc::kInvalid, "editing what stands on a terminal is not possible");
  }

  Task<Result<std::optional<chat::Posted>>> FindOwn(chat::Doubt) override { co_return std::optional<chat::Posted>(); }

  chat::Health GetHealth() const override { return {chat::Connection::kReady, ""}; }

 private:
  Task<void> Converse() {
    for (;;) {
      std::optional<std::string> line;
      if (editor_) {
        line = co_await editor_->NextLine();
      } else {
        line = co_await reader_->Next();
      }
      if (!line || *line == "quit" || *line == "exit") co_return;
      chat::Incoming incoming{.actor = {.platform = Name(), .id = LoginName(), .name = LoginName()},
                              .channel = kChannel,
                              .message_id = run_ + "-" + std::to_string(++lines_),
                              .text = std::move(*line),
                              .addressed = true};
      const auto answer = co_await inbox_->Ask(std::move(incoming));
      if (answer) Print(chat::Render(*answer, dialect_, masker_.get()));
    }
  }

  void Print(const std::string& text) {
    if (editor_) {
      editor_->Print(text);
    } else {
      std::fprintf(stdout, "%s\n", text.c_str());
      std::fflush(stdout);
    }
  }

  // Constant after construction.
  Executor executor_;
  std::shared_ptr<const base::Masker> masker_;
  PlainDialect dialect_;
  std::vector<config::ChannelConfig> channels_;
  // Tells the lines of one run of the program from those of the next.
  const std::string run_ = std::to_string(base::SystemClock().WallNow().time_since_epoch().count());

  async::Event ready_;
  chat::Inbox* inbox_ = nullptr;
  std::unique_ptr<LineEditor> editor_;
  std::unique_ptr<LineReader> reader_;
  std::uint64_t lines_ = 0;
};

}  // namespace

std::unique_ptr<chat::Frontend> CreateConsole(Executor executor, std::shared_ptr<const base::Masker> masker) {
  return std::make_unique<Console>(std::move(executor), std::move(masker));
}

}  // namespace shipmate::platforms::console
