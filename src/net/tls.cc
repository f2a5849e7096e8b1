#include "net/tls.h"

#include <openssl/ssl.h>

#include <boost/asio/ssl/context.hpp>
#include <utility>

namespace shipmate::net {

namespace ssl = boost::asio::ssl;

namespace {

std::unique_ptr<ssl::context> NewContext(ssl::context::method method) {
  auto context = std::make_unique<ssl::context>(method);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_options(context->native_handle(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  return context;
}

std::unexpected<Error> BadFile(const std::string& role, const std::string& file,
                               const boost::system::error_code& error) {
  return Fail(Errc::kTls, "reading the " + role + " " + file + ": " + error.message());
}

}  // namespace

TlsContext::TlsContext(std::unique_ptr<ssl::context> context) : context_(std::move(context)) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<TlsContext>> TlsContext::Client(const std::string& ca_file) {
  auto context = NewContext(ssl::context::tls_client);
  boost::system::error_code error;
  if (ca_file.empty()) {
    context->set_default_verify_paths(error);
    if (error) return Fail(Errc::kTls, "reading the system's certificates: " + error.message());
  } else {
    context->load_verify_file(ca_file, error);
    if (error) return BadFile("CA file", ca_file, error);
  }
  context->set_verify_mode(ssl::verify_peer);
  return std::make_shared<TlsContext>(std::move(context));
}

Result<std::shared_ptr<TlsContext>> TlsContext::Server(const std::string& certificate_file,
                                                       const std::string& key_file) {
  auto context = NewContext(ssl::context::tls_server);
  boost::system::error_code error;
  context->use_certificate_chain_file(certificate_file, error);
  if (error) return BadFile("certificate", certificate_file, error);
  context->use_private_key_file(key_file, ssl::context::pem, error);
  if (error) return BadFile("private key", key_file, error);
  if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return Fail(Errc::kTls, "private key " + key_file + " does not belong to the certificate " + certificate_file);
  }
  return std::make_shared<TlsContext>(std::move(context));
}

}  // namespace shipmate::net
