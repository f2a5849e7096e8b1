#include "net/hmac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cstdlib>

namespace shipmate::net {

namespace {

using Digest = std::array<unsigned char, EVP_MAX_MD_SIZE>;

std::string Hex(const Digest& digest, unsigned length) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(std::size_t{length} * 2);
  for (unsigned i = 0; i < length; ++i) {
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  return hex;
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::string HmacSha256Hex(std::string_view key, std::string_view message) {
  // OpenSSL reads a null key as "the key of last time".
  const std::string_view safe_key = key.data() == nullptr ? std::string_view("") : key;
  Digest digest{};
  unsigned length = 0;
  if (HMAC(EVP_sha256(), safe_key.data(), static_cast<int>(safe_key.size()), Bytes(message), message.size(),
           digest.data(), &length) == nullptr) {
    std::abort();  // A signature check without SHA-256 cannot go on; it fails only for want of memory.
  }
  return Hex(digest, length);
}

std::string Sha256Hex(std::string_view message) {
  Digest digest{};
  unsigned length = 0;
  if (EVP_Digest(message.data(), message.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1) std::abort();
  return Hex(digest, length);
}

bool EqualConstantTime(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace shipmate::net
