#include "net/http_codec.h"

#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <optional>
#include <utility>

#include "net/http_message.h"

namespace shipmate::net {

namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

namespace {

constexpr std::size_t kReadStep = 16 * 1024;
// Room that is made before a byte of a body has come, whatever its Content-Length says.
constexpr std::size_t kFirstRoom = 64 * 1024;
// Behind a body, for parsers that read some bytes ahead.
constexpr std::size_t kSlack = 64;

// A body as one text that grows by what comes.
struct TextBody {
  using value_type = std::string;

  class reader {  // NOLINT(readability-identifier-naming): the name that Beast asks for
   public:
    template <bool kIsRequest, class Fields>
    reader(http::header<kIsRequest, Fields>&, std::string& body) : body_(body) {}

    void init(const boost::optional<std::uint64_t>& length,
              error_code& error) {  // NOLINT(readability-identifier-naming)
      error = {};
      if (length) body_.reserve(std::min<std::size_t>(static_cast<std::size_t>(*length), kFirstRoom) + kSlack);
    }
    template <class Buffers>
    std::size_t put(const Buffers& buffers, error_code& error) {  // NOLINT(readability-identifier-naming)
      error = {};
      std::size_t count = 0;
      for (const boost::asio::const_buffer buffer : beast::buffers_range_ref(buffers)) {
        body_.append(static_cast<const char*>(buffer.data()), buffer.size());
        count += buffer.size();
      }
      return count;
    }
    void finish(error_code& error) { error = {}; }  // NOLINT(readability-identifier-naming)

   private:
    std::string& body_;
  };
};

using Parser = http::request_parser<TextBody>;

// A request that different programs may cut differently is a way to smuggle a second one through a proxy
// (RFC 9112 sections 6.1, 6.3 and 11.2): it is refused, not repaired.
const char* FramingFault(const Parser& parser) {
  const auto& request = parser.get();
  if (request.version() != 11 && request.version() != 10) return "unsupported HTTP version";
  const auto lengths = request.count(http::field::content_length);
  const auto codings = request.count(http::field::transfer_encoding);
  if (lengths > 1 || codings > 1 || (lengths > 0 && codings > 0)) return "ambiguous message length";
  if (lengths == 1) {
    for (const char c : request[http::field::content_length]) {
      if (c < '0' || c > '9') return "malformed Content-Length";
    }
  }
  if (codings == 1) {
    if (request.version() == 10) return "Transfer-Encoding in HTTP/1.0";
    if (!beast::iequals(request[http::field::transfer_encoding], "chunked")) return "unsupported Transfer-Encoding";
  }
  const auto hosts = request.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && request.version() == 11)) return "exactly one Host header is needed";
  return nullptr;
}

HttpResponse AnswerToBroken(error_code error) {
  if (error == http::error::header_limit) return PlainAnswer(431, "the request's header is too large");
  if (error == http::error::body_limit || error == http::error::buffer_overflow) {
    return PlainAnswer(413, "the request's body is too large");
  }
  return PlainAnswer(400, "malformed request: " + error.message());
}

bool IsBodiless(unsigned status) {
  return status == 204 || status == 304 || status < 200;
}

}  // namespace

HttpResponse PlainAnswer(unsigned status, std::string text) {
  HttpResponse response;
  response.status = status;
  response.headers.Add("Content-Type", "text/plain; charset=utf-8");
  response.body = std::move(text) + "\n";
  return response;
}

bool SendsBody(const HttpResponse& response, Head head) {
  return head == Head::kNo && !IsBodiless(response.status);
}

std::string EncodeAnswerHead(const HttpResponse& response, After after) {
  constexpr std::size_t kUsualSize = 256;
  std::string text;
  text.reserve(kUsualSize);
  text += "HTTP/1.1 ";
  text += std::to_string(response.status);
  text += ' ';
  const auto reason = http::obsolete_reason(static_cast<http::status>(response.status));
  text.append(reason.data(), reason.size());
  text += "\r\n";
  for (const auto& [name, value] : response.headers) {
    if (IsFramingField(name) && !beast::iequals(name, "Upgrade")) continue;
    text += name;
    text += ": ";
    text += value;
    text += "\r\n";
  }
  if (after == After::kClose) text += "Connection: close\r\n";
  if (!IsBodiless(response.status)) {
    text += "Content-Length: ";
    text += std::to_string(response.body.size());
    text += "\r\n";
  }
  text += "\r\n";
  return text;
}

class RequestReader::Impl {
 public:
  explicit Impl(Limits limits) : limits_(limits) {}

  State Advance() {
    if (refusal) return State::kRefused;
    if (!parser) {
      if (buffer.size() == 0) return State::kMore;
      parser.emplace();
      parser->header_limit(static_cast<std::uint32_t>(limits_.header));
      parser->body_limit(limits_.body);
    }
    while (!parser->is_done()) {
      const bool in_body = parser->is_header_done();
      if (buffer.size() == 0) return State::kMore;
      error_code error;
      // Not eager: the header is looked at before any of the body is taken.
      parser->eager(in_body);
      buffer.consume(parser->put(buffer.data(), error));
      if (error == http::error::need_more) return State::kMore;
      if (error) return Refuse(AnswerToBroken(error));
      if (!in_body && parser->is_header_done()) return TakeHead();
    }
    if (!head_told) return TakeHead();
    return State::kDone;
  }

  State TakeHead() {
    if (const char* fault = FramingFault(*parser)) return Refuse(PlainAnswer(400, fault));
    const auto& message = parser->get();
    head.method = std::string(message.method_string());
    head.target = std::string(message.target());
    head.headers = {};
    for (const auto& field : message) {
      head.headers.Add(std::string(field.name_string()), std::string(field.value()));
    }
    head_told = true;
    return State::kHead;
  }

  HttpRequest Take() {
    head.body = std::move(parser->get().body());
    parser.reset();
    head_told = false;
    return std::exchange(head, HttpRequest());
  }

  beast::flat_buffer buffer;
  std::optional<Parser> parser;  // from the first byte of a request on
  HttpRequest head;
  bool head_told = false;
  std::optional<HttpResponse> refusal;

 private:
  State Refuse(HttpResponse response) {
    refusal = std::move(response);
    return State::kRefused;
  }

  const Limits limits_;
};

RequestReader::RequestReader(Limits limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestReader::~RequestReader() = default;

std::span<char> RequestReader::Prepare() {
  const auto room = impl_->buffer.prepare(kReadStep);
  return {static_cast<char*>(room.data()), room.size()};
}

void RequestReader::Commit(std::size_t count) {
  impl_->buffer.commit(count);
}

RequestReader::State RequestReader::Advance() {
  return impl_->Advance();
}

bool RequestReader::Empty() const {
  return !impl_->parser && impl_->buffer.size() == 0;
}

bool RequestReader::HasMore() const {
  return impl_->buffer.size() > 0;
}

std::size_t RequestReader::BodySize() const {
  return impl_->parser ? impl_->parser->get().body().size() : 0;
}

const HttpRequest& RequestReader::Head() const {
  return impl_->head;
}

bool RequestReader::AwaitsContinue() const {
  return !impl_->parser->is_done() && impl_->parser->get().version() == 11 &&
         beast::iequals(impl_->parser->get()[http::field::expect], "100-continue");
}

bool RequestReader::ExpectsOtherwise() const {
  return !impl_->parser->is_done() && impl_->parser->get().version() == 11 &&
         impl_->parser->get().count(http::field::expect) > 0 && !AwaitsContinue();
}

bool RequestReader::KeepsAlive() const {
  return impl_->parser->get().keep_alive();
}

bool RequestReader::IsUpgrade() const {
  return beast::websocket::is_upgrade(impl_->parser->get());
}

HttpRequest RequestReader::Take() {
  return impl_->Take();
}

HttpResponse RequestReader::Refusal() const {
  return impl_->refusal.value_or(PlainAnswer(500, "internal error"));
}

}  // namespace shipmate::net
