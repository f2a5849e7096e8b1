#include "unit/net/test_certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>

namespace shipmate::tests {

namespace {

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Certificate = std::unique_ptr<X509, Free>;
using File = std::unique_ptr<std::FILE, Free>;

constexpr long kDay = 24 * 3600;

Key NewKey() {
  return Key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
}

void AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Free> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  if (!extension) throw std::runtime_error("extension " + value);
  X509_add_ext(certificate, extension.get(), -1);
}

struct Wanted {
  std::string name;
  std::string alternative_names;
  long from = -kDay;
  long until = kDay;
  bool authority = false;
};

// Self-signed when there is no issuer.
Certificate NewCertificate(const Wanted& wanted, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
  static long serial = 1;
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), wanted.from);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), wanted.until);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(wanted.name.c_str()), -1,
                             -1, 0);
  X509_set_issuer_name(certificate.get(), issuer == nullptr ? name : X509_get_subject_name(issuer));
  X509* signer = issuer == nullptr ? certificate.get() : issuer;
  if (wanted.authority) AddExtension(certificate.get(), signer, NID_basic_constraints, "critical,CA:TRUE");
  if (!wanted.alternative_names.empty()) {
    AddExtension(certificate.get(), signer, NID_subject_alt_name, wanted.alternative_names);
  }
  if (X509_sign(certificate.get(), issuer_key == nullptr ? key : issuer_key, EVP_sha256()) == 0) {
    throw std::runtime_error("signing a certificate");
  }
  return certificate;
}

File OpenNew(const std::string& path) {
  File file(std::fopen(path.c_str(), "wx"));
  if (!file) throw std::runtime_error("creating " + path);
  return file;
}

}  // namespace

struct TestCertificates::Authority {
  explicit Authority(const std::string& name)
      : certificate(
            NewCertificate({.name = name, .alternative_names = "", .authority = true}, key.get(), nullptr, nullptr)) {}
  Key key = NewKey();
  Certificate certificate;
};

TestCertificates::TestCertificates() : authority_(new Authority("Test authority")) {
  std::string pattern = std::filesystem::temp_directory_path() / "shipmate-net-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
  directory_ = pattern;
  authority_file_ = directory_ + "/authority.pem";
  PEM_write_X509(OpenNew(authority_file_).get(), authority_->certificate.get());
}

TestCertificates::~TestCertificates() {
  delete authority_;
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

TestCertificates::Files TestCertificates::Make(Kind kind) {
  const std::string stem = directory_ + "/" + std::to_string(++made_);
  Wanted wanted{.name = "localhost", .alternative_names = "DNS:localhost,IP:127.0.0.1,IP:::1"};
  if (kind == Kind::kWrongName) wanted = {.name = "elsewhere.example", .alternative_names = "DNS:elsewhere.example"};
  if (kind == Kind::kExpired) {
    wanted.from = -3 * kDay;
    wanted.until = -kDay;
  }
  const Authority other("Another authority");
  const Authority& authority = kind == Kind::kOtherAuthority ? other : *authority_;
  const Key key = NewKey();
  const bool self_signed = kind == Kind::kSelfSigned;
  const Certificate certificate = NewCertificate(wanted, key.get(), self_signed ? nullptr : authority.certificate.get(),
                                                 self_signed ? nullptr : authority.key.get());
  Files files{stem + ".pem", stem + ".key"};
  PEM_write_X509(OpenNew(files.certificate).get(), certificate.get());
  PEM_write_PrivateKey(OpenNew(files.key).get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return files;
}

}  // namespace shipmate::tests
