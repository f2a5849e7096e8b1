#pragma once

// Keyed and plain digests, and comparing them: for signatures over bodies as they came.

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace shipmate::net {

/// HMAC-SHA256 (RFC 2104) as 64 lower-case hex digits.
std::string HmacSha256Hex(std::string_view key, std::string_view message);
std::string Sha256Hex(std::string_view message);

using Sha256Digest = std::array<unsigned char, 32>;
Sha256Digest Sha256(std::string_view message);
std::string ToHex(const Sha256Digest& digest);

/// A key for many HMAC-SHA256 signatures: what is the same for all of them is worked out once.
class HmacKey {
 public:
  explicit HmacKey(std::string_view key);
  ~HmacKey();
  HmacKey(HmacKey&&) noexcept;
  HmacKey& operator=(HmacKey&&) noexcept;

  Sha256Digest Sign(std::string_view message);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Whether both are equal, in time that depends on the lengths only.
bool EqualConstantTime(std::string_view a, std::string_view b);

}  // namespace shipmate::net
