#include "webhook/answer.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/text.h"

namespace shipmate::webhook {

namespace json = boost::json;

namespace {

net::HttpResponse Json(const json::object& body) {
  net::HttpResponse response;
  response.status = 200;
  response.headers.Add("Content-Type", "application/json");
  response.body = json::serialize(body) + "\n";
  return response;
}

}  // namespace

net::HttpResponse Line(unsigned status, std::string_view text) {
  net::HttpResponse response;
  response.status = status;
  response.headers.Add("Content-Type", "text/plain; charset=utf-8");
  response.body = std::string(text) + "\n";
  return response;
}

net::HttpResponse Short(std::string_view event, std::string_view result) {
  json::object body;
  body["event"] = base::RepairUtf8(event);
  body["result"] = result;
  return Json(body);
}

std::string Summary(const Push& push, const std::vector<Decision>& decisions) {
  if (decisions.empty()) {
    return "ignored: no service has the repository " +
           base::EscapeControls(push.repo_address.empty() ? push.info.repo : push.repo_address);
  }
  std::string text;
  for (const Decision& decision : decisions) {
    if (!text.empty()) text += "; ";
    text += fmt::format("{}: {}", decision.service, decision.decision);
    if (!decision.why.empty()) text += ": " + decision.why;
  }
  return text;
}

net::HttpResponse Decided(const Push& push, const std::vector<Decision>& decisions) {
  json::object body;
  body["event"] = "push";
  body["repo"] = push.info.repo;
  body["ref"] = push.ref;
  body["commit"] = push.info.commit_id;
  body["result"] = Summary(push, decisions);
  json::array services;
  for (const Decision& decision : decisions) {
    json::object entry;
    entry["service"] = decision.service;
    entry["decision"] = decision.decision;
    entry["why"] = decision.why;
    services.emplace_back(std::move(entry));
  }
  body["services"] = std::move(services);
  return Json(body);
}

}  // namespace shipmate::webhook
