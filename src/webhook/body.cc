#include "webhook/body.h"

#include <optional>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "net/url.h"

namespace shipmate::webhook {

namespace {

// The parameter `charset` of a Content-Type, in lower case and without quotes; "" when there is none.
std::string Charset(std::string_view content_type) {
  for (const std::string_view part : base::Split(content_type, ';')) {
    const std::string parameter = base::ToLowerAscii(base::Trim(part));
    constexpr std::string_view kName = "charset=";
    if (!parameter.starts_with(kName)) continue;
    std::string_view value = base::Trim(std::string_view(parameter).substr(kName.size()));
    if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) value = value.substr(1, value.size() - 2);
    return std::string(value);
  }
  return "";
}

// The one field `payload` of an application/x-www-form-urlencoded body (URL Standard, section 5.1).
Result<std::string> FromForm(std::string_view form) {
  std::optional<std::string_view> payload;
  for (const std::string_view field : base::Split(form, '&')) {
    const std::size_t equals = field.find('=');
    if (field.substr(0, equals) != "payload") continue;
    if (payload) return Fail(Errc::kInvalid, "malformed form body: two payload fields");
    payload = equals == std::string_view::npos ? "" : field.substr(equals + 1);
  }
  if (!payload || payload->empty()) return Fail(Errc::kInvalid, "missing payload field");
  std::string spaced(*payload);
  for (char& c : spaced) {
    if (c == '+') c = ' ';
  }
  auto decoded = net::PercentDecode(spaced);
  if (!decoded) return Fail(Errc::kInvalid, "malformed form body: a broken escape");
  return decoded;
}

}  // namespace

Result<std::string> TakeJson(net::HttpRequest& request) {
  const std::string coding = base::ToLowerAscii(base::Trim(request.headers.Get("Content-Encoding")));
  if (!coding.empty() && coding != "identity") {
    return Fail(Errc::kRefused, "a Content-Encoding is not understood here");
  }
  const std::string_view content_type = request.headers.Get("Content-Type");
  const std::string charset = Charset(content_type);
  if (!charset.empty() && charset != "utf-8" && charset != "utf8" && charset != "us-ascii") {
    return Fail(Errc::kRefused, "the charset must be utf-8");
  }
  if (base::ToLowerAscii(content_type).starts_with("application/x-www-form-urlencoded")) return FromForm(request.body);
  return std::move(request.body);
}

}  // namespace shipmate::webhook
