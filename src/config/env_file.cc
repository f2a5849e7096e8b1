#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/text.h"
#include "config/fields.h"
#include "config/load.h"
#include "config/source.h"

// POSIX leaves its declaration to the program (XBD 8.1).
extern char** environ;

namespace shipmate::config {

namespace {

using Variables = std::map<std::string, std::string>;

bool IsBlank(char c) {
  return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsUpper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool IsKeyCharacter(char c) {
  return IsUpper(c) || (c >= 'a' && c <= 'z') || IsDigit(c) || c == '_' || c == '.';
}
bool IsExpandable(char c) {
  return IsUpper(c) || IsDigit(c) || c == '_';
}

// Reads godotenv's grammar: KEY=value or KEY: value, "export" before it, comments, quotes and $VARIABLE. Texts of
// problems and warnings never repeat the file, which is full of secrets.
class EnvReader {
 public:
  EnvReader(std::string_view text, const Variables& environment, Report& report)
      : text_(text), environment_(environment), report_(report) {}

  Variables Read() {
    if (text_.starts_with("\xEF\xBB\xBF")) Advance(3);
    while (SkipToStatement()) {
      if (!ReadStatement()) SkipLine();
    }
    return std::move(variables_);
  }

 private:
  bool AtEnd() const { return position_ >= text_.size(); }
  char Peek() const { return text_[position_]; }
  bool AtLineEnd() const { return AtEnd() || Peek() == '\n'; }
  Mark Here() const { return {line_, static_cast<int>(position_ - line_start_) + 1}; }

  void Advance(std::size_t count = 1) {
    for (; count > 0 && !AtEnd(); --count) {
      if (text_[position_++] != '\n') continue;
      ++line_;
      line_start_ = position_;
    }
  }
  void SkipBlanks() {
    while (!AtEnd() && IsBlank(Peek())) Advance();
  }
  void SkipLine() {
    while (!AtLineEnd()) Advance();
  }

  // To the next character that is neither blank nor comment nor a line "---"; false at the end.
  bool SkipToStatement() {
    while (!AtEnd()) {
      if (IsBlank(Peek()) || Peek() == '\n') {
        Advance();
      } else if (Peek() == '#') {
        SkipLine();
      } else if (position_ == line_start_ && RestOfLine() == "---") {
        SkipLine();
      } else {
        return true;
      }
    }
    return false;
  }

  std::string_view RestOfLine() const {
    std::string_view rest = text_.substr(position_, text_.find('\n', position_) - position_);
    if (rest.ends_with('\r')) rest.remove_suffix(1);
    return rest;
  }

  bool ReadStatement() {
    constexpr std::string_view kExport = "export";
    const std::string_view rest = text_.substr(position_);
    if (rest.starts_with(kExport) && rest.size() > kExport.size() && IsBlank(rest[kExport.size()])) {
      Advance(kExport.size());
      SkipBlanks();
    }
    const std::size_t start = position_;
    while (!AtEnd() && IsKeyCharacter(Peek())) Advance();
    key_ = std::string(text_.substr(start, position_ - start));
    SkipBlanks();
    if (AtLineEnd()) return Refuse(Here(), "expected KEY=value, found no \"=\"");
    if (Peek() != '=' && Peek() != ':') {
      return Refuse(Here(), "unexpected character before the \"=\"; a name has letters, digits, \"_\" and \".\"");
    }
    if (key_.empty()) return Refuse(Here(), "expected a name before the \"=\"");
    Advance();
    SkipBlanks();
    if (!AtEnd() && (Peek() == '\'' || Peek() == '"')) return ReadQuoted();
    ReadUnquoted();
    return true;
  }

  // Up to the end of the line; a "#" behind a blank begins a comment.
  void ReadUnquoted() {
    const Mark mark = Here();
    const std::string_view line = RestOfLine();
    std::size_t end = line.size();
    for (std::size_t i = 1; i < line.size(); ++i) {
      if (line[i] != '#' || !IsBlank(line[i - 1])) continue;
      end = i;
      break;
    }
    SkipLine();
    variables_[key_] = Expand(base::Trim(line.substr(0, end)), mark);
  }

  // Up to the same quote without a backslash before it, over as many lines as that takes. Between double quotes a
  // backslash can itself be escaped.
  bool ReadQuoted() {
    const Mark mark = Here();
    const char quote = Peek();
    Advance();
    std::string raw;
    bool escaped = false;
    while (!AtEnd() && (Peek() != quote || escaped)) {
      escaped = Peek() == '\\' && (!escaped || quote == '\'');
      // Line ends are read as "\n" whatever the editor wrote.
      if (Peek() != '\r' || !text_.substr(position_).starts_with("\r\n")) raw.push_back(Peek());
      Advance();
    }
    if (AtEnd()) return Refuse(mark, "the quote that opens here is never closed");
    Advance();
    variables_[key_] = quote == '\'' ? raw : Expand(Unescape(raw), mark);
    return true;
  }

  // `\n` and `\r` are line ends, `\$` waits for Expand, any other character loses its backslash.
  static std::string Unescape(std::string_view raw) {
    std::string out;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] != '\\' || i + 1 == raw.size()) {
        out.push_back(raw[i]);
        continue;
      }
      const char next = raw[++i];
      if (next == 'n') {
        out.push_back('\n');
      } else if (next == 'r') {
        out.push_back('\r');
      } else {
        if (next == '$') out.push_back('\\');
        out.push_back(next);
      }
    }
    return out;
  }

  // $NAME and ${NAME}, from the lines before, then from the environment; `\$` is a plain "$".
  std::string Expand(std::string_view value, Mark mark) {
    std::string out;
    for (std::size_t i = 0; i < value.size();) {
      if (value[i] == '\\' && i + 1 < value.size() && value[i + 1] == '$') {
        out.push_back('$');
        i += 2;
        continue;
      }
      if (value[i] != '$') {
        out.push_back(value[i++]);
        continue;
      }
      const bool brace = i + 1 < value.size() && value[i + 1] == '{';
      const std::size_t start = i + (brace ? 2 : 1);
      std::size_t end = start;
      while (end < value.size() && IsExpandable(value[end])) ++end;
      if (end == start) {
        out.push_back(value[i++]);
        continue;
      }
      out += Lookup(std::string(value.substr(start, end - start)), mark);
      i = brace && end < value.size() && value[end] == '}' ? end + 1 : end;
    }
    return out;
  }

  std::string Lookup(const std::string& name, Mark mark) {
    if (const auto own = variables_.find(name); own != variables_.end()) return own->second;
    if (const auto outer = environment_.find(name); outer != environment_.end()) return outer->second;
    report_.Warn(mark,
                 fmt::format("the value of {} names a variable that is not set; where a \"$\" is meant as it stands, "
                             "put the value in single quotes",
                             key_));
    return "";
  }

  bool Refuse(Mark mark, std::string_view text) {
    report_.Problem(mark, text);
    return false;
  }

  const std::string_view text_;
  const Variables& environment_;
  Report& report_;
  std::size_t position_ = 0;
  int line_ = 1;
  std::size_t line_start_ = 0;
  std::string key_;
  Variables variables_;
};

std::string WarnOfAccess(const std::string& path) {
  return fmt::format("{}: other users of this machine can read the secrets in it; run: chmod 600 {}", path, path);
}

// A token goes into an HTTP header: blanks and control characters in it are a slip of the hand.
void CheckToken(const std::string& name, const base::Secret& token, Problems& problems) {
  if (std::ranges::all_of(token.Reveal(), [](char c) { return c > ' ' && c != 0x7F; })) return;
  problems.push_back(fmt::format("reading env file: {} contains blanks or control characters", name));
}

}  // namespace

LoadResult<Variables> ParseEnvText(const std::string& file, std::string_view text, const Variables& environment) {
  Report report(file, "");
  Variables variables;
  if (text.find('\0') != std::string_view::npos) {
    report.Problem({}, "contains NUL bytes: not a text file");
  } else {
    variables = EnvReader(text, environment, report).Read();
  }
  if (report.Failed()) return std::unexpected(report.TakeProblems());
  return Loaded<Variables>{std::move(variables), report.TakeWarnings()};
}

LoadResult<Env> LoadEnv(const std::string& path, const Variables& environment) {
  Loaded<Env> loaded;
  Problems problems;
  Variables variables;
  if (!path.empty()) {
    const auto text = ReadSource(path);
    if (!text && text.error().code != Errc::kNotFound) {
      return std::unexpected(Problems{"reading env file: " + text.error().what});
    }
    if (text) {
      auto parsed = ParseEnvText(path, *text, environment);
      if (!parsed) {
        for (std::string& problem : parsed.error()) problem.insert(0, "reading env file: ");
        return std::unexpected(std::move(parsed.error()));
      }
      variables = std::move(parsed->value);
      loaded.warnings = std::move(parsed->warnings);
      if (OpenToOthers(path)) loaded.warnings.push_back(WarnOfAccess(path));
    }
  }
  const auto take = [&](const std::string& name) {
    if (const auto own = variables.find(name); own != variables.end()) return base::Secret(own->second);
    const auto outer = environment.find(name);
    return outer == environment.end() ? base::Secret() : base::Secret(outer->second);
  };
  Env& env = loaded.value;
  env.discord_token = take("DISCORD_TOKEN");
  env.mattermost_token = take("MATTERMOST_TOKEN");
  env.github_webhook_secret = take("GITHUB_WEBHOOK_SECRET");
  env.gitlab_webhook_secret = take("GITLAB_WEBHOOK_SECRET");
  env.gitea_webhook_secret = take("GITEA_WEBHOOK_SECRET");
  env.generic_webhook_secret = take("GENERIC_WEBHOOK_SECRET");

  if (env.discord_token.Empty() && !path.empty()) {
    const std::string token_path = (std::filesystem::path(path).parent_path() / "token.txt").string();
    const auto token = ReadSource(token_path);
    if (token) {
      env.discord_token = base::Secret(std::string(base::Trim(*token)));
      if (OpenToOthers(token_path)) loaded.warnings.push_back(WarnOfAccess(token_path));
    } else if (token.error().code != Errc::kNotFound) {
      problems.push_back("reading env file: " + token.error().what);
    }
  }
  CheckToken("DISCORD_TOKEN", env.discord_token, problems);
  CheckToken("MATTERMOST_TOKEN", env.mattermost_token, problems);
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return loaded;
}

Variables ProcessEnvironment() {
  Variables variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

}  // namespace shipmate::config
