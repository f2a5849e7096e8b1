#include "base/log.h"

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>

#include "base/text.h"

namespace shipmate::base {

namespace {

constexpr std::size_t kQueuedRecords = 1024;

struct LogState {
  std::shared_ptr<spdlog::details::thread_pool> writer;
  std::shared_ptr<spdlog::logger> logger;
  std::shared_ptr<const Masker> masker;
};

LogState& State() {
  static LogState state;
  return state;
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

void InitLog(const LogOptions& options) {
  LogState& state = State();
  spdlog::sink_ptr sink;
  if (options.file.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
  }
  sink->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  state.masker = options.masker;
  state.writer = std::make_shared<spdlog::details::thread_pool>(kQueuedRecords, 1U);
  state.logger = std::make_shared<spdlog::async_logger>("shipmate", std::move(sink), state.writer,
                                                        spdlog::async_overflow_policy::overrun_oldest);
  state.logger->set_level(ToSpdlog(options.level));
  state.logger->flush_on(spdlog::level::info);
}

void ShutdownLog() {
  LogState& state = State();
  if (state.logger) state.logger->flush();
  state.logger.reset();
  state.writer.reset();  // joins the writer after the queue is empty
}

void Log(LogLevel level, std::string_view message) {
  LogState& state = State();
  const std::string line = EscapeControls(state.masker ? state.masker->Mask(message) : std::string(message));
  if (state.logger) {
    state.logger->log(ToSpdlog(level), spdlog::string_view_t(line));
  } else if (level >= LogLevel::kWarn) {
    std::fprintf(stderr, "shipmate: %s\n", line.c_str());
  }
}

}  // namespace shipmate::base
