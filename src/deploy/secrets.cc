#include "deploy/secrets.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "base/secret.h"

namespace shipmate::deploy {

namespace {

constexpr std::array<std::string_view, 7> kSecretWords = {"TOKEN",      "SECRET", "PASS",   "KEY",
                                                          "CREDENTIAL", "AUTH",   "PRIVATE"};

bool IsSecretName(std::string name) {
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return std::ranges::any_of(kSecretWords, [&name](std::string_view word) { return name.contains(word); });
}

// RFC 4648 section 4, without the padding: what stands before or behind the value changes the end.
std::string Base64(std::string_view text) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    bits = (bits << 8U) | static_cast<unsigned char>(c);
    count += 8;
    while (count >= 6) {
      count -= 6;
      out.push_back(kAlphabet[(bits >> static_cast<unsigned>(count)) & 0x3FU]);
    }
  }
  return out;
}

// RFC 3986 section 2.3: all but the unreserved characters are encoded.
std::string UrlEncoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace

std::shared_ptr<const base::Masker> MaskerOf(const std::map<std::string, std::string>& variables) {
  auto masker = std::make_shared<base::Masker>();
  for (const auto& [name, value] : variables) {
    if (!IsSecretName(name)) continue;
    masker->Add(base::Secret(value));
    masker->Add(base::Secret(Base64(value)));
    masker->Add(base::Secret(UrlEncoded(value)));
  }
  return masker;
}

}  // namespace shipmate::deploy
