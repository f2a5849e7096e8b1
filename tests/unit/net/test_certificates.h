#pragma once

// TestCertificates: a certificate authority and server certificates made on the spot, in a temporary directory that
// goes away with the object.

#include <string>

namespace shipmate::tests {

class TestCertificates {
 public:
  enum class Kind {
    kGood,       ///< for localhost, 127.0.0.1 and ::1
    kWrongName,  ///< for elsewhere.example
    kExpired,
    kSelfSigned,
    kOtherAuthority,  ///< signed by an authority that is in no file
  };
  struct Files {
    std::string certificate;
    std::string key;
  };

  TestCertificates();
  ~TestCertificates();
  TestCertificates(const TestCertificates&) = delete;
  TestCertificates& operator=(const TestCertificates&) = delete;

  const std::string& AuthorityFile() const { return authority_file_; }
  Files Make(Kind kind);
  const std::string& Directory() const { return directory_; }

 private:
  struct Authority;
  std::string directory_;
  std::string authority_file_;
  Authority* authority_;
  int made_ = 0;
};

}  // namespace shipmate::tests
