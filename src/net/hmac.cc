#include "net/hmac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <cstdlib>

namespace shipmate::net {

namespace {

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::string HmacSha256Hex(std::string_view key, std::string_view message) {
  return ToHex(HmacKey(key).Sign(message));
}

std::string Sha256Hex(std::string_view message) {
  return ToHex(Sha256(message));
}

Sha256Digest Sha256(std::string_view message) {
  Sha256Digest digest{};
  // It fails only for want of memory, and a signature check without SHA-256 cannot go on.
  if (EVP_Digest(message.data(), message.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1) std::abort();
  return digest;
}

std::string ToHex(const Sha256Digest& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(digest.size() * 2);
  for (const unsigned char byte : digest) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

class HmacKey::Impl {
 public:
  explicit Impl(std::string_view key) {
    const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr), &EVP_MAC_free);
    context_.reset(EVP_MAC_CTX_new(mac.get()));
    char name[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                     OSSL_PARAM_construct_end()};
    if (context_ == nullptr || EVP_MAC_init(context_.get(), Bytes(key), key.size(), parameters) != 1) std::abort();
  }

  Sha256Digest Sign(std::string_view message) {
    Sha256Digest digest{};
    std::size_t length = 0;
    // Without a key it begins anew with the one it has (EVP_MAC(3)).
    if (EVP_MAC_init(context_.get(), nullptr, 0, nullptr) != 1 ||
        EVP_MAC_update(context_.get(), Bytes(message), message.size()) != 1 ||
        EVP_MAC_final(context_.get(), digest.data(), &length, digest.size()) != 1 || length != digest.size()) {
      std::abort();
    }
    return digest;
  }

 private:
  std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context_{nullptr, &EVP_MAC_CTX_free};
};

// OpenSSL reads a null key as "the key of last time".
HmacKey::HmacKey(std::string_view key)
    : impl_(std::make_unique<Impl>(key.data() == nullptr ? std::string_view("") : key)) {}
HmacKey::~HmacKey() = default;
HmacKey::HmacKey(HmacKey&&) noexcept = default;
HmacKey& HmacKey::operator=(HmacKey&&) noexcept = default;

Sha256Digest HmacKey::Sign(std::string_view message) {
  return impl_->Sign(message);
}

bool EqualConstantTime(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace shipmate::net
