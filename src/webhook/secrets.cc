#include "webhook/secrets.h"

#include <algorithm>

#include "base/text.h"
#include "net/base64.h"

namespace shipmate::webhook {

namespace {

// The form of keys of the Standard Webhooks specification.
constexpr std::string_view kSigningKey = "whsec_";

}  // namespace

std::vector<base::Secret> SplitSecrets(const base::Secret& setting) {
  std::vector<base::Secret> secrets;
  for (const std::string_view part : base::Split(setting.Reveal(), ',')) {
    if (const std::string_view secret = base::Trim(part); !secret.empty()) secrets.emplace_back(std::string(secret));
  }
  return secrets;
}

Secrets::Secrets(const base::Secret& setting) {
  for (const base::Secret& secret : SplitSecrets(setting)) {
    if (const std::string_view text = secret.Reveal(); text.starts_with(kSigningKey)) {
      const auto key = net::Base64Decode(text.substr(kSigningKey.size()));
      if (key && !key->empty()) {
        signing_keys_.emplace_back(*key);
      } else {
        ++broken_;
      }
      continue;
    }
    keys_.emplace_back(secret.Reveal());
    hashes_.push_back(net::Sha256Hex(secret.Reveal()));
    shortest_ = shortest_ == 0 ? secret.Reveal().size() : std::min(shortest_, secret.Reveal().size());
  }
}

bool Secrets::SignedHex(std::string_view hex, std::string_view body) {
  const std::string given = base::ToLowerAscii(hex);
  bool fits = false;
  for (net::HmacKey& key : keys_) {
    if (net::EqualConstantTime(net::ToHex(key.Sign(body)), given)) fits = true;
  }
  return fits;
}

bool Secrets::SignedBase64(std::string_view base64, std::string_view content) {
  bool fits = false;
  for (net::HmacKey& key : signing_keys_) {
    const net::Sha256Digest digest = key.Sign(content);
    const std::string_view bytes(reinterpret_cast<const char*>(digest.data()), digest.size());
    if (net::EqualConstantTime(net::Base64Encode(bytes), base64)) fits = true;
  }
  return fits;
}

bool Secrets::Contain(std::string_view token) const {
  // Of the hashes, so that not even the length of a secret shows.
  const std::string hash = net::Sha256Hex(token);
  bool fits = false;
  for (const std::string& own : hashes_) {
    if (net::EqualConstantTime(own, hash)) fits = true;
  }
  return fits;
}

}  // namespace shipmate::webhook
