#include "net/http_types.h"

namespace shipmate::net {

namespace {

char LowerAscii(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool SameName(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (LowerAscii(a[i]) != LowerAscii(b[i])) return false;
  }
  return true;
}

}  // namespace

std::string_view Headers::Get(std::string_view name) const {
  for (const auto& [field, value] : fields_) {
    if (SameName(field, name)) return value;
  }
  return {};
}

std::size_t Headers::Count(std::string_view name) const {
  std::size_t count = 0;
  for (const auto& [field, value] : fields_) {
    if (SameName(field, name)) ++count;
  }
  return count;
}

}  // namespace shipmate::net
