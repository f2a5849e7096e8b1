#include "config/read_keys.h"

#include <fmt/format.h>

#include "config/names.h"

namespace shipmate::config {

std::string ReadPath(Fields& fields, std::string_view key, const std::string& base, const std::string& fallback) {
  const auto path = fields.Text(key);
  if (!path) return fallback.empty() ? "" : ResolvePath(base, fallback);
  if (path->text.empty()) {
    fields.Problem(key, path->mark, "is empty; leave the key out for the default");
  } else if (path->text[0] == '~') {
    fields.Problem(key, path->mark, "\"~\" is not expanded; write the whole path");
  }
  return ResolvePath(base, path->text);
}

// The value is not shown in problems: a URL may hold a password.
std::string ReadUrl(Fields& fields, std::string_view key, std::string_view scheme, std::string fallback) {
  const auto url = fields.Text(key);
  if (!url) return fallback;
  std::string_view rest = url->text;
  const std::string plain = fmt::format("{}://", scheme);
  const std::string secure = fmt::format("{}s://", scheme);
  if (rest.starts_with(plain)) {
    rest.remove_prefix(plain.size());
  } else if (rest.starts_with(secure)) {
    rest.remove_prefix(secure.size());
  } else {
    fields.Problem(key, url->mark, fmt::format("must start with {} or {}", secure, plain));
    return "";
  }
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos) {
    fields.Problem(key, url->mark, "must not hold a user name or password; tokens belong into .env");
  } else if (authority.empty() || authority[0] == ':' || rest.find_first_of(" \"<>\\") != std::string_view::npos) {
    fields.Problem(key, url->mark, "is no URL");
  }
  std::string clean = url->text;
  while (clean.ends_with('/')) clean.pop_back();
  return clean;
}

std::vector<std::string> ReadServiceNames(Fields& fields) {
  std::vector<std::string> services;
  for (const Placed& service : fields.Texts("services")) {
    if (!IsServiceName(service.text)) {
      fields.Problem("services", service.mark, fmt::format("{} is no service name", Shown(service.text)));
    }
    services.push_back(service.text);
  }
  return services;
}

void RefuseToken(Fields& fields, std::string_view variable) {
  if (const Node* token = fields.Find("token")) {
    fields.Problem(
        "token", token->key_mark,
        fmt::format("tokens do not belong here: move it to .env as {}, and replace it if others saw this file",
                    variable));
  }
}

}  // namespace shipmate::config
