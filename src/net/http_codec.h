#pragma once

// The server's half of HTTP/1.1 as a machine: bytes in, requests out, one after another; and answers as bytes. It waits
// for nothing and sends nothing. A request whose length could be read in two ways is refused. Internal to net.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/http_types.h"

namespace shipmate::net {

/// Whether the connection goes on after an answer.
enum class After { kNextRequest, kClose };
/// Whether it answers a HEAD: a header without its body.
enum class Head { kNo, kYes };

/// One line of text as an answer.
HttpResponse PlainAnswer(unsigned status, std::string text);

/// Status line and header of `response`, with Content-Length and Connection added; the body follows it as it is, unless
/// `SendsBody` says that there is none. REQUIRES: a final status, and headers that CheckHeaders has passed.
std::string EncodeAnswerHead(const HttpResponse& response, After after);
bool SendsBody(const HttpResponse& response, Head head);

class RequestReader {
 public:
  struct Limits {
    std::size_t header = 0;
    std::size_t body = 0;
  };
  enum class State {
    kMore,     ///< nothing to do before more bytes come
    kHead,     ///< a header is complete: Head() can be looked at; Advance goes on with the body
    kDone,     ///< a request is complete: Take it
    kRefused,  ///< it is none: send Refusal(), and close
  };

  explicit RequestReader(Limits limits);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  /// Room for the next bytes, some kilobytes; Commit tells how many came.
  std::span<char> Prepare();
  void Commit(std::size_t count);
  State Advance();

  /// Nothing of a request has come.
  bool Empty() const;
  /// Bytes have come that belong to no request yet.
  bool HasMore() const;
  /// How much of the body has come.
  std::size_t BodySize() const;

  /// From kHead on, the request without its body.
  const HttpRequest& Head() const;
  /// From kHead on: the body is still to come, and the client first wants to hear whether to send it.
  bool AwaitsContinue() const;
  bool ExpectsOtherwise() const;
  bool KeepsAlive() const;
  bool IsUpgrade() const;

  HttpRequest Take();
  HttpResponse Refusal() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shipmate::net
