#include "unit/platforms/discord/wire.h"

#include <boost/json.hpp>
#include <fstream>
#include <map>
#include <stdexcept>

namespace shipmate::tests {

namespace {

struct Records {
  std::map<std::string, std::string> payloads;
  std::map<std::string, WireAnswer> answers;
  std::vector<std::string> gateway;
};

Records ReadRecords() {
  Records records;
  std::ifstream file(WIRE_DIR "/discord.jsonl");
  for (std::string line; std::getline(file, line);) {
    const boost::json::object record = boost::json::parse(line).as_object();
    const std::string name(record.at("name").as_string());
    if (const boost::json::value* payload = record.if_contains("payload")) {
      records.payloads[name] = boost::json::serialize(*payload);
      if (payload->is_object() && payload->as_object().contains("op")) records.gateway.push_back(name);
      continue;
    }
    WireAnswer answer;
    answer.status = static_cast<unsigned>(record.at("status").as_int64());
    answer.body = record.at("body").as_string();
    for (const boost::json::value& header : record.at("headers").as_array()) {
      answer.headers.emplace_back(header.at(0).as_string(), header.at(1).as_string());
    }
    records.answers[name] = std::move(answer);
  }
  if (records.gateway.empty()) throw std::runtime_error("no records in " WIRE_DIR "/discord.jsonl");
  return records;
}

const Records& TheRecords() {
  static const Records records = ReadRecords();
  return records;
}

}  // namespace

const std::string& Wire(const std::string& name) {
  return TheRecords().payloads.at(name);
}
std::vector<std::string> GatewayWireNames() {
  return TheRecords().gateway;
}
WireAnswer WireHttp(const std::string& name) {
  return TheRecords().answers.at(name);
}

}  // namespace shipmate::tests
