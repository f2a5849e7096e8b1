#include "service/prober.h"

#include <fmt/format.h>

#include <utility>

#include "async/deadline.h"
#include "net/http_client.h"
#include "net/tls.h"
#include "net/try_connect.h"
#include "net/url.h"
#include "os/run_command.h"

namespace shipmate::service {

namespace {

// A health page is a few words; more is no answer to this question.
constexpr std::size_t kBodyLimit = std::size_t{1} * 1024 * 1024;
constexpr std::size_t kOutputLimit = std::size_t{8} * 1024;

}  // namespace

Prober::Prober(Executor executor, ProberOptions options)
    : executor_(std::move(executor)), options_(std::move(options)) {}

Prober::~Prober() = default;

Task<Result<void>> Prober::Probe() {
  switch (options_.health.kind) {
    case config::HealthConfig::Kind::kHttp:
      return async::WithDeadline(ProbeHttp(), options_.health.timeout, options_.health.url);
    case config::HealthConfig::Kind::kTcp:
      return net::TryConnect(executor_, options_.health.host, options_.health.port, options_.health.timeout);
    case config::HealthConfig::Kind::kExec:
      break;
  }
  return ProbeExec();
}

Task<Result<void>> Prober::ProbeHttp() {
  if (!client_) {
    auto url = net::ParseUrl(options_.health.url);
    if (!url) co_return Fail(url.error());
    net::HttpClientOptions options;
    target_ = url->target;
    options.origin = *std::move(url);
    if (options.origin.Secure()) {
      auto tls = net::TlsContext::Client("");
      if (!tls) co_return Fail(tls.error());
      options.tls = *std::move(tls);
    }
    options.connect_limit = options_.health.timeout;
    options.request_limit = options_.health.timeout;
    options.body_limit = kBodyLimit;
    options.keep = 0;
    client_ = std::make_unique<net::HttpClient>(executor_, std::move(options));
  }
  net::HttpRequest request;
  request.target = target_;
  request.headers.Add("User-Agent", "shipmate");
  request.headers.Add("Accept", "*/*");
  const auto response = co_await client_->Send(std::move(request), true);
  if (!response) co_return Fail(response.error().error);
  const unsigned expected = options_.health.status;
  constexpr unsigned kFirstOfSuccess = 200;
  constexpr unsigned kLastOfSuccess = 299;
  const bool good = expected == 0 ? response->status >= kFirstOfSuccess && response->status <= kLastOfSuccess
                                  : response->status == expected;
  if (good) co_return Result<void>();
  co_return Fail(Errc::kRefused, fmt::format("HTTP status {}, expected {}", response->status,
                                             expected == 0 ? "200 to 299" : std::to_string(expected)));
}

Task<Result<void>> Prober::ProbeExec() {
  os::CommandOptions options;
  options.argv = options_.health.exec;
  options.dir = options_.dir;
  options.env = options_.environment;
  options.limit = options_.health.timeout;
  options.output_limit = kOutputLimit;
  const std::string program = options.argv.empty() ? "" : options.argv[0];
  const auto result = co_await os::RunCommand(std::move(options));
  if (!result) co_return Fail(result.error());
  if (!result->timed_out && result->status.Success()) co_return Result<void>();
  std::string why = program + ": " +
                    (result->timed_out ? fmt::format("not done within {}ms", options_.health.timeout.count())
                                       : result->status.Describe());
  const std::string tail = os::OutputTail(result->output);
  if (!tail.empty()) why += ": " + tail;
  co_return Fail(Errc::kRefused, std::move(why));
}

}  // namespace shipmate::service
