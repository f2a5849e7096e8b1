#pragma once

// TLS settings. Clients always verify: the chain against the system's certificates, or against `ca_file` alone where
// given, and the name against the host, with SNI. TLS 1.2 is the least spoken.

#include <memory>
#include <string>

#include "base/result.h"

namespace boost::asio::ssl {
class context;
}

namespace shipmate::net {

/// Shared by connections; made once.
class TlsContext {
 public:
  /// `ca_file`: PEM file of the only trusted roots; empty = the system's. kTls, naming the file, when it cannot be
  /// read.
  static Result<std::shared_ptr<TlsContext>> Client(const std::string& ca_file);
  /// PEM files of the chain and the private key.
  static Result<std::shared_ptr<TlsContext>> Server(const std::string& certificate_file, const std::string& key_file);

  explicit TlsContext(std::unique_ptr<boost::asio::ssl::context> context);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  boost::asio::ssl::context& Get() { return *context_; }

 private:
  std::unique_ptr<boost::asio::ssl::context> context_;
};

}  // namespace shipmate::net
