#pragma once

// One operation in a service's queue, and the three kinds of its outcome. Private to Service.

#include <string>
#include <utility>

#include "async/latch.h"
#include "service/service.h"

namespace shipmate::service {

struct Service::Request {
  Request(const Executor& executor, Op what) : op(what), done(executor) {}

  Op op;
  Saving saving = Saving::kSynced;
  /// For kReconfigure.
  config::ServiceConfig config;
  /// For kScheduled.
  base::WallTime planned{};
  OpResult result;
  async::Event done;
};

inline OpResult Done(std::string text) {
  return {.reply = {.text = std::move(text), .ok = true}};
}
inline OpResult Already(std::string text) {
  return {.reply = {.text = std::move(text), .ok = true}, .already = true};
}
inline OpResult Failed(std::string text) {
  return {.reply = {.text = std::move(text)}};
}

}  // namespace shipmate::service
